//! `puente rules`: the tables that everybody's data refers to.

mod ncm;

use std::path::{Path, PathBuf};

use self::ncm::Nomenclature;
use super::batches::{finish, progress};
use super::csv::reference as reference_csv;
use super::csv::{CsvFile, RowFault};
use super::output::{date, facts, moment, number, show, table};
use super::{Client, Connect, Failure, Outcome, parse};
use crate::proto::puente::reference::v1::load_reference_table_request::Part;
use crate::proto::puente::reference::v1::reference_service_client::ReferenceServiceClient;
use crate::proto::puente::reference::v1::{
    ListReferenceRowsRequest, ListReferenceRowsResponse, ListReferenceTablesRequest,
    ListReferenceTablesResponse, LoadReferenceTableChunk, LoadReferenceTableHeader,
    LoadReferenceTableRequest, LoadReferenceTableResponse, ReferenceRow,
};

/// Rows in one message; the contract's most.
const CHUNK: usize = 1000;

/// Read and load code tables
#[derive(clap::Subcommand)]
pub enum Rules {
    /// List the tables with their versions
    List(Connect),
    Show(ShowRows),
    Load(Load),
}

/// Show the rows of a table
///
/// Example:
///   puente rules show ncm --prefix 2204 --profile profiles/marketplace.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ShowRows {
    /// The table, as puente rules list names it
    table: String,
    /// Only codes that begin so
    #[arg(long, default_value = "")]
    prefix: String,
    #[command(flatten)]
    connect: Connect,
}

/// Replace a code table by a new version, as the operator
///
/// A table is a CSV file with the columns code,title_es,title_en,attributes,valid_from,valid_to
/// (the last four may be left out; attributes are NAME=VALUE joined by ;). The nomenclature may
/// also be the JSON file that Siscomex publishes: its version and source are read from it, and
/// Spanish and English titles that the gateway has are kept.
///
/// Example:
///   puente rules load ncm ncm.json --profile profiles/operator.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Load {
    /// ncm, certificates, countries, currencies, incoterms, provinces, regions, size_classes, units
    table: String,
    /// The file, CSV in UTF-8, or the nomenclature in JSON
    file: PathBuf,
    /// The version, as the source calls it; for CSV today's date if left out
    #[arg(long)]
    version: Option<String>,
    /// Where the content comes from; for CSV the file's name if left out
    #[arg(long)]
    source: Option<String>,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Rules {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::List(connect) => list(&connect).await,
            Self::Show(rows) => rows.run().await,
            Self::Load(load) => load.run().await,
        }
    }
}

impl Load {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let json = self.file.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("json"));
        let (rows, version, source) = if json {
            if self.table != "ncm" {
                return Err(Failure::new(
                    "INVALID_FILE",
                    "only the table ncm can be loaded from JSON; give the others as CSV",
                ));
            }
            let file = read_nomenclature(&client, &self.file).await?;
            (file.rows, file.version, file.source)
        } else {
            let (rows, bad) = read_csv(&self.file)?;
            finish(&self.file, bad).map_err(|failure| {
                failure.hint("nothing was sent: a table is taken whole; mend these rows")
            })?;
            let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let today = client.env.now().to_string().chars().take(10).collect();
            (rows, today, name)
        };
        let file = Nomenclature {
            rows,
            version: self.version.unwrap_or(version),
            source: self.source.unwrap_or(source),
        };
        let answer = load(&client, &self.table, file, self.validate_only).await?;
        let name = "puente.reference.v1.LoadReferenceTableResponse";
        show(self.connect.output(), name, &answer, loaded)
    }
}

/// The nomenclature at `path`, with the Spanish and English titles that the gateway has.
pub(super) async fn read_nomenclature(client: &Client, path: &Path) -> Outcome<Nomenclature> {
    let mut file = ncm::read(path)?;
    ncm::keep_titles(&mut file.rows, &held(client).await?);
    Ok(file)
}

/// Replaces a table by these rows.
pub(super) async fn load(
    client: &Client,
    table: &str,
    file: Nomenclature,
    validate_only: bool,
) -> Outcome<LoadReferenceTableResponse> {
    let Nomenclature { rows, version, source } = file;
    let header = LoadReferenceTableHeader {
        request_id: client.request_id(),
        table: parse::name("referenceTables", table),
        version,
        source,
        validate_only,
    };
    let bar = progress(rows.len() as u64, "rows");
    let mut parts = vec![Part::Header(header)];
    parts.extend(
        rows.chunks(CHUNK).map(|rows| Part::Chunk(LoadReferenceTableChunk { rows: rows.to_vec() })),
    );
    let messages: Vec<_> =
        parts.into_iter().map(|part| LoadReferenceTableRequest { part: Some(part) }).collect();
    let answer = client
        .call(messages, |channel, request| async move {
            ReferenceServiceClient::new(channel)
                .load_reference_table(request.map(tokio_stream::iter))
                .await
        })
        .await;
    bar.finish_and_clear();
    answer
}

fn read_csv(path: &Path) -> Outcome<(Vec<ReferenceRow>, Vec<RowFault>)> {
    let file = CsvFile::open(path, reference_csv::LAYOUT)?;
    super::batches::read_all(&file, reference_csv::read)
}

impl ShowRows {
    async fn run(self) -> Outcome {
        let answer = rows(&self.connect.client()?, &self.table, &self.prefix).await?;
        let name = "puente.reference.v1.ListReferenceRowsResponse";
        show(self.connect.output(), name, &answer, |answer| {
            let mut table = table(["Code", "Spanish", "English", "More", "From", "To"]);
            for row in &answer.rows {
                let mut more: Vec<_> =
                    row.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
                more.sort();
                table.add_row([
                    row.code.clone(),
                    row.title_es.clone(),
                    row.title_en.clone(),
                    more.join(";"),
                    date(row.valid_from.as_ref()),
                    date(row.valid_to.as_ref()),
                ]);
            }
            format!("{table}\n")
        })
    }
}

/// The nomenclature that the gateway has; nothing if it has none.
async fn held(client: &Client) -> Outcome<Vec<ReferenceRow>> {
    match rows(client, "ncm", "").await {
        Ok(answer) => Ok(answer.rows),
        Err(failure) if failure.reason == "NOT_FOUND" => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// All rows of a table whose code begins with `prefix`.
async fn rows(client: &Client, table: &str, prefix: &str) -> Outcome<ListReferenceRowsResponse> {
    let mut request = ListReferenceRowsRequest {
        table: parse::name("referenceTables", table),
        page_size: 1000,
        code_prefix: prefix.to_owned(),
        ..Default::default()
    };
    let mut all = ListReferenceRowsResponse::default();
    loop {
        let page = client
            .call(request.clone(), |channel, request| async move {
                ReferenceServiceClient::new(channel).list_reference_rows(request).await
            })
            .await?;
        all.rows.extend(page.rows);
        all.version = page.version;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(all);
        }
    }
}

async fn list(connect: &Connect) -> Outcome {
    let client = connect.client()?;
    let request = ListReferenceTablesRequest { page_size: 1000, page_token: String::new() };
    let answer = client
        .call(request, |channel, request| async move {
            ReferenceServiceClient::new(channel).list_reference_tables(request).await
        })
        .await?;
    let name = "puente.reference.v1.ListReferenceTablesResponse";
    show(connect.output(), name, &answer, tables)
}

fn tables(answer: &ListReferenceTablesResponse) -> String {
    let mut shown = table(["Table", "Version", "Rows", "Loaded", "Source"]);
    for table in &answer.tables {
        shown.add_row([
            comfy_table::Cell::new(table.name.trim_start_matches("referenceTables/")),
            comfy_table::Cell::new(&table.version),
            number(table.rows),
            comfy_table::Cell::new(moment(table.load_time.as_ref())),
            comfy_table::Cell::new(&table.source),
        ]);
    }
    format!("{shown}\n")
}

fn loaded(answer: &LoadReferenceTableResponse) -> String {
    let table = answer.table.clone().unwrap_or_default();
    facts([
        ("Table", table.name),
        ("Version", table.version),
        ("Rows", table.rows.to_string()),
        ("New", answer.created.to_string()),
        ("Changed", answer.updated.to_string()),
        ("Unchanged", answer.unchanged.to_string()),
        ("Removed", answer.removed.to_string()),
        ("Ledger entry", answer.receipt.as_ref().map(|r| r.index.to_string()).unwrap_or_default()),
    ])
}
