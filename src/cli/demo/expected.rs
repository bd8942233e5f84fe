//! What a run must find, computed by other code than ours.
//!
//! Enters: `data/expected.json`, or the totals that come with real files. Leaves: sums by what
//! they are summed by, and how each listing did.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::proto::puente::sales::v1::Dimension;

const BUILTIN: &str = include_str!("../../../data/expected.json");

/// What must come out.
#[derive(Default)]
pub struct Expected {
    /// Everything, net.
    pub net: Sums,
    /// By the values of a dimension.
    pub by: Vec<(Dimension, BTreeMap<String, Sums>)>,
    /// How each sku did, where that is known.
    pub by_sku: BTreeMap<String, Measures>,
    /// The ten best by each measure, and how many of them are wines, where that is known.
    pub top: BTreeMap<String, Top>,
    /// Lines, and distinct pairs of order and listing, of each report, where that is known.
    pub reports: Vec<ReportSums>,
}

/// Net sums; what is not known is not checked.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Sums {
    /// How many lines.
    pub lines: Option<i64>,
    /// How much of the goods.
    pub quantity: Option<Decimal>,
    /// How much money.
    pub amount: Decimal,
}

/// How one listing did.
#[derive(Debug, Deserialize)]
pub struct Measures {
    /// Net money.
    pub amount: Decimal,
    /// Net quantity.
    pub quantity: Decimal,
    /// Distinct orders.
    pub orders: Decimal,
}

/// A ranking.
#[derive(Debug, Deserialize)]
pub struct Top {
    /// Best first, equal ones by sku.
    pub rows: Vec<TopRow>,
    /// How many are wines.
    pub wines: i64,
}

/// One place of a ranking.
#[derive(Debug, Deserialize)]
pub struct TopRow {
    /// The listing's sku.
    pub sku: String,
    /// By what it is ranked.
    pub value: Decimal,
}

/// What a report must hold.
#[derive(Debug, Deserialize)]
pub struct ReportSums {
    /// Its first day.
    pub first: String,
    /// Stored lines.
    pub lines: i64,
    /// Distinct pairs of order and listing.
    pub orders: i64,
}

#[derive(Deserialize)]
struct Builtin {
    net: Sums,
    by_kind: BTreeMap<String, Sums>,
    by_month: BTreeMap<String, Sums>,
    by_ncm_chapter: BTreeMap<String, Sums>,
    by_seller_province: BTreeMap<String, Sums>,
    by_channel: BTreeMap<String, Sums>,
    by_destination: BTreeMap<String, Sums>,
    top: BTreeMap<String, Top>,
    by_sku: BTreeMap<String, Measures>,
    reports: Vec<ReportSums>,
}

impl Expected {
    /// What the built-in data must come to.
    pub fn builtin() -> anyhow::Result<Self> {
        let read: Builtin = serde_json::from_str(BUILTIN).context("data/expected.json")?;
        Ok(Self {
            net: read.net,
            by: vec![
                (Dimension::Kind, read.by_kind),
                (Dimension::Month, read.by_month),
                (Dimension::NcmChapter, read.by_ncm_chapter),
                (Dimension::Province, read.by_seller_province),
                (Dimension::Channel, read.by_channel),
                (Dimension::Destination, read.by_destination),
            ],
            by_sku: read.by_sku,
            top: read.top,
            reports: read.reports,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_by_each_dimension_add_up_to_the_net() {
        let expected = Expected::builtin().unwrap();
        for (dimension, sums) in &expected.by {
            let lines: i64 = sums.values().map(|sums| sums.lines.unwrap()).sum();
            let amount: Decimal = sums.values().map(|sums| sums.amount).sum();
            assert_eq!(Some(lines), expected.net.lines, "{dimension:?}");
            assert_eq!(amount, expected.net.amount, "{dimension:?}");
        }
        assert_eq!(expected.reports.iter().map(|r| r.lines).sum::<i64>(), 10_247);
    }
}
