//! Writes what the changes of a group come to, each row once.
//!
//! Enters: a group that was judged. Leaves: rows; statements go out together, so that they cost one
//! way to the database and back. Lines and their ids go by binary COPY into their final tables.

use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures_util::try_join;
use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use super::fault::Fault;
use super::pass::Pass;
use super::rollups::sortable;
use super::values::{Day, Param, execute, signed};
use crate::store::verdicts::other_amounts;

const IDENTITY: &str =
    "COPY line_identity (marketplace, line_id, entry_index, line_seq, day) FROM STDIN BINARY";
const IDENTITY_TYPES: &[Type] = &[Type::TEXT, Type::TEXT, Type::INT8, Type::INT8, Type::DATE];
const LINES: &str = "COPY sale_lines (line_seq, report, marketplace, line_id, order_id, kind, \
    original_line_id, sku, listing, quantity, unit_price, currency, sold_at, day, destination, \
    declaration, declaration_item, other_amounts, cell, verdict, entry_index) FROM STDIN BINARY";
const LINES_TYPES: &[Type] = &[
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::DATE,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::INT8,
];

/// Writes everything but the head and what was sold under each name.
pub async fn all(client: &deadpool_postgres::Client, pass: &Pass) -> Result<(), Fault> {
    let moved = lines(client, pass).await?;
    try_join!(
        retake(client, moved),
        pass.standing.write(client),
        pass.sums.write(client),
        pass.progress.write(client),
        explanations(client, pass),
        rematches(client, pass),
        entries(client, pass),
        nodes(client, pass),
        requests(client, pass),
    )?;
    Ok(())
}

/// Ids that were taken for lines of abandoned reports, as columns.
type Retaken<'p> = (Vec<&'p str>, Vec<&'p str>, Vec<i64>, Vec<i64>, Vec<Day>);

/// Stores the lines and their ids; answers the ids that have a row already.
async fn lines<'p>(client: &Client, pass: &'p Pass) -> Result<Retaken<'p>, Fault> {
    let mut moved = Retaken::default();
    if pass.rows.is_empty() {
        return Ok(moved);
    }
    let sink = client.copy_in(IDENTITY).await?;
    let mut rows = pin!(BinaryCopyInWriter::new(sink, IDENTITY_TYPES));
    for (marketplace, id, taken, stored) in pass.ids.fresh() {
        let (entry, seq, day) = (signed(taken.entry), taken.seq, Day(taken.day));
        if stored {
            moved.0.push(marketplace);
            moved.1.push(id);
            moved.2.push(entry);
            moved.3.push(seq);
            moved.4.push(day);
            continue;
        }
        rows.as_mut().write(&[&marketplace, &id, &entry, &seq, &day]).await?;
    }
    rows.finish().await?;
    let sink = client.copy_in(LINES).await?;
    let mut rows = pin!(BinaryCopyInWriter::new(sink, LINES_TYPES));
    for new in &pass.rows {
        let ready = new.ready();
        let (row, texts, line) = (&ready.row, &ready.texts, &ready.row.line);
        let original = line.original_line_id.as_ref().map(|id| id.as_str());
        let listing = row.listing.as_ref().map(|listing| listing.key.as_str());
        let declaration = line.declaration.as_ref().map(ToString::to_string);
        let columns: [Param<'_>; 21] = [
            &new.seq,
            &new.batch.report,
            &new.batch.marketplace.as_str(),
            &line.line_id.as_str(),
            &line.order_id.as_str(),
            &line.kind.as_str(),
            &original,
            &line.sku.as_str(),
            &listing,
            &texts.quantity(),
            &texts.unit_price(),
            &line.currency.as_str(),
            &texts.sold_at(),
            &Day(line.sold_at.day()),
            &texts.destination(),
            &declaration,
            &line.declaration_item.map(i64::from),
            &other_amounts(line),
            &new.cell,
            &&*new.verdict,
            &signed(new.entry),
        ];
        rows.as_mut().write(&columns).await?;
    }
    rows.finish().await?;
    Ok(moved)
}

async fn retake(
    client: &impl GenericClient,
    (marketplaces, ids, entries, seqs, days): Retaken<'_>,
) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE line_identity i SET entry_index = a.entry_index, line_seq = a.line_seq, \
               day = a.day FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], \
               $5::date[]) AS a (marketplace, line_id, entry_index, line_seq, day) \
               WHERE i.marketplace = a.marketplace AND i.line_id = a.line_id";
    execute(client, sql, &[&marketplaces, &ids, &entries, &seqs, &days]).await
}

async fn explanations(client: &impl GenericClient, pass: &Pass) -> Result<(), Fault> {
    for (line, why, entry) in &pass.explanations {
        let sql = "INSERT INTO line_explanations \
                   (line_seq, cause, evidence, explained_by, explained_at, entry_index) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let values: [Param<'_>; 6] = [
            &signed(*line),
            &why.cause.as_str(),
            &why.evidence.as_str(),
            &why.explained_by.as_str(),
            &sortable(why.explained_at),
            &signed(*entry),
        ];
        execute(client, sql, &values).await?;
    }
    Ok(())
}

async fn rematches(client: &impl GenericClient, pass: &Pass) -> Result<(), Fault> {
    for (line, rematch, entry) in &pass.rematched {
        let sql = "INSERT INTO line_rematches \
                   (line_seq, entry_index, name, rematched_by, rematched_at, reason, listing) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let goods = pass.touched.get(line).map(|touched| touched.goods.as_str());
        let values: [Param<'_>; 7] = [
            &signed(*line),
            &signed(*entry),
            &rematch.to.map(|key| key.to_string()),
            &rematch.by.as_str(),
            &rematch.at.to_string(),
            &rematch.reason.as_str(),
            &goods,
        ];
        execute(client, sql, &values).await?;
    }
    Ok(())
}

async fn entries(client: &impl GenericClient, pass: &Pass) -> Result<(), Fault> {
    let first = signed(pass.head.tree.size()) - signed(pass.appended.len() as u64);
    let indices: Vec<i64> = (first..).take(pass.appended.len()).collect();
    let texts: Vec<&[u8]> = pass.appended.iter().map(|one| one.entry.text().as_bytes()).collect();
    let salts: Vec<&[u8]> = pass.appended.iter().map(|one| one.salt.as_slice()).collect();
    let contents: Vec<&[u8]> = pass.appended.iter().map(|one| one.content.as_slice()).collect();
    let sql = "INSERT INTO ledger_entries (entry_index, entry, salt, content) SELECT * FROM \
               unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[])";
    execute(client, sql, &[&indices, &texts, &salts, &contents]).await
}

async fn nodes(client: &impl GenericClient, pass: &Pass) -> Result<(), Fault> {
    let levels: Vec<i16> = pass.nodes.iter().map(|(node, _)| i16::from(node.level)).collect();
    let places: Vec<i64> = pass.nodes.iter().map(|(node, _)| signed(node.index)).collect();
    let hashes: Vec<&[u8]> = pass.nodes.iter().map(|(_, hash)| &hash.as_bytes()[..]).collect();
    let sql = "INSERT INTO ledger_nodes (level, node_index, hash) SELECT * FROM \
               unnest($1::smallint[], $2::bigint[], $3::bytea[])";
    execute(client, sql, &[&levels, &places, &hashes]).await
}

async fn requests(client: &impl GenericClient, pass: &Pass) -> Result<(), Fault> {
    let first = signed(pass.head.tree.size()) - signed(pass.appended.len() as u64);
    let indices: Vec<i64> = (first..).take(pass.appended.len()).collect();
    let keys = || pass.appended.iter().map(|one| &one.request);
    let partners: Vec<&str> = keys().map(|key| key.partner.as_str()).collect();
    let ids: Vec<String> = keys().map(|key| key.request_id.to_string()).collect();
    let digests: Vec<&[u8]> = keys().map(|key| key.digest.as_slice()).collect();
    let answers: Vec<&[u8]> = pass.appended.iter().map(|one| one.answer.as_slice()).collect();
    let sql = "INSERT INTO requests (partner, request_id, digest, entry_index, answer) \
               SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], \
               $5::bytea[])";
    execute(client, sql, &[&partners, &ids, &digests, &indices, &answers]).await
}
