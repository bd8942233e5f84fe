//! The sales that lines take back: what was sold, and how much of it came back.
//!
//! Enters: the sales that the lines of a group cite, read at once, and lines as they are stored.
//! Leaves: what is odd about the sale each cites.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::GenericClient;
use futures_util::future::try_join;
use rust_decimal::Decimal;

use super::fault::Fault;
use super::standing::Standing;
use super::values::{parsed, query};
use crate::change::{LineBatch, LineRow};
use crate::domain::decimal::{Quantity, Totals, UnitPrice};
use crate::domain::sale::{SaleKind, WarningReason};
use crate::store::verdicts::taken_back;

/// The sales that lines cite, by marketplace and line id.
#[derive(Default)]
pub struct Originals(HashMap<(String, String), Cited>);

/// What is known of an id that lines cite.
#[derive(Default)]
struct Cited {
    /// The sale of that id, whether or not its report counts.
    sale: Option<Sale>,
    /// Lines that cite it.
    takers: Vec<Taker>,
    /// What they come to, until anything changes.
    original: Option<Original>,
}

struct Sale {
    report: String,
    quantity: Quantity,
    price: UnitPrice,
    currency: String,
}

struct Taker {
    seq: i64,
    report: String,
    kind: SaleKind,
    quantity: Quantity,
    price: UnitPrice,
    currency: String,
    /// One that exceeds its sale counts once it was explained.
    counts: bool,
}

/// A sale that counts, and what has been taken back of it.
struct Original {
    sold: Quantity,
    paid: Decimal,
    taken: Totals,
}

impl Originals {
    /// Reads the sales that lines of the batches cite, with what took them back so far; answers the
    /// reports of all these that are abandoned.
    pub async fn of(
        client: &impl GenericClient,
        batches: &[&LineBatch],
    ) -> Result<(Self, Vec<String>), Fault> {
        let mut cited: HashSet<(&str, &str)> = HashSet::new();
        for batch in batches {
            let lines = batch.lines().iter().map(|ready| &ready.row.line);
            let ids = lines.filter(|line| line.kind.cites_a_sale());
            let ids = ids.filter_map(|line| line.original_line_id.as_ref());
            cited.extend(ids.map(|id| (batch.marketplace.as_str(), id.as_str())));
        }
        if cited.is_empty() {
            return Ok(Default::default());
        }
        let mut all: HashMap<(String, String), Cited> = cited
            .iter()
            .map(|(marketplace, id)| {
                (((*marketplace).to_owned(), (*id).to_owned()), Cited::default())
            })
            .collect();
        let (marketplaces, ids): (Vec<&str>, Vec<&str>) = cited.into_iter().unzip();
        let sales = "SELECT a.marketplace, a.line_id, s.report, s.quantity, s.unit_price, \
             s.currency, r.key IS NOT NULL FROM unnest($1::text[], $2::text[]) \
             AS a (marketplace, line_id) JOIN line_identity i ON i.marketplace = a.marketplace \
             AND i.line_id = a.line_id JOIN sale_lines s ON s.line_seq = i.line_seq \
             AND s.day = i.day AND s.kind = 'SALE' LEFT JOIN sales_reports r \
             ON r.key = s.report AND r.state = 'ABANDONED'";
        let takers = "SELECT a.marketplace, a.line_id, s.report, s.quantity, s.unit_price, \
             s.currency, r.key IS NOT NULL, s.line_seq, s.kind, \
             s.verdict NOT LIKE '%EXCEEDS_ORIGINAL%' OR e.line_seq IS NOT NULL \
             FROM unnest($1::text[], $2::text[]) AS a (marketplace, line_id) JOIN sale_lines s \
             ON s.marketplace = a.marketplace AND s.original_line_id = a.line_id \
             LEFT JOIN line_explanations e ON e.line_seq = s.line_seq \
             LEFT JOIN sales_reports r ON r.key = s.report AND r.state = 'ABANDONED'";
        let (sales, takers) = try_join(
            query(client, sales, &[&marketplaces, &ids]),
            query(client, takers, &[&marketplaces, &ids]),
        )
        .await?;
        let mut abandoned = Vec::new();
        for (row, is_taker) in
            sales.iter().map(|row| (row, false)).chain(takers.iter().map(|row| (row, true)))
        {
            let report: String = row.try_get(2)?;
            if row.try_get(6)? {
                abandoned.push(report.clone());
            }
            let (quantity, price) = (parsed(row, 3)?, parsed(row, 4)?);
            let currency = row.try_get(5)?;
            let of = all.entry((row.try_get(0)?, row.try_get(1)?)).or_default();
            if is_taker {
                let (seq, kind, counts) = (row.try_get(7)?, parsed(row, 8)?, row.try_get(9)?);
                of.takers.push(Taker { seq, report, kind, quantity, price, currency, counts });
            } else {
                of.sale = Some(Sale { report, quantity, price, currency });
            }
        }
        Ok((Self(all), abandoned))
    }

    /// What is odd about the sale a line cites: unknown, in another currency, or exceeded.
    pub fn judge(
        &mut self,
        standing: &Standing,
        batch: &LineBatch,
        row: &LineRow,
    ) -> Result<Option<WarningReason>, Fault> {
        let line = &row.line;
        if !line.kind.cites_a_sale() {
            return Ok(None);
        }
        let Some(id) = &line.original_line_id else {
            return Ok(Some(WarningReason::UnknownOriginal));
        };
        let key = (batch.marketplace.to_string(), id.to_string());
        let Some(Cited { sale: Some(sale), takers, original }) = self.0.get_mut(&key) else {
            return Ok(Some(WarningReason::UnknownOriginal));
        };
        if standing.is_abandoned(&sale.report) {
            return Ok(Some(WarningReason::UnknownOriginal));
        }
        let original = match original {
            Some(known) => known,
            empty => empty.insert(Original::of(standing, sale, takers)?),
        };
        let taken = original.taken.plus(taken_back(line.kind, line.quantity, line.unit_price))?;
        // Only by what the line itself takes: one that was explained may have gone beyond.
        let exceeds = (taken.quantity > original.sold.value()
            && taken.quantity > original.taken.quantity)
            || (taken.amount > original.paid && taken.amount > original.taken.amount);
        if exceeds || sale.currency != line.currency.as_str() {
            return Ok(Some(WarningReason::ExceedsOriginal));
        }
        original.taken = taken;
        Ok(None)
    }

    /// A line that was just judged and is stored.
    pub fn came(&mut self, batch: &LineBatch, row: &LineRow, seq: i64, counts: bool) {
        if self.0.is_empty() {
            return;
        }
        let line = &row.line;
        let (marketplace, report) = (batch.marketplace.to_string(), batch.report.clone());
        let (quantity, price) = (line.quantity, line.unit_price);
        let currency = line.currency.to_string();
        if let Some(of) = self.0.get_mut(&(marketplace.clone(), line.line_id.to_string())) {
            of.original = None;
            of.sale = (line.kind == SaleKind::Sale).then(|| Sale {
                report: report.clone(),
                quantity,
                price,
                currency: currency.clone(),
            });
        }
        let Some(id) = &line.original_line_id else { return };
        if let Some(of) = self.0.get_mut(&(marketplace, id.to_string())) {
            let kind = line.kind;
            of.takers.push(Taker { seq, report, kind, quantity, price, currency, counts });
        }
    }

    /// A line that was explained counts from now on.
    pub fn explained(&mut self, line: i64) {
        for of in self.0.values_mut() {
            if let Some(taker) = of.takers.iter_mut().find(|taker| taker.seq == line) {
                taker.counts = true;
                of.original = None;
            }
        }
    }

    /// Adds up anew what was taken back: the reports that count have changed.
    pub fn forget(&mut self) {
        self.0.values_mut().for_each(|of| of.original = None);
    }
}

impl Original {
    fn of(standing: &Standing, sale: &Sale, takers: &[Taker]) -> Result<Self, Fault> {
        let paid = sale.quantity.times(sale.price)?.value();
        let mut taken = Totals::default();
        for taker in takers {
            if !taker.counts || standing.is_abandoned(&taker.report) {
                continue;
            }
            let mut one = taken_back(taker.kind, taker.quantity, taker.price);
            if taker.currency != sale.currency {
                one.amount = Decimal::ZERO;
            }
            taken = taken.plus(one)?;
        }
        Ok(Self { sold: sale.quantity, paid, taken })
    }
}
