//! Real files kept outside the repository, read by the rules in `data/README.md`.
//!
//! Enters: a folder. Leaves: the same [`Input`] as the built-in data give.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use flate2::read::MultiGzDecoder;
use jiff::civil::{Date, date};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::expected::{Expected, Sums};
use super::input::{self, Companies, Input};
use super::sales::{HEADER, SalesFile};
use crate::proto::puente::sales::v1::Dimension;

const LISTINGS: &str = include_str!("../../../data/listings.csv");
/// The table that `init` loads.
const BUILTIN_NCM: &str = include_str!("../../../data/reference/ncm.csv");
/// What the real nomenclature lacks and the listings need.
const ADDED_CHAPTER: &str = "19";

const SELLERS: &str = "sellers/rns_sample.mapped.csv";
const WINES: &str = "catalog/xwines.mapped.csv";
const LINES: &str = "sales/online_retail_2010-12.mapped.csv.gz";
const TOTALS: &str = "sales/online_retail_2010-12.expected.json";
const NOMENCLATURE: &str = "reference/ncm_ch01-24_dev.json";

/// A nomenclature to load whole.
pub struct Nomenclature {
    /// The file, as Siscomex publishes it.
    pub path: PathBuf,
    /// Rows to add to it, in the format of the code tables.
    pub added: String,
}

/// Everything in `folder`; `today` is the day of the run.
pub fn read(folder: &Path, today: Date) -> anyhow::Result<Input> {
    let companies = sellers(&folder.join(SELLERS))?;
    let lines = lines(&folder.join(LINES))?;
    let offers = offers(&folder.join(WINES), today)?;
    let expected = expected(&folder.join(TOTALS), &lines)?;
    let nomenclature = folder.join(NOMENCLATURE);
    ensure!(nomenclature.exists(), "{}: is missing", nomenclature.display());

    let (report, first_prices) = sales_file(&lines, &offers)?;
    let mut exporters = String::from("cuit,legal_name,size_class,province,status,valid_from\n");
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for one in &companies {
        let Company { cuit, legal_name, province } = one;
        writer.write_record([cuit, legal_name, "MICRO", province, "ELIGIBLE", "2010-01-01"])?;
    }
    exporters.push_str(&String::from_utf8(writer.into_inner()?)?);

    let eligible = companies.first().context("no company")?.cuit.clone();
    Ok(Input {
        name: "real files",
        said: vec![
            format!(
                "{} companies are real. Their register does not say who exports, nor how large a \
                 company is: for the sake of this run each is taken as eligible from 2010-01-01 \
                 and as MICRO. None of them sold what follows.",
                companies.len()
            ),
            format!(
                "{} listings: real Argentine wines first, then our own examples of other goods; \
                 certificates are examples.",
                offers.len()
            ),
            format!(
                "{} sale lines are real: December 2010 of a retailer (UCI Online Retail, D. Chen, \
                 2015, CC BY 4.0). Its articles are dealt over the listings in the order in which \
                 they first appear; its times are read as UTC.",
                super::screen::grouped(lines.len())
            ),
            "Lines at price zero are sales; the retailer's own bookings of stock are adjustments."
                .into(),
        ],
        exporters,
        listings: listings_file(&offers, &companies, &first_prices)?,
        customs: None,
        reports: vec![report],
        nomenclature: Some(Nomenclature { path: nomenclature, added: added_rows() }),
        companies: Companies {
            malformed: input::misprinted(&eligible),
            eligible,
            suspended: None,
            unknown: input::unknown(),
        },
        expected,
    })
}

struct Company {
    cuit: String,
    legal_name: String,
    province: String,
}

/// The companies that have a province.
fn sellers(path: &Path) -> anyhow::Result<Vec<Company>> {
    #[derive(Deserialize)]
    struct Row {
        cuit: String,
        legal_name: String,
        iso3166_2: String,
    }
    let rows: Vec<Row> = rows(path)?;
    Ok(rows
        .into_iter()
        .filter(|row| !row.iso3166_2.is_empty())
        .map(|row| Company { cuit: row.cuit, legal_name: row.legal_name, province: row.iso3166_2 })
        .collect())
}

/// What is offered.
struct Offer {
    sku: String,
    title: String,
    ncm: String,
    statistical_unit: String,
    statistical_factor: String,
    certificates: String,
    producer: String,
    origin: String,
}

fn offers(wines: &Path, today: Date) -> anyhow::Result<Vec<Offer>> {
    #[derive(Deserialize)]
    struct Wine {
        source_id: String,
        title: String,
        producer: String,
        country_iso2: String,
        wine_type: String,
    }
    #[derive(Deserialize)]
    struct Own {
        sku: String,
        title: String,
        ncm: String,
        statistical_unit: String,
        statistical_factor: String,
        certificates: String,
        producer: String,
        origin: String,
    }
    // Of the example certificates of a wine.
    let until = format!("{}-12-28", today.year() + 1);
    let wines = rows::<Wine>(wines)?.into_iter().filter(|wine| wine.country_iso2 == "AR");
    let wines = wines.enumerate().map(|(at, wine)| Offer {
        sku: format!("XW-{}", wine.source_id),
        title: wine.title,
        ncm: if wine.wine_type == "Sparkling" { "2204.10.90" } else { "2204.21.00" }.into(),
        statistical_unit: "LTR".into(),
        statistical_factor: "0.75".into(),
        certificates: format!("INV:EJEMPLO-{:04}:{until}", at + 1),
        producer: wine.producer,
        origin: "AR".into(),
    });
    let fresh = input::fresh(LISTINGS, today)?;
    let mut reader = csv::Reader::from_reader(fresh.as_bytes());
    let own: Vec<Own> = reader.deserialize().collect::<Result<_, _>>()?;
    let own = own.into_iter().filter(|own| !own.ncm.starts_with("2204")).map(|own| Offer {
        sku: own.sku,
        title: own.title,
        ncm: own.ncm,
        statistical_unit: own.statistical_unit,
        statistical_factor: own.statistical_factor,
        certificates: own.certificates,
        producer: own.producer,
        origin: own.origin,
    });
    Ok(wines.chain(own).collect())
}

fn listings_file(
    offers: &[Offer],
    companies: &[Company],
    prices: &HashMap<&str, Decimal>,
) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "sku",
        "seller_cuit",
        "title",
        "ncm",
        "channel",
        "unit",
        "statistical_unit",
        "statistical_factor",
        "price",
        "currency",
        "certificates",
        "destination",
        "producer",
        "origin",
    ])?;
    ensure!(companies.len() >= offers.len(), "there are fewer companies than listings");
    for (at, (offer, seller)) in offers.iter().zip(companies).enumerate() {
        let channel = if at.is_multiple_of(2) { "OFFICIAL_STORE" } else { "SELLER_STORE" };
        let price = prices.get(offer.sku.as_str()).context("a listing that sold nothing")?;
        writer.write_record([
            &offer.sku,
            &seller.cuit,
            &offer.title,
            &offer.ncm,
            channel,
            "C62",
            &offer.statistical_unit,
            &offer.statistical_factor,
            &price.to_string(),
            "GBP",
            &offer.certificates,
            "CN",
            &offer.producer,
            &offer.origin,
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

#[derive(Deserialize)]
struct Line {
    src_file: String,
    src_line: u32,
    order_id: String,
    line_kind: String,
    sku: String,
    quantity: i64,
    unit_price: Decimal,
    currency: String,
    sold_at_local: String,
    buyer_country_iso2: String,
    buyer_country_source: String,
}

fn lines(path: &Path) -> anyhow::Result<Vec<Line>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let text = MultiGzDecoder::new(BufReader::new(file));
    let mut reader = csv::Reader::from_reader(text);
    let lines = reader.deserialize().collect::<Result<_, _>>();
    lines.with_context(|| path.display().to_string())
}

/// The file of the one report, and the price of the first line that sold each sku.
fn sales_file<'o>(
    lines: &[Line],
    offers: &'o [Offer],
) -> anyhow::Result<(SalesFile, HashMap<&'o str, Decimal>)> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut prices = HashMap::new();
    let mut text = HEADER.to_owned();
    for line in lines {
        let next = places.len();
        let place = *places.entry(&line.sku).or_insert(next);
        let sku = offers[place % offers.len()].sku.as_str();
        let (kind, quantity) = match line.line_kind.as_str() {
            "SALE" | "ZERO_PRICE" => ("SALE", line.quantity),
            "CANCELLATION" => ("CANCELLATION", -line.quantity),
            "STOCK_ADJUSTMENT" | "LEDGER_ADJUSTMENT" => ("ADJUSTMENT", line.quantity),
            other => bail!("{} line {}: kind {other}", line.src_file, line.src_line),
        };
        if kind == "SALE" {
            prices.entry(sku).or_insert(line.unit_price);
        }
        let file = line.src_file.trim_end_matches(".csv");
        text.push_str(&format!(
            "{file}-{:05},{},{kind},,{sku},{quantity},{},{},{}Z,{}\n",
            line.src_line,
            line.order_id,
            line.unit_price,
            line.currency,
            line.sold_at_local,
            line.buyer_country_iso2
        ));
    }
    let (first, last) = (date(2010, 12, 1), date(2010, 12, 31));
    Ok((SalesFile { first, last, lines: lines.len(), text }, prices))
}

/// The totals that came with the lines.
fn expected(path: &Path, lines: &[Line]) -> anyhow::Result<Expected> {
    #[derive(Deserialize)]
    #[allow(non_snake_case, reason = "the file's own names")]
    struct Totals {
        lines: i64,
        lines_by_kind: BTreeMap<String, i64>,
        amount_by_kind_GBP: BTreeMap<String, Decimal>,
        net_amount_GBP: Decimal,
        net_by_country_GBP: BTreeMap<String, Decimal>,
    }
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let totals: Totals = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let sums = |kinds: &[&str]| Sums {
        lines: Some(kinds.iter().filter_map(|kind| totals.lines_by_kind.get(*kind)).sum()),
        quantity: None,
        amount: kinds.iter().filter_map(|kind| totals.amount_by_kind_GBP.get(*kind)).sum(),
    };
    let by_kind = BTreeMap::from([
        ("SALE".to_owned(), sums(&["SALE", "ZERO_PRICE"])),
        ("CANCELLATION".to_owned(), sums(&["CANCELLATION"])),
        ("ADJUSTMENT".to_owned(), sums(&["STOCK_ADJUSTMENT", "LEDGER_ADJUSTMENT"])),
    ]);
    // The totals name countries as the source does; the lines say which codes those are.
    let codes: HashMap<&str, &str> = lines
        .iter()
        .map(|line| (line.buyer_country_source.as_str(), line.buyer_country_iso2.as_str()))
        .collect();
    let mut by_country: BTreeMap<String, Sums> = BTreeMap::new();
    for (country, amount) in &totals.net_by_country_GBP {
        let code = codes.get(country.as_str()).with_context(|| format!("no line of {country}"))?;
        by_country.entry((*code).to_owned()).or_default().amount += amount;
    }
    let net = Sums { lines: Some(totals.lines), quantity: None, amount: totals.net_amount_GBP };
    let by_month = BTreeMap::from([("2010-12".to_owned(), net.clone())]);
    Ok(Expected {
        net,
        by: vec![
            (Dimension::Kind, by_kind),
            (Dimension::Month, by_month),
            (Dimension::Destination, by_country),
        ],
        ..Expected::default()
    })
}

/// The rows of our own table that the real nomenclature lacks.
fn added_rows() -> String {
    let mut lines = BUILTIN_NCM.split_inclusive('\n');
    let header = lines.next().unwrap_or_default().to_owned();
    lines.filter(|line| line.starts_with(ADDED_CHAPTER)).fold(header, |text, line| text + line)
}

fn rows<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<Vec<T>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| path.display().to_string())?;
    let rows = reader.deserialize().collect::<Result<_, _>>();
    rows.with_context(|| path.display().to_string())
}
