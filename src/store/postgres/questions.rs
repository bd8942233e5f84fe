//! Questions about the ledger and reports.

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use super::fault::Fault;
use super::values::{counted, parsed, query, query_opt, signed, totals, unsigned};
use crate::domain::reconciliation::NetByName;
use crate::ledger::{Entry, Hash, Node, Receipt, Tree};
use crate::store::{KindTotal, ReportProgress, StoredEntry, StoredRequest};

/// The tree from size and peaks, the first two columns of the head.
pub fn tree(row: &Row) -> Result<Tree, Fault> {
    let (size, frontier): (u64, &[u8]) = (counted(row, 0)?, row.try_get(1)?);
    let (hashes, rest) = frontier.as_chunks::<32>();
    let peaks = hashes.iter().map(|bytes| Hash::from_bytes(*bytes)).collect();
    match Tree::from_peaks(size, peaks) {
        Ok(tree) if rest.is_empty() => Ok(tree),
        Ok(_) => Err(Fault::Unfit("the ledger head is torn".into())),
        Err(reason) => Err(Fault::Unfit(reason.to_string())),
    }
}

/// The tree as of the last commit.
pub async fn head(client: &impl GenericClient) -> Result<Tree, Fault> {
    let sql = "SELECT size, frontier FROM ledger_head WHERE id = 1";
    query_opt(client, sql, &[]).await?.map_or_else(|| Ok(Tree::new()), |row| tree(&row))
}

/// A ledger entry with what opens its commitment.
pub async fn entry(client: &impl GenericClient, index: u64) -> Result<Option<StoredEntry>, Fault> {
    let sql = "SELECT entry, salt, content FROM ledger_entries WHERE entry_index = $1";
    let found = query_opt(client, sql, &[&signed(index)]).await?;
    found
        .map(|row| {
            Ok(StoredEntry {
                entry: row.try_get(0)?,
                salt: row.try_get(1)?,
                content: row.try_get(2)?,
            })
        })
        .transpose()
}

/// Complete nodes of the tree.
pub async fn nodes(
    client: &impl GenericClient,
    nodes: &[Node],
) -> Result<Vec<Option<Hash>>, Fault> {
    let levels: Vec<i16> = nodes.iter().map(|node| i16::from(node.level)).collect();
    let places: Vec<i64> = nodes.iter().map(|node| signed(node.index)).collect();
    let sql = "SELECT n.hash FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY \
               AS a (level, node_index, place) LEFT JOIN ledger_nodes n \
               ON n.level = a.level AND n.node_index = a.node_index ORDER BY a.place";
    let rows = query(client, sql, &[&levels, &places]).await?;
    let hash = |row: &Row| -> Result<Option<Hash>, Fault> {
        let Some(bytes) = row.try_get::<_, Option<&[u8]>>(0)? else { return Ok(None) };
        let bytes = bytes.try_into().map_err(|_| Fault::Unfit("a hash is torn".into()))?;
        Ok(Some(Hash::from_bytes(bytes)))
    };
    rows.iter().map(hash).collect()
}

/// What became of earlier requests; their partners and ids come with them.
pub async fn requests(
    client: &impl GenericClient,
    partners: &[&str],
    ids: &[String],
) -> Result<Vec<((String, String), StoredRequest)>, Fault> {
    let sql = "SELECT r.partner, r.request_id, r.digest, r.answer, r.entry_index, e.entry \
               FROM unnest($1::text[], $2::text[]) AS a (partner, request_id) JOIN requests r \
               ON r.partner = a.partner AND r.request_id = a.request_id \
               JOIN ledger_entries e ON e.entry_index = r.entry_index";
    let rows = query(client, sql, &[&partners, &ids]).await?;
    let request = |row: &Row| {
        let entry = Entry::parse(row.try_get(5)?).map_err(|e| Fault::Unfit(e.to_string()))?;
        let kind = entry.kind().ok_or_else(|| Fault::Unfit("entry of an unknown kind".into()))?;
        let digest: &[u8] = row.try_get(2)?;
        let stored = StoredRequest {
            digest: digest.try_into().map_err(|_| Fault::Unfit("a digest is torn".into()))?,
            answer: row.try_get(3)?,
            receipt: Receipt::new(counted(row, 4)?, kind, &entry),
        };
        Ok(((row.try_get(0)?, row.try_get(1)?), stored))
    };
    rows.iter().map(request).collect()
}

/// What a report holds so far.
pub async fn report_progress(
    client: &impl GenericClient,
    report: &str,
) -> Result<ReportProgress, Fault> {
    let sql = "SELECT next_line, accepted, warned, duplicates, refused, explained, orders, \
               last_entry, EXISTS (SELECT 1 FROM closed_months m JOIN rollup_slices s \
               ON s.report = $1 AND to_char(s.day, 'YYYY-MM') = m.key JOIN rollup_cells c \
               ON c.cell BETWEEN (s.slice << 32) AND (s.slice << 32 | 4294967295) \
               AND c.lines > 0) FROM report_progress WHERE report = $1";
    let counts = query_opt(client, sql, &[&report]).await?;
    let optional = |row: &Row, at| -> Result<Option<u64>, Fault> {
        Ok(row.try_get::<_, Option<i64>>(at)?.map(unsigned))
    };
    let counts = counts.map(|row| -> Result<ReportProgress, Fault> {
        Ok(ReportProgress {
            next_line: counted(&row, 0)?,
            accepted: counted(&row, 1)?,
            warned: counted(&row, 2)?,
            duplicates: counted(&row, 3)?,
            refused: counted(&row, 4)?,
            explained: counted(&row, 5)?,
            orders: optional(&row, 6)?,
            last_entry: optional(&row, 7)?,
            in_closed_month: row.try_get(8)?,
            totals: Vec::new(),
        })
    });
    let sql = "SELECT kind, currency, lines, quantity, amount FROM report_totals \
               WHERE report = $1 ORDER BY kind, currency";
    let of_kinds = query(client, sql, &[&report]).await?;
    let total = |row: &Row| -> Result<KindTotal, Fault> {
        let sums = totals(row, 2)?;
        Ok(KindTotal {
            kind: row.try_get(0)?,
            currency: row.try_get(1)?,
            lines: sums.lines,
            quantity: sums.quantity,
            amount: sums.amount,
        })
    };
    let totals: Result<Vec<KindTotal>, Fault> = of_kinds.iter().map(total).collect();
    Ok(ReportProgress { totals: totals?, ..counts.transpose()?.unwrap_or_default() })
}

/// What was sold less what came back of a listing, for each name.
pub async fn net_sold(client: &impl GenericClient, listing: &str) -> Result<NetByName, Fault> {
    let sql = "SELECT name, quantity FROM net_sold WHERE listing = $1";
    let rows = query(client, sql, &[&listing]).await?;
    rows.iter().map(|row| Ok((parsed(row, 0)?, parsed(row, 1)?))).collect()
}
