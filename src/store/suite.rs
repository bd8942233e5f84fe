//! What every store promises, as tests that run against each of them.
//!
//! Enters: a [`Place`] where a store can be opened again and again. Leaves: green or red.

mod database;
mod documents;
mod export;
mod ledger;
mod lines;
mod months;
mod net_sold;
mod rebatching;
mod sums;

use std::sync::Arc;

use jiff::Timestamp;

use super::sqlite::SqliteStore;
use super::{Group, Judged, Store};
use crate::change::{Actor, Change, Committed, Expect, Kind, Record, RequestKey, Write};
use crate::ledger::{Draft, EntryKind};

/// Where a store keeps what it keeps; opening twice finds what was there.
trait Place {
    /// Opens the store, making it the first time.
    fn open(&self) -> Arc<dyn Store>;
}

/// A folder of its own for one embedded store.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Takes the sums by name away, as if a version that knew none had written all lines.
    fn forget_net_sold(&self) {
        let file = rusqlite::Connection::open(self.0.path().join("puente.db")).unwrap();
        file.execute_batch("DELETE FROM net_sold; DELETE FROM net_sold_head").unwrap();
    }
}

impl Place for Folder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.0.path().join("puente.db")).unwrap())
    }
}

macro_rules! on_every_store {
    ($($module:ident::$test:ident,)*) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$module::$test(&super::Folder::new()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$module::$test(&super::database::Database::new().await).await;
                }
            )*
        }
    };
}

on_every_store! {
    documents::a_document_reads_back_with_its_version,
    documents::pages_follow_the_keys_and_the_filters,
    documents::a_stale_version_is_refused_and_leaves_no_trace,
    documents::a_state_is_judged_under_the_head,
    documents::what_is_due_is_found_in_its_order,
    documents::a_refused_change_does_not_touch_its_neighbours,
    export::an_export_finds_what_matches_and_nothing_later,
    ledger::an_empty_store_has_an_empty_tree,
    ledger::entries_nodes_and_tree_agree,
    ledger::the_same_request_gets_the_same_answer_for_ever,
    ledger::a_request_id_with_another_body_is_refused,
    ledger::everything_is_there_after_opening_again,
    lines::a_line_counts_once_for_ever,
    lines::totals_are_as_written_and_rollups_are_signed,
    lines::originals_bound_what_is_taken_back,
    lines::an_unknown_original_is_remarked,
    lines::progress_moves_without_gaps,
    lines::a_preview_leaves_no_trace,
    lines::lines_after_the_counts_were_read_are_seen,
    lines::orders_are_counted_once_a_listing,
    lines::rollups_answer_what_they_are_asked,
    lines::lines_that_cannot_be_recorded_do_not_touch_their_neighbours,
    lines::lines_of_an_abandoned_report_count_nowhere,
    lines::a_closed_month_takes_no_line_but_knows_those_it_has,
    lines::lines_read_back_as_they_came,
    lines::a_batch_is_refused_whole_when_the_report_is_closed,
    net_sold::names_follow_the_sales_whatever_comes_first,
    net_sold::an_abandoned_report_gives_its_names_back,
    net_sold::sums_by_name_are_those_of_the_fold,
    rebatching::any_batching_gives_the_same_totals,
    sums::sums_are_those_of_the_lines_after_any_history,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

/// A request key of partner `marketplace` with a body that is all `body`.
fn request(number: u128, body: u8) -> RequestKey {
    RequestKey {
        partner: "marketplace".parse().unwrap(),
        request_id: uuid::Uuid::from_u128(number).to_string().parse().unwrap(),
        digest: [body; 32],
    }
}

fn change(number: u128, expect: Vec<Expect>, writes: Vec<Write>) -> Change {
    Change {
        request: request(number, 1),
        actor: Actor { certificate: None, trace_id: None },
        expect,
        writes,
        draft: Draft::new(EntryKind::RulesLoaded)
            .about("referenceTables/suite")
            .over(format!("content {number}").into_bytes()),
        answer: format!("{{\"number\":{number}}}").into_bytes(),
    }
}

/// Commits the changes as one group.
async fn commit(store: &dyn Store, changes: Vec<Change>) -> Vec<Judged> {
    let salts = changes
        .iter()
        .map(|change| {
            let mut salt = [0; 32];
            salt[..16].copy_from_slice(&change.request.request_id.to_string().as_bytes()[20..36]);
            salt
        })
        .collect();
    store.commit(Group { changes, at: at(0), salts }).await.unwrap()
}

/// Commits one change that must not be refused.
async fn committed(store: &dyn Store, change: Change) -> Committed {
    commit(store, vec![change]).await.remove(0).unwrap()
}

fn record(kind: Kind, key: &str, state: &str, columns: &[&str]) -> Record {
    Record {
        kind,
        key: key.to_owned(),
        owner: "marketplace".to_owned(),
        state: state.to_owned(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        version: 0,
        body: format!("{{\"key\":\"{key}\"}}").into_bytes(),
    }
}

fn at_version(kind: Kind, key: &str, version: u64) -> Expect {
    Expect::Version { kind, key: key.to_owned(), version }
}
