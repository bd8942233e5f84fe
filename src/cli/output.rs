//! Answers on standard output: tables for people, JSON for programs.
//!
//! Enters: messages of the API and rows of text. Leaves: one document on standard output. JSON
//! is the protos' own mapping: lowerCamelCase, defaults printed, 64-bit numbers as strings.

use std::io::Write as _;
use std::sync::OnceLock;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Serializer, Value};

use super::failure::{Failure, Outcome};
use crate::proto::FILE_DESCRIPTOR_SET;
use crate::proto::google::r#type::{Date, Decimal};

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs: the answer in the protos' JSON mapping, one document.
    Json,
}

/// Prints `message`, whose proto name is `name`, as JSON, or whatever `table` makes of it.
pub fn show<M: Message>(
    output: Output,
    name: &str,
    message: &M,
    table: impl FnOnce(&M) -> String,
) -> Outcome {
    match output {
        Output::Json => print(&to_json(name, message)?),
        Output::Table => print(&table(message)),
    }
}

/// The JSON mapping of `message`, to be part of a larger document.
///
/// # Errors
/// Only if the name is not one of the contract's.
pub fn to_value<M: Message>(name: &str, message: &M) -> Outcome<Value> {
    serde_json::from_str(&to_json(name, message)?)
        .map_err(|reason| Failure::new("INTERNAL", format!("{name}: {reason}")))
}

/// The JSON mapping of `message`, whose full proto name is `name`, fields in the proto's order.
fn to_json<M: Message>(name: &str, message: &M) -> Outcome<String> {
    let internal = |reason: String| Failure::new("INTERNAL", format!("{name}: {reason}"));
    let descriptor = pool()
        .and_then(|pool| pool.get_message_by_name(name))
        .ok_or_else(|| internal("is not in the contract".into()))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|reason| internal(reason.to_string()))?;
    let options =
        SerializeOptions::new().skip_default_fields(false).stringify_64_bit_integers(true);
    let mut bytes = Vec::new();
    dynamic
        .serialize_with_options(&mut Serializer::new(&mut bytes), &options)
        .map_err(|reason| internal(reason.to_string()))?;
    String::from_utf8(bytes).map_err(|reason| internal(reason.to_string()))
}

/// Prints a JSON document.
pub fn print_json(value: &Value) -> Outcome {
    print(&serde_json::to_string(value).unwrap_or_default())
}

/// Prints text and a line end, unless it has one.
pub fn print(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        // Whoever reads has seen enough, as `head` does.
        Err(reason) if reason.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(reason) => Err(Failure::new("OUTPUT", format!("standard output: {reason}"))),
        Ok(()) => Ok(()),
    }
}

/// Says something on standard error, where nobody may be listening.
pub fn tell(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{what}");
}

/// A table with this header.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

/// A table of names and values, for one thing.
pub fn facts<const N: usize>(rows: [(&str, String); N]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    format!("{}\n", table.trim_fmt())
}

/// A cell whose content stands to the right, for numbers.
pub fn number(value: impl ToString) -> Cell {
    Cell::new(value.to_string()).set_alignment(CellAlignment::Right)
}

/// A date as ISO 8601; nothing if it is not there.
pub fn date(date: Option<&Date>) -> String {
    date.map(|d| format!("{:04}-{:02}-{:02}", d.year, d.month, d.day)).unwrap_or_default()
}

/// A decimal as written; nothing if it is not there.
pub fn decimal(decimal: Option<&Decimal>) -> String {
    decimal.map(|d| d.value.clone()).unwrap_or_default()
}

/// A moment in UTC, to the second; nothing if it is not there.
pub fn moment(at: Option<&prost_types::Timestamp>) -> String {
    at.and_then(|at| jiff::Timestamp::from_second(at.seconds).ok())
        .map(|at| at.to_string())
        .unwrap_or_default()
}

/// A whole number with a comma between each three digits, as the sentences have them.
pub fn grouped(number: impl ToString) -> String {
    let text = number.to_string();
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (text.as_str(), String::new()),
    };
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{sign}{out}{fraction}")
}

/// Numbers of one column, grouped in threes and with as many decimals as the most exact of them,
/// so that their points stand below each other.
pub fn aligned(numbers: Vec<String>) -> Vec<String> {
    let decimals = |number: &String| number.split_once('.').map_or(0, |(_, after)| after.len());
    let most = numbers.iter().map(decimals).max().unwrap_or(0);
    let padded = |number: String| {
        if number.is_empty() || most == 0 {
            return grouped(number);
        }
        let point = if number.contains('.') { "" } else { "." };
        let zeros = "0".repeat(most - decimals(&number));
        format!("{}{point}{zeros}", grouped(number))
    };
    numbers.into_iter().map(padded).collect()
}

/// A fraction as a percentage with two decimals; nothing if it is not there.
pub fn percent(fraction: Option<&Decimal>) -> String {
    let parsed = fraction.and_then(|one| one.value.parse::<rust_decimal::Decimal>().ok());
    let Some(share) = parsed else { return String::new() };
    format!("{:.2} %", share * rust_decimal::Decimal::ONE_HUNDRED)
}

/// A change as a percentage with its sign; nothing if it is not there.
pub fn signed_percent(change: Option<&Decimal>) -> String {
    let text = percent(change);
    let risen = !text.is_empty() && !text.starts_with('-') && text != "0.00 %";
    if risen { format!("+{text}") } else { text }
}

/// The name of an enum's value without the prefix that all its values have.
pub fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

fn pool() -> Option<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::proto::puente::sales::v1::{SummarizeResponse, SummaryRow};

    #[test]
    fn a_summary_prints_as_the_contract_shows_it() {
        let row = SummaryRow {
            dimensions: HashMap::from([("kind".into(), "SALE".into())]),
            lines: 41683,
            quantity: Some(Decimal { value: "5".into() }),
            amount: Some(Decimal { value: "823746.14".into() }),
            currency: "GBP".into(),
            ..SummaryRow::default()
        };
        let answer = SummarizeResponse { rows: vec![row], ..SummarizeResponse::default() };
        let value = to_value("puente.sales.v1.SummarizeResponse", &answer).unwrap();
        let expected = serde_json::json!({"rows": [{
            "dimensions": {"kind": "SALE"}, "lines": "41683", "quantity": {"value": "5"},
            "amount": {"value": "823746.14"}, "currency": "GBP",
        }]});
        assert_eq!(value, expected);
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in
            [("7", "7"), ("-1234.50", "-1,234.50"), ("123456", "123,456"), ("1000000", "1,000,000")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn numbers_of_a_column_stand_below_each_other() {
        let numbers = ["1234567.5", "-2", "", "0.125"].map(String::from).into();
        assert_eq!(aligned(numbers), ["1,234,567.500", "-2.000", "", "0.125"]);
        assert_eq!(aligned(vec!["1000".into()]), ["1,000"]);
    }

    #[test]
    fn fractions_are_told_as_percentages() {
        let fraction = |text: &str| Decimal { value: text.into() };
        assert_eq!(percent(Some(&fraction("0.0731"))), "7.31 %");
        assert_eq!(percent(None), "");
        for (change, told) in [("0.25", "+25.00 %"), ("-1", "-100.00 %"), ("0", "0.00 %")] {
            assert_eq!(signed_percent(Some(&fraction(change))), told);
        }
        assert_eq!(signed_percent(None), "");
    }

    #[test]
    fn defaults_are_printed() {
        let value =
            to_value("puente.sales.v1.SummarizeResponse", &SummarizeResponse::default()).unwrap();
        assert_eq!(value, serde_json::json!({"rows": []}));
    }
}
