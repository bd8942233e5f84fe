//! `puente rules`: the tables that everybody's data refers to.

mod ncm;

use std::path::{Path, PathBuf};

use self::ncm::Nomenclature;
use super::batches::{finish, progress};
use super::csv::reference as reference_csv;
use super::csv::{CsvFile, RowFault};
use super::output::{date, facts, moment, number, show, table};
use super::{Client, Connect, Failure, Outcome, parse};
use crate::proto::google::r#type::Date;
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
/// Examples:
///   puente rules show ncm --prefix 2204 --profile profiles/marketplace.toml
///   puente rules show certificates --on 2027-01-01 --profile profiles/marketplace.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ShowRows {
    /// The table, as puente rules list names it
    table: String,
    /// Only codes that begin so
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only rows that hold on this day
    #[arg(long, value_name = "DATE", value_parser = parse::date)]
    on: Option<Date>,
    #[command(flatten)]
    connect: Connect,
}

/// Replace a code table by a new version, as the operator
///
/// A table is a CSV file with the columns code,title_es,title_en,attributes,valid_from,valid_to
/// (the last four may be left out; attributes are NAME=VALUE joined by ;). The nomenclature may
/// also be the JSON file that Siscomex publishes: its version and source are read from it, and
/// Spanish and English titles that the gateway has are kept. Tables that rules are made of say in
/// their attributes what holds, and are refused with every faulty line; docs/operators.md has them.
///
/// Examples:
///   puente rules load ncm ncm.json --profile profiles/operator.toml
///   puente rules load certificates rules.csv --version 2027-01 --source "Resolución 1/2027" \
///     --profile profiles/operator.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Load {
    /// ncm, certificates, exporta_simple, settlement_terms, consignment, countries, currencies,
    /// incoterms, provinces, regions, size_classes, units
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
        let mut lines = Vec::new();
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
            let (read, bad) = read_csv(&self.file)?;
            finish(&self.file, bad).map_err(|failure| {
                failure.hint("nothing was sent: a table is taken whole; mend these rows")
            })?;
            let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let today = client.env.now().to_string().chars().take(10).collect();
            let rows = read.into_iter().map(|(line, row)| {
                lines.push(line);
                row
            });
            (rows.collect(), today, name)
        };
        let file = Nomenclature {
            rows,
            version: self.version.clone().unwrap_or(version),
            source: self.source.clone().unwrap_or(source),
        };
        let answer = load(&client, &self.table, file, self.validate_only)
            .await
            .or_else(|failure| self.lines_at_fault(failure, &lines))?;
        let name = "puente.reference.v1.LoadReferenceTableResponse";
        show(self.connect.output(), name, &answer, loaded)
    }

    /// Names the lines of the file for the rows that the gateway found faulty.
    fn lines_at_fault(
        &self,
        failure: Failure,
        lines: &[u64],
    ) -> Outcome<LoadReferenceTableResponse> {
        if failure.reason != "TABLE_FAULTY" {
            return Err(failure);
        }
        let of_row = |(field, message): &(String, String)| {
            let (place, column) = field.strip_prefix("rows[")?.split_once(']')?;
            let line = *lines.get(place.parse::<usize>().ok()?)?;
            let column = column.trim_start_matches('.');
            let reason = failure.reason.clone();
            // What the gateway counts are rows; here are lines.
            let message = message.split_once(": ").map_or(message.as_str(), |(_, words)| words);
            Some(RowFault { line, column: column.into(), reason, message: message.into() })
        };
        let bad: Vec<RowFault> = failure.fields.iter().filter_map(of_row).collect();
        if bad.is_empty() {
            return Err(failure);
        }
        let told = finish(&self.file, bad);
        let hint = "nothing was loaded: a table is taken whole; mend these rows";
        Err(told.err().unwrap_or(failure).hint(hint))
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

/// A row with its line in the file.
type Placed = (u64, ReferenceRow);

/// The good rows, and the bad ones.
fn read_csv(path: &Path) -> Outcome<(Vec<Placed>, Vec<RowFault>)> {
    let file = CsvFile::open(path, reference_csv::LAYOUT)?;
    super::batches::read_all(&file, |row| Ok((row.line, reference_csv::read(row)?)))
}

impl ShowRows {
    async fn run(self) -> Outcome {
        let answer = rows(&self.connect.client()?, &self.table, &self.prefix, self.on).await?;
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
    match rows(client, "ncm", "", None).await {
        Ok(answer) => Ok(answer.rows),
        Err(failure) if failure.reason == "NOT_FOUND" => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// All rows of a table whose code begins with `prefix` and that hold on a day, if one is given.
async fn rows(
    client: &Client,
    table: &str,
    prefix: &str,
    on: Option<Date>,
) -> Outcome<ListReferenceRowsResponse> {
    let mut request = ListReferenceRowsRequest {
        table: parse::name("referenceTables", table),
        page_size: 1000,
        code_prefix: prefix.to_owned(),
        on,
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
        ("Digest", table.digest),
        ("Rows", table.rows.to_string()),
        ("New", answer.created.to_string()),
        ("Changed", answer.updated.to_string()),
        ("Unchanged", answer.unchanged.to_string()),
        ("Removed", answer.removed.to_string()),
        ("Ledger entry", answer.receipt.as_ref().map(|r| r.index.to_string()).unwrap_or_default()),
    ])
}
