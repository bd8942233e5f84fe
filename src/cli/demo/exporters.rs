//! The demo's example exporters, made by the rule in `data/README.md`.
//!
//! Enters: nothing. Leaves: the exporters file a registry would send. None of them exists: the
//! numbers are taken from 88,000,001 upwards, where nobody is known to be numbered.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

/// How many the demo makes.
pub const COUNT: u32 = 10_000;

const WEIGHTS: [u32; 10] = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2];
const PROVINCES: [(&str, u32); 24] = [
    ("B", 24),
    ("C", 14),
    ("M", 12),
    ("X", 10),
    ("S", 9),
    ("E", 4),
    ("T", 3),
    ("A", 3),
    ("R", 3),
    ("J", 3),
    ("N", 2),
    ("K", 1),
    ("W", 1),
    ("H", 1),
    ("U", 1),
    ("P", 1),
    ("Y", 1),
    ("L", 1),
    ("F", 1),
    ("Q", 1),
    ("D", 1),
    ("Z", 1),
    ("G", 1),
    ("V", 1),
];
const SIZES: [(&str, u32); 5] =
    [("MICRO", 70), ("SMALL", 20), ("MEDIUM_1", 6), ("MEDIUM_2", 3), ("LARGE", 1)];

/// An example exporter, with the words of the exporters file.
pub struct Exporter {
    /// Its place, from 1.
    pub number: u32,
    /// Eleven digits with a right check digit.
    pub cuit: String,
    /// MICRO to LARGE.
    pub size_class: &'static str,
    /// ISO 3166-2, without the country.
    pub province: &'static str,
    /// ELIGIBLE, SUSPENDED or REVOKED.
    pub status: &'static str,
    /// Since when.
    pub valid_from: Date,
    /// Tariff chapters joined by `;`, empty for all.
    pub chapters: &'static str,
}

/// Example exporters in order, without an end.
pub fn exporters() -> impl Iterator<Item = Exporter> {
    (1..).filter_map(cuit).zip(1..).map(|(cuit, number)| exporter(number, cuit))
}

/// The exporters file of the first `count`.
pub fn file(count: u32) -> String {
    let mut text = String::from(
        "cuit,legal_name,size_class,province,status,cause,legal_instrument,valid_from,valid_to,\
         ncm_chapters\n",
    );
    for one in exporters().take(count as usize) {
        let Exporter { number, cuit, size_class, province, status, valid_from, chapters } = one;
        let (cause, instrument) = match status {
            "ELIGIBLE" => ("", String::new()),
            _ => ("Causa de ejemplo", format!("Disposición de ejemplo {number:05}")),
        };
        text.push_str(&format!(
            "{cuit},Exportador de ejemplo {number:05},{size_class},AR-{province},{status},{cause},\
             {instrument},{valid_from},,{chapters}\n"
        ));
    }
    text
}

fn exporter(number: u32, cuit: String) -> Exporter {
    let (t, u) = (number * 7919 % 10_000, number * 6007 % 10_000);
    let status = match u {
        0..60 => "REVOKED",
        60..260 => "SUSPENDED",
        _ => "ELIGIBLE",
    };
    let (first, span) = match status {
        "ELIGIBLE" => (date(2010, 1, 1), 1000),
        _ => (date(2024, 1, 1), 365),
    };
    Exporter {
        number,
        cuit,
        size_class: pick(&SIZES, t / 100),
        province: pick(&PROVINCES, t % 100),
        status,
        valid_from: first.saturating_add(i64::from(number % span).days()),
        chapters: if number % 25 == 7 { "03;20;22" } else { "" },
    }
}

/// The tax number of candidate `c`, if the rule of the check digit gives it one.
fn cuit(c: u32) -> Option<String> {
    let prefix = match c % 20 {
        0..12 => 30,
        12 => 33,
        13..17 => 20,
        _ => 27,
    };
    let ten = format!("{prefix}{}", 88_000_000 + c);
    let sum: u32 = ten.bytes().zip(WEIGHTS).map(|(digit, w)| w * u32::from(digit - b'0')).sum();
    match 11 - sum % 11 {
        10 => None,
        digit => Some(format!("{ten}{}", digit % 11)),
    }
}

/// The entry of a table of weights in which `number` falls.
fn pick(table: &[(&'static str, u32)], mut number: u32) -> &'static str {
    for (name, weight) in table {
        if number < *weight {
            return name;
        }
        number -= weight;
    }
    // The weights of both tables add up to 100, and `number` is below.
    table.last().map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// Of the file that `scripts/data/exporters.py` writes.
    const SHA256: &str = "270ebb3008b53ad2a68d94f07687fc1dcf87ad28ee9ec3da52ab68145528f591";

    #[test]
    fn the_file_is_the_one_that_other_code_makes() {
        let text = file(COUNT);
        assert_eq!(text.lines().count(), 10_001);
        assert_eq!(hex::encode(Sha256::digest(&text)), SHA256);
    }

    #[test]
    fn two_and_a_half_in_a_hundred_are_not_eligible() {
        let count =
            |status| exporters().take(COUNT as usize).filter(|e| e.status == status).count();
        assert_eq!([count("REVOKED"), count("SUSPENDED"), count("ELIGIBLE")], [60, 200, 9_740]);
    }
}
