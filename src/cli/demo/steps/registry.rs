//! The operator loads the nomenclature; the registry sends its exporters.

use std::collections::BTreeMap;

use super::super::Run;
use super::super::screen::{Table, grouped};
use crate::cli::batches::{progress, read_all};
use crate::cli::csv::{CsvFile, exporters, reference};
use crate::cli::output::word;
use crate::cli::{Client, Failure, Outcome, rules};
use crate::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use crate::proto::puente::registry::v1::sync_exporters_request::Part;
use crate::proto::puente::registry::v1::{
    ExporterRow, ListExportersRequest, SyncExportersChunk, SyncExportersHeader,
    SyncExportersRequest, SyncExportersResponse, SyncMode,
};

/// Rows in one message; the contract's most.
const CHUNK: usize = 1000;

/// Loads the whole nomenclature, where there is one to load.
pub(in super::super) async fn load_nomenclature(run: &mut Run) -> Outcome {
    let Some(nomenclature) = run.input.nomenclature.take() else { return Ok(()) };
    run.screen.title("The operator loads a whole nomenclature")?;
    let added = run.world.file("ncm-added.csv", &nomenclature.added)?;
    let added = CsvFile::open(&added, reference::LAYOUT)?;
    let (added, bad) = read_all(&added, reference::read)?;
    run.check("rows that cannot be read", 0, bad.len());
    let operator = run.client("operator")?;
    let mut table = rules::read_nomenclature(&operator, &nomenclature.path).await?;
    table.rows.extend(added);
    let rows = table.rows.len();
    let answer = rules::load(&operator, "ncm", table, false).await?;
    let loaded = answer.table.unwrap_or_default();
    run.check("rows of the table", rows, loaded.rows);
    run.screen.say(&format!(
        "{} codes, version {}, {}; {} are new, {} went.",
        grouped(loaded.rows),
        loaded.version,
        loaded.source,
        grouped(answer.created),
        grouped(answer.removed)
    ))
}

/// Sends the exporters, reads them back, sends them again.
pub(in super::super) async fn sync(run: &mut Run) -> Outcome {
    run.screen.title("The registry sends its exporters")?;
    let path = run.world.file("exporters.csv", &run.input.exporters)?;
    let file = CsvFile::open(&path, exporters::LAYOUT)?;
    let (rows, bad) = read_all(&file, exporters::read)?;
    run.check("rows that cannot be read", 0, bad.len());
    let registry = run.client("registry")?;

    let first = send(&registry, &rows).await?;
    run.check("new exporters", rows.len(), first.created);
    run.check("rows refused", 0, first.rejected);
    let entry = first.receipt.as_ref().map(|receipt| receipt.index.to_string());
    run.screen.say(&format!(
        "{} exporters in one change, ledger entry {}.",
        grouped(first.created),
        entry.unwrap_or_default()
    ))?;

    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for row in &rows {
        let status = row.fact.as_ref().map(|fact| fact.status()).unwrap_or_default();
        *sent.entry(word(status.as_str_name(), "ELIGIBILITY_STATUS_")).or_default() += 1;
    }
    let held = by_status(&registry).await?;
    let mut table = Table::new("Read back by the registry", ["Status", "#Sent", "#Held"]);
    for (status, count) in &sent {
        let found = held.get(status).copied().unwrap_or_default();
        run.check(format!("exporters {status}"), count, found);
        table.row([status.clone(), grouped(count), grouped(found)]);
    }
    run.screen.table(table)?;

    let second = send(&registry, &rows).await?;
    run.check("unchanged when sent again", rows.len(), second.unchanged);
    run.check("changed when sent again", 0, second.created + second.updated + second.suspended);
    run.screen.say("Sent again, nothing changes.")
}

async fn send(client: &Client, rows: &[ExporterRow]) -> Outcome<SyncExportersResponse> {
    let header = Part::Header(SyncExportersHeader {
        request_id: client.request_id(),
        mode: SyncMode::Delta.into(),
        validate_only: false,
    });
    let chunks =
        rows.chunks(CHUNK).map(|rows| Part::Chunk(SyncExportersChunk { rows: rows.to_vec() }));
    let messages: Vec<_> = std::iter::once(header)
        .chain(chunks)
        .map(|part| SyncExportersRequest { part: Some(part) })
        .collect();
    client
        .call(messages, |channel, request| async move {
            let bar = progress(request.get_ref().len() as u64, "exporters");
            let messages =
                request.map(|messages| tokio_stream::iter(bar.wrap_iter(messages.into_iter())));
            RegistryServiceClient::new(channel).sync_exporters(messages).await
        })
        .await
}

/// How many exporters have which status today.
async fn by_status(client: &Client) -> Outcome<BTreeMap<String, usize>> {
    let mut found = BTreeMap::new();
    let mut request = ListExportersRequest { page_size: 1000, ..Default::default() };
    loop {
        let page = call!(client, RegistryServiceClient.list_exporters, request.clone())?;
        for exporter in page.exporters {
            let fact = exporter.facts.last().ok_or_else(|| {
                Failure::new("INTERNAL", format!("{} has no fact", exporter.name))
            })?;
            let status = word(fact.status().as_str_name(), "ELIGIBILITY_STATUS_");
            *found.entry(status).or_default() += 1;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(found);
        }
    }
}
