//! The nomenclature as Siscomex publishes it: one JSON file with codes and Portuguese texts.
//!
//! Enters: the file. Leaves: rows of the table `ncm`: chapters, headings, subheadings, and the
//! eight-digit leaves that can be declared.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::parse;
use crate::proto::google::r#type::Date;
use crate::proto::puente::reference::v1::ReferenceRow;

/// The longest text of a row, in characters.
const LONGEST: usize = 2000;

/// What the file holds.
pub struct Nomenclature {
    /// The rows, as in the file.
    pub rows: Vec<ReferenceRow>,
    /// The day from which it is in force.
    pub version: String,
    /// The act that put it in force.
    pub source: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "Data_Ultima_Atualizacao_NCM")]
    in_force: String,
    #[serde(rename = "Ato")]
    act: String,
    #[serde(rename = "Nomenclaturas")]
    codes: Vec<Code>,
}

#[derive(Deserialize)]
struct Code {
    #[serde(rename = "Codigo")]
    code: String,
    #[serde(rename = "Descricao")]
    text: String,
    #[serde(rename = "Data_Inicio", default)]
    from: String,
    #[serde(rename = "Data_Fim", default)]
    to: String,
}

/// Reads the file at `path`.
pub fn read(path: &Path) -> Outcome<Nomenclature> {
    let text = std::fs::read(path).map_err(|reason| Failure::file(path, reason))?;
    parse_file(&text).map_err(|reason| {
        Failure::new("INVALID_FILE", format!("{}: {reason}", path.display()))
            .hint("expected the nomenclature as Siscomex publishes it in JSON; nothing was sent")
    })
}

fn parse_file(text: &[u8]) -> Result<Nomenclature, String> {
    let file: File = serde_json::from_slice(text).map_err(|reason| reason.to_string())?;
    let day = file.in_force.rsplit(' ').next().and_then(day);
    let rows: Result<Vec<_>, String> = file.codes.iter().map(row).collect();
    Ok(Nomenclature {
        rows: rows?,
        version: day.map_or(file.in_force, |d| format!("{}-{:02}-{:02}", d.year, d.month, d.day)),
        source: file.act,
    })
}

fn row(code: &Code) -> Result<ReferenceRow, String> {
    let Code { code, text, from, to } = code;
    let digits = code.chars().filter(char::is_ascii_digit).count();
    let (name, value) = match digits {
        8 => ("leaf", "true"),
        2 => ("level", "chapter"),
        4 => ("level", "heading"),
        5..=7 => ("level", "subheading"),
        _ => return Err(format!("{code} is not an NCM code")),
    };
    let text: String = plain(text).chars().take(LONGEST).collect();
    Ok(ReferenceRow {
        code: code.clone(),
        title_es: text,
        title_en: String::new(),
        attributes: HashMap::from([(name.into(), value.into()), ("lang".into(), "pt".into())]),
        valid_from: day(from),
        // The year 9999 stands for no end.
        valid_to: day(to).filter(|day| day.year < 9999),
    })
}

/// Gives codes whose Spanish or English title is known already that title, and the unit.
pub fn keep_titles(rows: &mut [ReferenceRow], held: &[ReferenceRow]) {
    let held: HashMap<&str, &ReferenceRow> =
        held.iter().map(|row| (row.code.as_str(), row)).collect();
    for row in rows {
        let Some(known) = held.get(row.code.as_str()) else { continue };
        let translated = !known.attributes.contains_key("lang") && !known.title_es.is_empty();
        if translated {
            row.title_es.clone_from(&known.title_es);
            row.title_en.clone_from(&known.title_en);
            row.attributes.remove("lang");
        }
        if let Some(unit) = known.attributes.get("unit") {
            row.attributes.entry("unit".into()).or_insert_with(|| unit.clone());
        }
    }
}

/// Without tags such as `<i>` and without the dashes that show the depth.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_tag = false;
    for (at, c) in text.char_indices() {
        let opens = c == '<'
            && text[at + 1..].starts_with(|next: char| next == '/' || next.is_ascii_alphabetic());
        match (in_tag, c) {
            (false, '<') if opens => in_tag = true,
            (true, '>') => in_tag = false,
            (true, _) => {}
            (false, c) if c.is_control() => out.push(' '),
            (false, c) => out.push(c),
        }
    }
    out.trim_start_matches(['-', ' ']).trim_end().to_owned()
}

/// DD/MM/YYYY.
fn day(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let (d, m, y) = (parts.next()?, parts.next()?, parts.next()?);
    parse::date(&format!("{y}-{m}-{d}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"Data_Ultima_Atualizacao_NCM": "Vigente em 13/05/2025", "Ato": "Res 1",
        "Nomenclaturas": [
        {"Codigo": "22", "Descricao": "Bebidas.", "Data_Inicio": "01/04/2022", "Data_Fim": "31/12/9999"},
        {"Codigo": "2204.21.00", "Descricao": "-- Em recipientes <i>x</i> < 2 l", "Data_Inicio": "01/04/2022",
         "Data_Fim": "31/12/2030"}]}"#;

    #[test]
    fn codes_levels_dates_and_plain_texts() {
        let file = parse_file(FILE.as_bytes()).unwrap();
        assert_eq!((file.version.as_str(), file.source.as_str()), ("2025-05-13", "Res 1"));
        let [chapter, leaf] = &file.rows[..] else { panic!() };
        assert_eq!(chapter.attributes["level"], "chapter");
        assert!(chapter.valid_to.is_none());
        assert_eq!(leaf.title_es, "Em recipientes x < 2 l");
        assert_eq!(leaf.attributes["leaf"], "true");
        assert_eq!(leaf.valid_to.unwrap().year, 2030);
    }

    #[test]
    fn titles_that_are_known_are_kept() {
        let mut rows = parse_file(FILE.as_bytes()).unwrap().rows;
        let held = ReferenceRow {
            code: "2204.21.00".into(),
            title_es: "Vino".into(),
            title_en: "Wine".into(),
            attributes: HashMap::from([("unit".into(), "LTR".into())]),
            ..Default::default()
        };
        keep_titles(&mut rows, &[held]);
        assert_eq!((rows[1].title_es.as_str(), rows[1].title_en.as_str()), ("Vino", "Wine"));
        assert_eq!(rows[1].attributes["unit"], "LTR");
        assert!(
            !rows[1].attributes.contains_key("lang") && rows[0].attributes.contains_key("lang")
        );
    }

    #[test]
    fn other_json_is_refused() {
        assert!(parse_file(b"{}").is_err());
        assert!(parse_file(FILE.replace("2204.21.00", "2204.21.00.1").as_bytes()).is_err());
    }
}
