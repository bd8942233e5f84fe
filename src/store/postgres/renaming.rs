//! What a transaction adds to what was sold under each name.
//!
//! Enters: what the transaction is about to write, and what it has written. Leaves: the difference
//! between the two in what lines count for. Only lines that something happens to are looked at:
//! those that come and have a name or cite a sale, those that are explained or matched by hand or
//! cite what is, and those of reports that are abandoned.

use std::collections::HashSet;

use deadpool_postgres::GenericClient;

use super::fault::Fault;
use super::names::{self, Nets};
use super::pass::Pass;
use super::values::{Param, parsed, query};
use crate::change::Kind;
use crate::domain::decimal::Quantity;
use crate::domain::reconciliation::Named;
use crate::domain::sale::SaleKind;

/// Lines of other reports that take back sales of these.
const CITERS_ELSEWHERE: &str = "SELECT c.line_seq FROM sale_lines l JOIN sale_lines c \
    ON c.marketplace = l.marketplace AND c.original_line_id = l.line_id \
    WHERE l.report = ANY($1) AND l.kind = 'SALE' AND NOT c.report = ANY($1)";

const CITERS: &str = "SELECT c.line_seq FROM unnest($1::text[], $2::text[]) \
    AS a (marketplace, line_id) JOIN sale_lines c ON c.marketplace = a.marketplace \
    AND c.original_line_id = a.line_id";

/// What changes of nets, with what must be looked at again once all is written.
pub struct Renaming {
    nets: Nets,
    lines: Vec<i64>,
    abandoning: Vec<String>,
}

impl Renaming {
    /// Takes out what is about to change. Nothing of the transaction is written yet.
    pub async fn before(
        client: &impl GenericClient,
        pass: &Pass,
        naming_citers: &mut Option<bool>,
    ) -> Result<Self, Fault> {
        let mut nets = Nets::default();
        let abandoning: Vec<String> = pass.abandoning().collect();
        let (mut ids, mut lines) = (HashSet::new(), HashSet::new());
        let any = naming_citers_of(client, pass, naming_citers).await?;
        let mut of_new = Vec::new();
        for row in &pass.rows {
            let line = &row.ready().row.line;
            let own = Named::of(line.declaration, line.declaration_item);
            if own != Named::Nothing || line.original_line_id.is_some() {
                of_new.push(row.seq);
            }
            if line.kind == SaleKind::Sale && (any || own != Named::Nothing) {
                ids.insert((row.batch.marketplace.as_str(), line.line_id.as_str()));
            }
        }
        for touched in pass.touched.values() {
            lines.insert(touched.seq);
        }
        for (line, _, _) in &pass.rematched {
            if let Some(touched) = pass.touched.get(line) {
                ids.insert((touched.marketplace.as_str(), touched.line_id.as_str()));
            }
        }
        if !ids.is_empty() {
            let (marketplaces, ids): (Vec<&str>, Vec<&str>) = ids.into_iter().unzip();
            for row in query(client, CITERS, &[&marketplaces, &ids]).await? {
                lines.insert(row.try_get(0)?);
            }
        }
        if !abandoning.is_empty() {
            for row in query(client, CITERS_ELSEWHERE, &[&abandoning]).await? {
                lines.insert(row.try_get(0)?);
            }
        }
        let mut lines: Vec<i64> = lines.into_iter().collect();
        if !lines.is_empty() {
            let values: [Param<'_>; 2] = [&lines, &abandoning];
            let condition = "s.line_seq = ANY($1) AND NOT s.report = ANY($2)";
            names::each(client, condition, &values, |one| nets.line(&one, false)).await?;
        }
        if !abandoning.is_empty() {
            abandon(client, &mut nets, &abandoning).await?;
        }
        lines.append(&mut of_new);
        Ok(Self { nets, lines, abandoning })
    }

    /// Puts in what has changed, and writes it. All else of the transaction is written.
    pub async fn after(mut self, client: &impl GenericClient, pass: &Pass) -> Result<(), Fault> {
        for row in &pass.rows {
            let line = &row.ready().row.line;
            let own = Named::of(line.declaration, line.declaration_item);
            let plain = own == Named::Nothing && line.original_line_id.is_none();
            if plain && !self.abandoning.contains(&row.batch.report) && row.counts {
                let listing = row.ready().row.listing.as_ref().map(|l| l.key.as_str());
                let goods = names::goods(&row.batch.marketplace, listing, line.sku.as_str());
                self.nets.add(&goods, Named::Nothing, line.signed().quantity)?;
            }
        }
        let Self { nets, lines, .. } = &mut self;
        if !lines.is_empty() {
            let condition = "s.line_seq = ANY($1)";
            names::each(client, condition, &[lines], |one| nets.line(&one, true)).await?;
        }
        nets.write(client).await
    }
}

/// Whether there are lines that take a sale back and name a declaration of their own; once there
/// are, there always will be.
async fn naming_citers_of(
    client: &impl GenericClient,
    pass: &Pass,
    known: &mut Option<bool>,
) -> Result<bool, Fault> {
    if pass.rows.is_empty() {
        return Ok(false);
    }
    let any = match *known {
        Some(known) => known,
        None => {
            let sql = "SELECT 1 FROM sale_lines WHERE declaration IS NOT NULL \
                       AND original_line_id IS NOT NULL LIMIT 1";
            !query(client, sql, &[]).await?.is_empty()
        }
    };
    let now = any
        || pass.rows.iter().any(|row| {
            let line = &row.ready().row.line;
            line.original_line_id.is_some() && line.declaration.is_some()
        });
    *known = Some(now);
    Ok(any)
}

/// Takes out all lines of reports: as if none had a name, then those that have one.
async fn abandon(
    client: &impl GenericClient,
    nets: &mut Nets,
    reports: &[String],
) -> Result<(), Fault> {
    let sql = "SELECT g.listing, c.quantity FROM rollup_slices t JOIN rollup_cells c \
               ON c.cell BETWEEN (t.slice << 32) AND (t.slice << 32 | 4294967295) \
               JOIN rollup_goods g ON g.goods = c.cell & 4294967295 WHERE t.report = ANY($1)";
    for row in query(client, sql, &[&reports]).await? {
        let quantity: Quantity = parsed(&row, 1)?;
        nets.add(row.try_get(0)?, Named::Nothing, -quantity.value())?;
    }
    let with_names = "s.report = ANY($1) AND (s.declaration IS NOT NULL \
                      OR s.original_line_id IS NOT NULL OR s.line_seq IN \
                      (SELECT line_seq FROM line_rematches))";
    names::each(client, with_names, &[&reports], |one| {
        nets.add(&one.listing, Named::Nothing, one.quantity)?;
        nets.line(&one, false)
    })
    .await
}

impl Pass {
    /// Reports that are abandoned by this transaction.
    fn abandoning(&self) -> impl Iterator<Item = String> {
        let abandoned = self.standing.written(Kind::Report).values().filter(|record| {
            record.state == super::standing::ABANDONED
                && self.standing.was(Kind::Report, &record.key) != super::standing::ABANDONED
        });
        abandoned.map(|record| record.key.clone())
    }
}
