//! Under which name a line counts: its own, or that of the sale it takes back.
//!
//! Enters: conditions on stored lines. Leaves: what they add to what was sold of which listing under
//! which name.

use std::collections::BTreeMap;
use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures_util::TryStreamExt;
use rust_decimal::Decimal;
use tokio_postgres::Row;

use super::fault::Fault;
use super::values::{Param, parsed, query};
use crate::domain::decimal::{Quantity, Totals, exact_sum};
use crate::domain::listing::listing_key;
use crate::domain::partner::PartnerId;
use crate::domain::reconciliation::Named;
use crate::domain::sale::SaleKind;

/// A line that counts: what it adds to what was sold of which listing, and under which name.
pub struct Counted {
    /// Key of the listing, also of one that does not exist yet.
    pub listing: String,
    /// Units of the listing, below zero for what comes back.
    pub quantity: Decimal,
    /// The name.
    pub named: Named,
}

/// What was sold less what came back by listing and name; here what a transaction adds.
#[derive(Default)]
pub struct Nets(BTreeMap<(String, Named), Decimal>);

impl Nets {
    /// Counts a quantity under a name.
    pub fn add(&mut self, listing: &str, named: Named, quantity: Decimal) -> Result<(), Fault> {
        let sum = self.0.entry((listing.to_owned(), named)).or_default();
        *sum = exact_sum(*sum, quantity)?;
        Ok(())
    }

    /// Counts a line that was stored, or is there no more.
    pub fn line(&mut self, line: &Counted, there: bool) -> Result<(), Fault> {
        let quantity = if there { line.quantity } else { -line.quantity };
        self.add(&line.listing, line.named, quantity)
    }

    /// Writes what is added.
    pub async fn write(&self, client: &impl GenericClient) -> Result<(), Fault> {
        let added: Vec<_> = self.0.iter().filter(|(_, sum)| !sum.is_zero()).collect();
        if added.is_empty() {
            return Ok(());
        }
        let listings: Vec<&str> = added.iter().map(|((listing, _), _)| listing.as_str()).collect();
        let names: Vec<String> = added.iter().map(|((_, named), _)| named.to_string()).collect();
        let sql = "SELECT n.quantity FROM unnest($1::text[], $2::text[]) WITH ORDINALITY \
                   AS a (listing, name, place) LEFT JOIN net_sold n ON n.listing = a.listing \
                   AND n.name = a.name ORDER BY a.place";
        let held = query(client, sql, &[&listings, &names]).await?;
        let mut sums = Vec::with_capacity(added.len());
        for (row, (_, sum)) in held.iter().zip(added) {
            let held = match row.try_get::<_, Option<&str>>(0)? {
                Some(held) => super::values::parsed_text::<Decimal>(held)?,
                None => Decimal::ZERO,
            };
            sums.push(exact_sum(held, *sum)?.to_string());
        }
        let sql = "INSERT INTO net_sold (listing, name, quantity) SELECT * FROM \
                   unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT (listing, name) \
                   DO UPDATE SET quantity = excluded.quantity";
        super::values::execute(client, sql, &[&listings, &names, &sums]).await
    }
}

/// The name that a line has of its own: what it was matched to by hand, else what it says.
const OWN: &str = "COALESCE((SELECT m.name FROM line_rematches m \
    WHERE m.line_seq = ?.line_seq ORDER BY m.entry_index DESC LIMIT 1), CASE \
    WHEN ?.declaration IS NULL THEN '' WHEN ?.declaration_item IS NULL THEN ?.declaration \
    ELSE ?.declaration || '/' || lpad(?.declaration_item::text, \
    GREATEST(4, length(?.declaration_item::text)), '0') END)";

const STANDING: &str = "NOT EXISTS (SELECT 1 FROM sales_reports r \
    WHERE r.key = ?.report AND r.state = 'ABANDONED')";

/// Lines that exceed their sale do not count until they are explained.
const IN_NET: &str = "(s.verdict NOT LIKE '%EXCEEDS_ORIGINAL%' OR EXISTS \
    (SELECT 1 FROM line_explanations e WHERE e.line_seq = s.line_seq))";

/// Hands over all lines that count and meet `condition` on `s`, with the names they count under.
pub async fn each(
    client: &impl GenericClient,
    condition: &str,
    values: &[Param<'_>],
    mut take: impl FnMut(Counted) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let sql = format!(
        "SELECT s.marketplace, s.listing, s.sku, s.kind, s.quantity, {own}, o.listing, o.sku, \
         o.quantity, CASE WHEN o.line_seq IS NOT NULL THEN {originals} END FROM sale_lines s \
         LEFT JOIN line_identity i ON i.marketplace = s.marketplace \
         AND i.line_id = s.original_line_id \
         LEFT JOIN sale_lines o ON o.line_seq = i.line_seq AND o.day = i.day \
         AND o.kind = 'SALE' AND {sale_stands} \
         WHERE {condition} AND {stands} AND {IN_NET}",
        own = OWN.replace('?', "s"),
        originals = OWN.replace('?', "o"),
        sale_stands = STANDING.replace('?', "o"),
        stands = STANDING.replace('?', "s"),
    );
    let statement = client.prepare_cached(&sql).await?;
    let mut rows = pin!(client.query_raw(&statement, values.iter().copied()).await?);
    while let Some(row) = rows.try_next().await? {
        take(counted(&row)?)?;
    }
    Ok(())
}

fn counted(row: &Row) -> Result<Counted, Fault> {
    let marketplace: PartnerId = parsed(row, 0)?;
    let listing = |at: usize| -> Result<String, Fault> {
        Ok(goods(&marketplace, row.try_get(at)?, row.try_get(at + 1)?))
    };
    let (kind, quantity): (SaleKind, Quantity) = (parsed(row, 3)?, parsed(row, 4)?);
    let quantity = net_of(kind, quantity);
    let (listing_of_line, own) = (listing(1)?, parsed(row, 5)?);
    let cited: Option<&str> = row.try_get(9)?;
    let named = match cited {
        // A sale of nothing takes nothing with it.
        Some(cited)
            if quantity.is_sign_negative()
                && !parsed::<Quantity>(row, 8)?.is_zero()
                && listing(6)? == listing_of_line =>
        {
            super::values::parsed_text(cited)?
        }
        Some(_) | None => own,
    };
    Ok(Counted { listing: listing_of_line, quantity, named })
}

fn net_of(kind: SaleKind, quantity: Quantity) -> Decimal {
    kind.net(Totals { quantity: quantity.value(), ..Totals::default() }).quantity
}

/// The key of a line's listing, which follows from the article also while no listing has it.
pub fn goods(marketplace: &PartnerId, listing: Option<&str>, sku: &str) -> String {
    match listing {
        Some(key) => key.to_owned(),
        None => listing_key(marketplace, sku),
    }
}

/// The sums as all lines that count add up to.
async fn anew(client: &impl GenericClient) -> Result<Nets, Fault> {
    let mut sums = Nets::default();
    each(client, "TRUE", &[], |line| sums.line(&line, true)).await?;
    Ok(sums)
}

/// Sums that are not what the lines add up to: which, as kept, as the lines say.
pub async fn differences(
    client: &impl GenericClient,
) -> Result<Vec<(String, String, String)>, Fault> {
    let Nets(mut lines) = anew(client).await?;
    let mut found = Vec::new();
    let row_of = |listing: &str, named: Named| format!("{listing} {named}").trim_end().to_owned();
    for row in query(client, "SELECT listing, name, quantity FROM net_sold", &[]).await? {
        let key = (row.try_get::<_, String>(0)?, parsed::<Named>(&row, 1)?);
        let kept: Decimal = parsed(&row, 2)?;
        let sum = lines.remove(&key).unwrap_or_default();
        if kept != sum {
            found.push((row_of(&key.0, key.1), kept.to_string(), sum.to_string()));
        }
    }
    for ((listing, named), sum) in lines {
        if !sum.is_zero() {
            found.push((row_of(&listing, named), String::new(), sum.to_string()));
        }
    }
    Ok(found)
}
