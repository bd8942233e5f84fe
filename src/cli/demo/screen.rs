//! What a run shows: sections with sentences and tables for people, or one JSON document.
//!
//! Enters: titles, sentences, tables. Leaves: text on standard output as it goes, or everything
//! at the end as JSON. It must not know what a run is about.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table as Drawn, presets};
use serde_json::{Value, json};

use crate::cli::Outcome;
pub use crate::cli::output::grouped;
use crate::cli::output::{Output, print};

/// How wide a bar of the largest value is.
const BAR: u32 = 30;

/// How wide sentences and tables are at most, in columns.
const WIDEST: u16 = 112;

/// Where a run shows what it does.
pub struct Screen {
    output: Output,
    steps: Vec<Step>,
}

#[derive(Default)]
struct Step {
    title: String,
    said: Vec<String>,
    tables: Vec<Table>,
}

/// A table of text.
#[derive(Default)]
pub struct Table {
    title: String,
    columns: Vec<String>,
    /// Columns that stand to the right.
    numeric: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; a leading `#` says that a column holds numbers.
    pub fn new<const N: usize>(title: &str, columns: [&str; N]) -> Self {
        Self {
            title: title.to_owned(),
            columns: columns.map(|name| name.trim_start_matches('#').to_owned()).into(),
            numeric: columns.map(|name| name.starts_with('#')).into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    fn draw(&self) -> String {
        let mut drawn = Drawn::new();
        drawn
            .load_style(presets::UTF8_BORDERS_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(self.columns.iter().zip(&self.numeric).map(cell));
        for row in &self.rows {
            drawn.add_row(row.iter().zip(&self.numeric).map(cell));
        }
        if drawn.width().is_none_or(|width| width > WIDEST) {
            drawn.set_width(WIDEST);
        }
        format!("\n   {}\n{drawn}\n", self.title)
    }

    fn json(&self) -> Value {
        json!({ "title": self.title, "columns": self.columns, "rows": self.rows })
    }
}

fn cell((text, numeric): (&String, &bool)) -> Cell {
    let side = if *numeric { CellAlignment::Right } else { CellAlignment::Left };
    // Titles come from outside; what moves a terminal's cursor is left out.
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Cell::new(clean).set_alignment(side)
}

impl Screen {
    /// A screen that shows tables as they come, or keeps everything for a document.
    pub fn new(output: Output) -> Self {
        Self { output, steps: Vec::new() }
    }

    /// Begins a section.
    pub fn title(&mut self, title: &str) -> Outcome {
        self.steps.push(Step { title: title.to_owned(), ..Step::default() });
        self.put(&format!("\n{}. {title}\n", self.steps.len()))
    }

    /// The title of the section under way.
    pub fn section(&self) -> &str {
        self.steps.last().map_or("", |step| &step.title)
    }

    /// Says one sentence.
    pub fn say(&mut self, sentence: &str) -> Outcome {
        if let Some(step) = self.steps.last_mut() {
            step.said.push(sentence.to_owned());
        }
        self.put(&wrapped(sentence))
    }

    /// Shows a table.
    pub fn table(&mut self, table: Table) -> Outcome {
        let drawn = table.draw();
        if let Some(step) = self.steps.last_mut() {
            step.tables.push(table);
        }
        self.put(&drawn)
    }

    /// Text for people only.
    pub fn put(&self, text: &str) -> Outcome {
        match self.output {
            Output::Table => print(text),
            Output::Json => Ok(()),
        }
    }

    /// All sections as JSON.
    pub fn document(&self) -> Value {
        let steps = self.steps.iter().map(|step| {
            let tables: Vec<_> = step.tables.iter().map(Table::json).collect();
            json!({ "title": step.title, "said": step.said, "tables": tables })
        });
        Value::Array(steps.collect())
    }
}

/// A sentence in lines that are not too long, set in a little.
fn wrapped(sentence: &str) -> String {
    let mut lines = vec![String::from("  ")];
    for word in sentence.split(' ') {
        let last = lines.len() - 1;
        if lines[last].chars().count() + word.chars().count() >= usize::from(WIDEST) {
            lines.push(format!("   {word}"));
        } else {
            lines[last].push(' ');
            lines[last].push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

/// A bar as long as `value` is a part of `most`.
pub fn bar(value: f64, most: f64) -> String {
    let part = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
    "█".repeat((part * f64::from(BAR)).round() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_bounded() {
        assert_eq!(bar(1.0, 1.0).chars().count(), 30);
        assert_eq!(bar(-1.0, 1.0), "");
        assert_eq!(bar(1.0, 0.0), "");
    }
}
