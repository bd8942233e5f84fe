//! Example goods: an exporter, a listing, sale lines, periods.

use puente::proto::google::r#type::{Date, Decimal};
use puente::proto::puente::common::v1::{EligibilityStatus, Period, SizeClass};
use puente::proto::puente::customs::v1::{Declaration, DeclarationItem, Incoterm, ItemShipment};
use puente::proto::puente::listings::v1::{Certificate, CertificateIssuer, Channel, Listing};
use puente::proto::puente::registry::v1::sync_exporters_request::Part;
use puente::proto::puente::registry::v1::{
    EligibilityFact, ExporterRow, SyncExportersChunk, SyncExportersHeader, SyncExportersRequest,
    SyncMode,
};
use puente::proto::puente::sales::v1::{LineKind, SaleLine, SaleLineBatch};

/// A CUIT with a right check digit that the demo's rule for examples makes.
pub const CUIT: &str = "30880000027";

pub fn date(year: i32, month: i32, day: i32) -> Date {
    Date { year, month, day }
}

pub fn decimal(value: &str) -> Decimal {
    Decimal { value: value.to_owned() }
}

/// All days of November 2026.
pub fn period() -> Period {
    Period { first: Some(date(2026, 11, 1)), last: Some(date(2026, 11, 30)) }
}

/// A delta of exporters, all eligible since 2020 for any goods.
pub fn exporters(request_id: String, cuits: &[&str]) -> Vec<SyncExportersRequest> {
    let header =
        SyncExportersHeader { request_id, mode: SyncMode::Delta.into(), validate_only: false };
    let rows = cuits.iter().zip(2..).map(|(cuit, row)| ExporterRow {
        row,
        cuit: (*cuit).to_owned(),
        legal_name: "Bodega de ejemplo".into(),
        size_class: SizeClass::Small.into(),
        province: "AR-M".into(),
        fact: Some(EligibilityFact {
            status: EligibilityStatus::Eligible.into(),
            valid_from: Some(date(2020, 1, 1)),
            ..EligibilityFact::default()
        }),
    });
    [Part::Header(header), Part::Chunk(SyncExportersChunk { rows: rows.collect() })]
        .into_iter()
        .map(|part| SyncExportersRequest { part: Some(part) })
        .collect()
}

/// A bottle of wine with the certificate that wine needs.
pub fn listing(sku: &str) -> Listing {
    Listing {
        sku: sku.to_owned(),
        seller_cuit: CUIT.into(),
        title: "Malbec de ejemplo, 750 ml".into(),
        ncm: "2204.21.00".into(),
        channel: Channel::OfficialStore.into(),
        unit: "C62".into(),
        statistical_unit: "LTR".into(),
        statistical_factor: Some(decimal("0.75")),
        price: Some(decimal("18.50")),
        currency: "USD".into(),
        certificates: vec![Certificate {
            issuer: CertificateIssuer::Inv.into(),
            number: "EJEMPLO-0001".into(),
            valid_to: Some(date(2099, 1, 1)),
        }],
        ..Listing::default()
    }
}

/// A declaration of these articles, 100 litres of each, the first as item 1.
pub fn declaration(number: &str, skus: &[&str]) -> Declaration {
    let items = skus.iter().zip(1..).map(|(sku, item)| DeclarationItem {
        item,
        sku: (*sku).to_owned(),
        ncm: "2204.21.00".into(),
        declared_quantity: Some(decimal("100")),
        statistical_unit: "LTR".into(),
        fob: Some(decimal("1200.50")),
        currency: "USD".into(),
        ..DeclarationItem::default()
    });
    Declaration {
        number: number.to_owned(),
        exporter_cuit: CUIT.into(),
        declarant_cuit: "33693450239".into(),
        incoterm: Incoterm::Fob.into(),
        destination: "CN".into(),
        officialised_on: Some(date(2026, 2, 1)),
        items: items.collect(),
        ..Declaration::default()
    }
}

/// Goods of an item that left on a day of March 2026.
pub fn shipment(item: i32, quantity: &str, day: i32) -> ItemShipment {
    ItemShipment {
        item,
        quantity: Some(decimal(quantity)),
        shipped_on: Some(date(2026, 3, day)),
        ..ItemShipment::default()
    }
}

/// The n-th sale: one bottle and n hundredths of a dollar, so that any line lost or doubled shows
/// in the totals.
pub fn sale(n: u64) -> SaleLine {
    SaleLine {
        line_id: format!("L-{n:07}"),
        order_id: format!("O-{:06}", n / 2),
        kind: LineKind::Sale.into(),
        sku: "MALBEC".into(),
        quantity: "1".into(),
        unit_price: format!("{}.{:02}", n / 100, n % 100),
        currency: "USD".into(),
        sold_at: "2026-11-11T00:00:03+08:00".into(),
        destination: "CN".into(),
        ..SaleLine::default()
    }
}

/// A batch of the sales `from..to` under a fresh id.
pub fn batch(from: u64, to: u64) -> SaleLineBatch {
    SaleLineBatch {
        request_id: puente::clock::Env::system().ids.uuid().to_string(),
        first_line: from as i64,
        lines: (from..to).map(sale).collect(),
    }
}

/// What the sales `0..count` sum up to, as the API writes decimals.
pub fn amount(count: u64) -> rust_decimal::Decimal {
    let cents = count * count.saturating_sub(1) / 2;
    rust_decimal::Decimal::new(cents as i64, 2)
}
