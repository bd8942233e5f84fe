//! Currencies of ISO 4217.
//!
//! Enters: three letters. Leaves: a [`Currency`] in use, with its minor units. It knows no rates:
//! nothing here converts.

use std::fmt;
use std::str::FromStr;

use super::fault::Fault;
use super::wording::quoted;

/// A currency in use; printed as its three letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(&'static Row);

type Row = (&'static str, Option<u8>);

impl Currency {
    /// The three letters.
    pub fn as_str(self) -> &'static str {
        self.0.0
    }

    /// How many decimals its smallest coin or booking unit has; `None` where it has no such unit
    /// (gold, drawing rights). Amounts may have more decimals than this.
    pub fn minor_units(self) -> Option<u8> {
        self.0.1
    }

    /// All of them, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match TABLE.binary_search_by(|row| row.0.cmp(text)) {
            Ok(place) => Ok(Self(&TABLE[place])),
            Err(_) => Err(Fault::malformed(
                "INVALID_CURRENCY",
                format!(
                    "{} is not a currency of ISO 4217 in use; give its three capital letters, as \
                     CNY, USD or ARS",
                    quoted(text)
                ),
            )),
        }
    }
}

serde_as_text!(Currency);

const fn row(code: &'static str, minor_units: u8) -> Row {
    (code, Some(minor_units))
}

const fn unitless(code: &'static str) -> Row {
    (code, None)
}

/// ISO 4217 as of 2026-01-01, by code; without XXX (no currency) and XTS (for tests).
#[rustfmt::skip]
static TABLE: &[Row] = &[
    row("AED", 2), row("AFN", 2), row("ALL", 2), row("AMD", 2), row("AOA", 2), row("ARS", 2),
    row("AUD", 2), row("AWG", 2), row("AZN", 2), row("BAM", 2), row("BBD", 2), row("BDT", 2),
    row("BHD", 3), row("BIF", 0), row("BMD", 2), row("BND", 2), row("BOB", 2), row("BOV", 2),
    row("BRL", 2), row("BSD", 2), row("BTN", 2), row("BWP", 2), row("BYN", 2), row("BZD", 2),
    row("CAD", 2), row("CDF", 2), row("CHE", 2), row("CHF", 2), row("CHW", 2), row("CLF", 4),
    row("CLP", 0), row("CNY", 2), row("COP", 2), row("COU", 2), row("CRC", 2), row("CUP", 2),
    row("CVE", 2), row("CZK", 2), row("DJF", 0), row("DKK", 2), row("DOP", 2), row("DZD", 2),
    row("EGP", 2), row("ERN", 2), row("ETB", 2), row("EUR", 2), row("FJD", 2), row("FKP", 2),
    row("GBP", 2), row("GEL", 2), row("GHS", 2), row("GIP", 2), row("GMD", 2), row("GNF", 0),
    row("GTQ", 2), row("GYD", 2), row("HKD", 2), row("HNL", 2), row("HTG", 2), row("HUF", 2),
    row("IDR", 2), row("ILS", 2), row("INR", 2), row("IQD", 3), row("IRR", 2), row("ISK", 0),
    row("JMD", 2), row("JOD", 3), row("JPY", 0), row("KES", 2), row("KGS", 2), row("KHR", 2),
    row("KMF", 0), row("KPW", 2), row("KRW", 0), row("KWD", 3), row("KYD", 2), row("KZT", 2),
    row("LAK", 2), row("LBP", 2), row("LKR", 2), row("LRD", 2), row("LSL", 2), row("LYD", 3),
    row("MAD", 2), row("MDL", 2), row("MGA", 2), row("MKD", 2), row("MMK", 2), row("MNT", 2),
    row("MOP", 2), row("MRU", 2), row("MUR", 2), row("MVR", 2), row("MWK", 2), row("MXN", 2),
    row("MXV", 2), row("MYR", 2), row("MZN", 2), row("NAD", 2), row("NGN", 2), row("NIO", 2),
    row("NOK", 2), row("NPR", 2), row("NZD", 2), row("OMR", 3), row("PAB", 2), row("PEN", 2),
    row("PGK", 2), row("PHP", 2), row("PKR", 2), row("PLN", 2), row("PYG", 0), row("QAR", 2),
    row("RON", 2), row("RSD", 2), row("RUB", 2), row("RWF", 0), row("SAR", 2), row("SBD", 2),
    row("SCR", 2), row("SDG", 2), row("SEK", 2), row("SGD", 2), row("SHP", 2), row("SLE", 2),
    row("SOS", 2), row("SRD", 2), row("SSP", 2), row("STN", 2), row("SVC", 2), row("SYP", 2),
    row("SZL", 2), row("THB", 2), row("TJS", 2), row("TMT", 2), row("TND", 3), row("TOP", 2),
    row("TRY", 2), row("TTD", 2), row("TWD", 2), row("TZS", 2), row("UAH", 2), row("UGX", 0),
    row("USD", 2), row("USN", 2), row("UYI", 0), row("UYU", 2), row("UYW", 4), row("UZS", 2),
    row("VED", 2), row("VES", 2), row("VND", 0), row("VUV", 0), row("WST", 2), row("XAD", 2),
    row("XAF", 0), unitless("XAG"), unitless("XAU"), unitless("XBA"), unitless("XBB"),
    unitless("XBC"), unitless("XBD"), row("XCD", 2), row("XCG", 2), unitless("XDR"),
    row("XOF", 0), unitless("XPD"), row("XPF", 0), unitless("XPT"), unitless("XSU"),
    unitless("XUA"), row("YER", 2), row("ZAR", 2), row("ZMW", 2), row("ZWG", 2),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_parses_to_itself_and_the_table_is_in_order() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        for currency in Currency::all() {
            assert_eq!(currency.to_string().parse::<Currency>().unwrap(), currency);
            assert!(currency.as_str().len() == 3);
        }
    }

    #[test]
    fn minor_units_are_the_standards() {
        for (code, units) in [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("ARS", 2)] {
            assert_eq!(code.parse::<Currency>().unwrap().minor_units(), Some(units), "{code}");
        }
        assert_eq!("XAU".parse::<Currency>().unwrap().minor_units(), None);
    }

    #[test]
    fn what_is_not_in_use_is_refused() {
        for text in ["", "usd", "US", "DEM", "DOL", "XXX", "XTS", "ANG", "BGN", "USD "] {
            assert_eq!(text.parse::<Currency>().unwrap_err().reason, "INVALID_CURRENCY", "{text}");
        }
    }
}
