//! Under which name a line counts: its own, or that of the sale it takes back.
//!
//! Enters: lines as they are stored, and what changes names later: sales that come after what takes
//! them back, sales matched by hand, reports that are abandoned. Leaves: what moves between names,
//! for [`NetSold`]. A line that names nothing and cites nothing is not looked at twice.

use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use rust_decimal::Decimal;

use super::documents::signed;
use super::net_sold::NetSold;
use super::questions::parsed;
use crate::change::{LineBatch, LineRow};
use crate::domain::decimal::{Quantity, Totals};
use crate::domain::listing::listing_key;
use crate::domain::partner::PartnerId;
use crate::domain::reconciliation::{Named, Rematch};
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

/// Names within one transaction.
#[derive(Default)]
pub struct Names {
    /// Whether there are lines that take a sale back and name a declaration of their own; not
    /// looked for yet if none.
    naming_citers: Option<bool>,
}

impl Names {
    /// A line that was just stored, and of which the sums know its cell's part alone. One that
    /// does not count, as it exceeds its sale, changes nothing.
    pub fn came(
        &mut self,
        net: &mut NetSold,
        connection: &Connection,
        batch: &LineBatch,
        row: &LineRow,
        counts: bool,
    ) -> rusqlite::Result<()> {
        let line = &row.line;
        let own = Named::of(line.declaration, line.declaration_item);
        let plain = own == Named::Nothing && line.original_line_id.is_none();
        if plain && (line.kind != SaleKind::Sale || !self.naming_citers(connection)?) {
            return Ok(());
        }
        let listing = row.listing.as_ref().map(|listing| listing.key.as_str());
        let listing = goods(&batch.marketplace, listing, line.sku.as_str());
        let quantity = line.signed().quantity;
        let named = match &line.original_line_id {
            Some(cited) if quantity.is_sign_negative() => {
                let sale = sale(connection, &batch.marketplace, cited.as_str())?;
                sale.filter(|sale| sale.listing == listing).map_or(own, |sale| sale.named)
            }
            Some(_) | None => own,
        };
        if line.original_line_id.is_some() && own != Named::Nothing {
            self.naming_citers = Some(true);
        }
        if counts {
            net.rename(&listing, quantity, Named::Nothing, named)?;
        }
        if line.kind == SaleKind::Sale && !quantity.is_zero() {
            let id = line.line_id.as_str();
            for (citer, own) in citers(connection, &batch.marketplace, id)? {
                if citer.listing == listing {
                    net.rename(&listing, citer.quantity, own, named)?;
                }
            }
        }
        Ok(())
    }

    /// What is known here is read anew.
    pub fn forget(&mut self) {
        self.naming_citers = None;
    }

    fn naming_citers(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        if let Some(known) = self.naming_citers {
            return Ok(known);
        }
        let found = connection
            .prepare_cached(
                "SELECT 1 FROM sale_lines INDEXED BY sale_lines_naming_citers \
                 WHERE declaration IS NOT NULL AND original_line_id IS NOT NULL LIMIT 1",
            )?
            .exists([])?;
        Ok(*self.naming_citers.insert(found))
    }
}

/// Matches a line by hand, with what takes it back. `entry` is the ledger entry that says so.
pub fn rematch(
    net: &mut NetSold,
    connection: &Connection,
    line: u64,
    rematch: &Rematch,
    entry: u64,
) -> rusqlite::Result<()> {
    let line = signed(line);
    let touched = "(s.line_seq = ?1 OR s.line_seq IN (SELECT c.line_seq FROM sale_lines l \
                   JOIN sale_lines c ON c.marketplace = l.marketplace \
                   AND c.original_line_id = l.line_id WHERE l.line_seq = ?1))";
    each(connection, touched, &[&line], |one| net.take(&one))?;
    let (listing, sku, marketplace): (Option<String>, String, String) = connection
        .prepare_cached("SELECT listing, sku, marketplace FROM sale_lines WHERE line_seq = ?1")?
        .query_row([line], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let listing = goods(&known_partner(&marketplace)?, listing.as_deref(), &sku);
    connection
        .prepare_cached(
            "INSERT INTO line_rematches \
             (line_seq, entry_index, name, rematched_by, rematched_at, reason, listing) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            line,
            signed(entry),
            rematch.to.map(|key| key.to_string()),
            rematch.by.as_str(),
            rematch.at.to_string(),
            rematch.reason.as_str(),
            listing,
        ))?;
    each(connection, touched, &[&line], |one| net.add(&one.listing, one.named, one.quantity))
}

/// Counts a line that was just explained.
pub fn explained(net: &mut NetSold, connection: &Connection, line: u64) -> rusqlite::Result<()> {
    let line = signed(line);
    each(connection, "s.line_seq = ?1", &[&line], |one| {
        net.add(&one.listing, one.named, one.quantity)
    })
}

/// Lines of other reports that take back sales of this one: once it is abandoned they count under
/// their own names.
const CITERS_ELSEWHERE: &str = "s.line_seq IN (SELECT c.line_seq FROM sale_lines l \
    CROSS JOIN sale_lines c ON c.marketplace = l.marketplace AND c.original_line_id = l.line_id \
    WHERE l.report = ?1 AND l.kind = 'SALE' AND c.report <> ?1)";

/// Takes out all lines of a report that is about to be abandoned. What was gathered before must be
/// written.
pub fn abandoning(
    net: &mut NetSold,
    connection: &Connection,
    report: &str,
) -> rusqlite::Result<()> {
    // As if none of its lines had a name; then those that have.
    let mut cells = connection.prepare_cached(
        "SELECT g.listing, c.quantity FROM rollup_slices s CROSS JOIN rollup_cells c \
         ON c.cell BETWEEN (s.slice << 32) AND (s.slice << 32 | 4294967295) \
         CROSS JOIN rollup_goods g ON g.goods = c.cell & 4294967295 WHERE s.report = ?1",
    )?;
    let mut rows = cells.query([report])?;
    while let Some(row) = rows.next()? {
        let quantity: Quantity = parsed(row, 1)?;
        net.add(row.get_ref(0)?.as_str()?, Named::Nothing, -quantity.value())?;
    }
    let with_names = "s.report = ?1 AND (s.declaration IS NOT NULL \
                      OR s.original_line_id IS NOT NULL OR s.line_seq IN \
                      (SELECT line_seq FROM line_rematches))";
    each(connection, with_names, &[&report], |one| {
        net.rename(&one.listing, one.quantity, one.named, Named::Nothing)
    })?;
    each(connection, CITERS_ELSEWHERE, &[&report], |one| net.take(&one))
}

/// Puts back what cited sales of a report that was just abandoned.
pub fn abandoned(net: &mut NetSold, connection: &Connection, report: &str) -> rusqlite::Result<()> {
    each(connection, CITERS_ELSEWHERE, &[&report], |one| {
        net.add(&one.listing, one.named, one.quantity)
    })
}

/// The name that a line has of its own: what it was matched to by hand, else what it says.
const OWN: &str = "COALESCE((SELECT m.name FROM line_rematches m \
    WHERE m.line_seq = ?.line_seq ORDER BY m.entry_index DESC LIMIT 1), CASE \
    WHEN ?.declaration IS NULL THEN '' WHEN ?.declaration_item IS NULL THEN ?.declaration \
    ELSE ?.declaration || '/' || printf('%04d', ?.declaration_item) END)";

const STANDING: &str = "?.report NOT IN (SELECT key FROM sales_reports WHERE state = 'ABANDONED')";

/// Lines that exceed their sale do not count until they are explained.
const IN_NET: &str = "(s.verdict NOT LIKE '%EXCEEDS_ORIGINAL%' OR EXISTS \
    (SELECT 1 FROM line_explanations e WHERE e.line_seq = s.line_seq))";

fn own(table: &str) -> String {
    OWN.replace('?', table)
}

fn standing(table: &str) -> String {
    STANDING.replace('?', table)
}

/// Hands over all lines that count and meet `condition` on `s`, with the names they count under.
pub fn each(
    connection: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
    mut take: impl FnMut(Counted) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT s.marketplace, s.listing, s.sku, s.kind, s.quantity, {own}, o.listing, o.sku, \
         o.quantity, CASE WHEN o.line_seq IS NOT NULL THEN {originals} END FROM sale_lines s \
         LEFT JOIN line_identity i ON i.marketplace = s.marketplace \
         AND i.line_id = s.original_line_id \
         LEFT JOIN sale_lines o ON o.line_seq = i.line_seq AND o.kind = 'SALE' AND {sale_stands} \
         WHERE {condition} AND {stands} AND {IN_NET}",
        own = own("s"),
        originals = own("o"),
        sale_stands = standing("o"),
        stands = standing("s"),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        take(counted(row)?)?;
    }
    Ok(())
}

fn counted(row: &Row<'_>) -> rusqlite::Result<Counted> {
    let marketplace: PartnerId = parsed(row, 0)?;
    let listing = |at: usize| -> rusqlite::Result<String> {
        let known = row.get_ref(at)?.as_str_or_null()?;
        Ok(goods(&marketplace, known, row.get_ref(at + 1)?.as_str()?))
    };
    let (kind, quantity): (SaleKind, Quantity) = (parsed(row, 3)?, parsed(row, 4)?);
    let quantity = net_of(kind, quantity);
    let (listing_of_line, own) = (listing(1)?, parsed(row, 5)?);
    let cited: Option<String> = row.get(9)?;
    let named = match cited {
        Some(_)
            if quantity.is_sign_negative() && sold(row, 8)? && listing(6)? == listing_of_line =>
        {
            parsed(row, 9)?
        }
        Some(_) | None => own,
    };
    Ok(Counted { listing: listing_of_line, quantity, named })
}

/// A sale of nothing takes nothing with it.
fn sold(row: &Row<'_>, at: usize) -> rusqlite::Result<bool> {
    parsed::<Quantity>(row, at).map(|quantity| !quantity.is_zero())
}

/// What counts of a sale that a line cites.
struct Sale {
    listing: String,
    named: Named,
}

/// The sale of that id, if there is one that counts.
fn sale(
    connection: &Connection,
    marketplace: &PartnerId,
    line_id: &str,
) -> rusqlite::Result<Option<Sale>> {
    let sql = format!(
        "SELECT s.listing, s.sku, s.quantity, {} FROM line_identity i \
         JOIN sale_lines s ON s.line_seq = i.line_seq \
         WHERE i.marketplace = ?1 AND i.line_id = ?2 AND s.kind = 'SALE' AND {}",
        own("s"),
        standing("s")
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row((marketplace.as_str(), line_id), |row| {
            let known = row.get_ref(0)?.as_str_or_null()?;
            let listing = goods(marketplace, known, row.get_ref(1)?.as_str()?);
            Ok(sold(row, 2)?.then_some(Sale { listing, named: parsed(row, 3)? }))
        })
        .optional()?;
    Ok(found.flatten())
}

/// The lines that count and take back the sale of that id, with the names of their own.
fn citers(
    connection: &Connection,
    marketplace: &PartnerId,
    line_id: &str,
) -> rusqlite::Result<Vec<(Counted, Named)>> {
    let sql = format!(
        "SELECT s.listing, s.sku, s.kind, s.quantity, {} FROM sale_lines s \
         WHERE s.marketplace = ?1 AND s.original_line_id = ?2 AND {} AND {IN_NET}",
        own("s"),
        standing("s")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((marketplace.as_str(), line_id))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let quantity = net_of(parsed(row, 2)?, parsed(row, 3)?);
        if !quantity.is_sign_negative() {
            continue;
        }
        let known = row.get_ref(0)?.as_str_or_null()?;
        let listing = goods(marketplace, known, row.get_ref(1)?.as_str()?);
        let named: Named = parsed(row, 4)?;
        found.push((Counted { listing, quantity, named }, named));
    }
    Ok(found)
}

fn net_of(kind: SaleKind, quantity: Quantity) -> Decimal {
    kind.net(Totals { quantity: quantity.value(), ..Totals::default() }).quantity
}

/// The key of a line's listing, which follows from the article also while no listing has it.
fn goods(marketplace: &PartnerId, listing: Option<&str>, sku: &str) -> String {
    match listing {
        Some(key) => key.to_owned(),
        None => listing_key(marketplace, sku),
    }
}

fn known_partner(text: &str) -> rusqlite::Result<PartnerId> {
    text.parse().map_err(super::rollups::unfit)
}
