//! Units of measure, by the codes of UNECE Recommendation 20.
//!
//! Enters: a code of two or three characters. Leaves: a [`Unit`] with its names.

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;
use super::wording::quoted;

/// A unit that goods are sold or counted in; printed as its code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit(&'static Row);

/// Code, name in Spanish, name in English.
type Row = (&'static str, &'static str, &'static str);

impl Unit {
    /// The code.
    pub fn as_str(self) -> &'static str {
        self.0.0
    }

    /// Its name in Spanish.
    pub fn name_es(self) -> &'static str {
        self.0.1
    }

    /// Its name in English.
    pub fn name_en(self) -> &'static str {
        self.0.2
    }

    /// All of them, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Unit {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match TABLE.binary_search_by(|row| row.0.cmp(text)) {
            Ok(place) => Ok(Self(&TABLE[place])),
            Err(_) => Err(Fault::malformed(
                "UNKNOWN_UNIT",
                format!(
                    "{} is not a unit known here; give its code of UNECE Recommendation 20, as C62 \
                     (piece), KGM (kilogram) or LTR (litre); the reference table units has all",
                    quoted(text)
                ),
            )),
        }
    }
}

serde_as_text!(Unit);

/// The units that goods of trade and customs statistics are counted in, by code.
#[rustfmt::skip]
static TABLE: &[Row] = &[
    ("C62", "unidad", "one, piece"),
    ("CEN", "cien", "hundred"),
    ("CLT", "centilitro", "centilitre"),
    ("CMK", "centímetro cuadrado", "square centimetre"),
    ("CMQ", "centímetro cúbico", "cubic centimetre"),
    ("CMT", "centímetro", "centimetre"),
    ("CTM", "quilate métrico", "metric carat"),
    ("DLT", "decilitro", "decilitre"),
    ("DMQ", "decímetro cúbico", "cubic decimetre"),
    ("DTN", "quintal métrico (100 kg)", "decitonne"),
    ("DZN", "docena", "dozen"),
    ("FOT", "pie", "foot"),
    ("GLI", "galón imperial", "gallon (UK)"),
    ("GLL", "galón estadounidense", "gallon (US)"),
    ("GRM", "gramo", "gram"),
    ("GRO", "gruesa", "gross"),
    ("H87", "pieza", "piece"),
    ("HLT", "hectolitro", "hectolitre"),
    ("INH", "pulgada", "inch"),
    ("KGM", "kilogramo", "kilogram"),
    ("KMT", "kilómetro", "kilometre"),
    ("KWH", "kilovatio hora", "kilowatt hour"),
    ("LBR", "libra", "pound"),
    ("LPA", "litro de alcohol puro", "litre of pure alcohol"),
    ("LTR", "litro", "litre"),
    ("MGM", "miligramo", "milligram"),
    ("MIL", "millar", "thousand"),
    ("MLT", "mililitro", "millilitre"),
    ("MMT", "milímetro", "millimetre"),
    ("MTK", "metro cuadrado", "square metre"),
    ("MTQ", "metro cúbico", "cubic metre"),
    ("MTR", "metro", "metre"),
    ("NAR", "cantidad de artículos", "number of articles"),
    ("NPR", "cantidad de pares", "number of pairs"),
    ("ONZ", "onza", "ounce"),
    ("PR", "par", "pair"),
    ("SET", "juego", "set"),
    ("TNE", "tonelada", "tonne"),
    ("YRD", "yarda", "yard"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_parses_to_itself_and_the_table_is_in_order() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        for unit in Unit::all() {
            assert_eq!(unit.to_string().parse::<Unit>().unwrap(), unit);
            assert!(!unit.name_es().is_empty() && !unit.name_en().is_empty());
        }
    }

    #[test]
    fn what_is_no_unit_is_refused() {
        for text in ["", "kg", "KG", "BOX", "c62"] {
            assert_eq!(text.parse::<Unit>().unwrap_err().reason, "UNKNOWN_UNIT", "{text}");
        }
    }
}
