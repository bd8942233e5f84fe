//! `puente report export`: stored lines into a file, gone on with where it was cut.

mod parquet;
mod part;
mod pull;

use std::borrow::Cow;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use prost::Message as _;
use serde_json::json;

use self::part::{Part, Place};
use self::pull::{Taking, pull};
use crate::cli::batches::progress;
use crate::cli::csv::sales;
use crate::cli::output::{Output, facts, print, print_json, tell};
use crate::cli::push_sales::read_report;
use crate::cli::{Client, Connect, Failure, Outcome, parse};
use crate::proto::puente::common::v1::Period;
use crate::proto::puente::sales::v1::export_sale_lines_request::Scope;
use crate::proto::puente::sales::v1::{
    ExportSaleLinesRequest, ExportSaleLinesResponse, ExportedSaleLine, LineKind, Verdict,
};

/// Take stored lines out into a file, those of a report or of a period
///
/// For the marketplace itself, customs and auditors. A command that was cut goes on where it
/// stopped when it is run again, and ends with the same file as one that was not: what arrives
/// meanwhile is not in it. Until then the lines are in FILE.part.
///
/// CSV has the columns of push sales first, so that it can be pushed again, then report,
/// marketplace, verdict, reasons, entry_index, seller_cuit, ncm. An id that a spreadsheet would
/// take for a formula (it begins with = + - @) stands behind an apostrophe, which push sales takes
/// off; numbers stay numbers. Parquet has exact decimals, moments in UTC with the offset beside
/// them, the day of sale as a date, and texts as they are.
///
/// Examples:
///   puente report export salesReports/0198c7a2-... --to 2026-11.csv --profile marketplace.toml
///   puente report export --period 2026-11-01..2026-11-30 --format parquet --to 2026-11.parquet \
///     --profile profiles/customs.toml
///   puente report export --period 2026-11-11..2026-11-11 --kind return,refund --to - \
///     --profile profiles/auditor.toml | head
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Export {
    /// The report's name, as push sales and report list print it
    #[arg(required_unless_present = "period", conflicts_with = "period")]
    name: Option<String>,
    /// The days of sale, both ends included, instead of a report
    #[arg(long, value_name = "FROM..TO", value_parser = parse::period)]
    period: Option<Period>,
    /// How lines are written
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Where to; - is standard output, for CSV
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Only lines of this marketplace
    #[arg(long, value_name = "PARTNER")]
    marketplace: Option<String>,
    /// Only lines of these kinds, such as sale or return
    #[arg(long = "kind", value_name = "KIND[,KIND]", value_delimiter = ',',
          value_parser = |text: &str| parse::kind(&parse::typed(text)))]
    kinds: Vec<LineKind>,
    /// Only lines that carry a warning
    #[arg(long)]
    warned: bool,
    /// Only lines with this warning, such as unknown-original or exceeds-original
    #[arg(long, value_name = "REASON", default_value = "")]
    reason: String,
    #[command(flatten)]
    connect: Connect,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Text with commas, as RFC 4180 quotes it.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Export {
    pub(super) async fn run(self) -> Outcome {
        if self.to != Path::new("-") {
            return self.into_file().await;
        }
        if self.format == Format::Parquet {
            let usage = "a Parquet file cannot be written to standard output: name a file\n";
            clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, usage).exit();
        }
        let client = self.connect.client()?;
        let bar = self.bar(&client).await?;
        let mut out = Standard { out: std::io::stdout().lock(), begun: false };
        pull(&client, self.request(), &mut out, &bar).await
    }

    async fn into_file(self) -> Outcome {
        let client = self.connect.client()?;
        let mut request = self.request();
        let (mut part, found) = Part::open(&self.to, &self.described(&client, &request))?;
        let resumed_at = found.lines;
        if found.lines > 0 {
            tell(format_args!("going on after {} lines that came before", found.lines));
        }
        if part.is_empty() {
            part.begin(&self.format.head());
        }
        if !found.done {
            request.cursor = found.cursor;
            let bar = self.bar(&client).await?;
            let mut taking = Filling { part: &mut part, format: self.format };
            let pulled = pull(&client, request, &mut taking, &bar).await;
            bar.finish_and_clear();
            // What came so far is kept, however the command ends.
            part.note()?;
            pulled.map_err(|failure| self.explained(failure))?;
        }
        let end = match self.format {
            Format::Csv => part.become_whole()?,
            Format::Parquet => part.become_other(parquet::write)?,
        };
        self.tell_end(&end, resumed_at)
    }

    fn request(&self) -> ExportSaleLinesRequest {
        let scope = match (&self.name, self.period) {
            (Some(name), _) => Some(Scope::Report(parse::name("salesReports", name))),
            (None, period) => period.map(Scope::Period),
        };
        let verdict = if self.warned { Verdict::AcceptedWithWarning } else { Verdict::Unspecified };
        ExportSaleLinesRequest {
            scope,
            marketplace: self
                .marketplace
                .as_ref()
                .map(|id| parse::name("partners", id))
                .unwrap_or_default(),
            kinds: self.kinds.iter().map(|kind| (*kind).into()).collect(),
            verdict: verdict.into(),
            reason: parse::typed(&self.reason),
            ..Default::default()
        }
    }

    /// What tells one export from another: gateway, partner, format, and what is asked.
    fn described(&self, client: &Client, request: &ExportSaleLinesRequest) -> String {
        let profile = &client.profile;
        let question = hex::encode(request.encode_to_vec());
        format!("{} {} {:?} {question}", profile.endpoint, profile.client_id, self.format)
    }

    /// A bar where it is known how many lines there are, else a count.
    async fn bar(&self, client: &Client) -> Outcome<ProgressBar> {
        let all = self.kinds.is_empty() && !self.warned && self.reason.is_empty();
        let length = match &self.name {
            Some(name) if all => {
                let name = parse::name("salesReports", name);
                let counts = read_report(client, &name).await?.counts.unwrap_or_default();
                u64::try_from(counts.accepted + counts.accepted_with_warning).ok()
            }
            Some(_) | None => None,
        };
        let bar = progress(length.unwrap_or_default(), "lines");
        if length.is_none() {
            bar.unset_length();
            if let Ok(style) = ProgressStyle::with_template("{human_pos} {prefix} {msg}") {
                bar.set_style(style);
            }
        }
        Ok(bar)
    }

    /// A cursor that is worth nothing any more is in the way of a new beginning.
    fn explained(&self, failure: Failure) -> Failure {
        match failure.reason.as_str() {
            "INVALID_CURSOR" | "EXPORT_LOST" => {
                let to = self.to.display();
                failure.hint(format!("to begin anew remove {to}.part and {to}.part.cursor"))
            }
            _ => failure,
        }
    }

    fn tell_end(&self, end: &Place, resumed_at: i64) -> Outcome {
        match self.connect.output() {
            Output::Json => print_json(&json!({
                "file": self.to.display().to_string(),
                "exportedLines": end.lines.to_string(),
                "ledgerSize": end.ledger_size.to_string(),
                "resumedAt": resumed_at.to_string(),
            })),
            Output::Table => print(&facts([
                ("File", self.to.display().to_string()),
                ("Lines", end.lines.to_string()),
                ("Ledger size", end.ledger_size.to_string()),
            ])),
        }
    }
}

impl Format {
    /// What a file begins with.
    fn head(self) -> Vec<u8> {
        match self {
            Self::Csv => rows([sales::EXPORTED.map(Cow::Borrowed)]),
            Self::Parquet => Vec::new(),
        }
    }

    /// Lines as they stand in a part; a Parquet file is made of its part at the end.
    fn encode(self, lines: &[ExportedSaleLine]) -> Vec<u8> {
        match self {
            Self::Csv => rows(lines.iter().map(sales::cells)),
            Self::Parquet => parquet::spooled(lines),
        }
    }
}

/// Whole rows, each with its line feed.
fn rows<'a>(rows: impl IntoIterator<Item = [Cow<'a, str>; sales::EXPORTED.len()]>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for cells in rows {
        // Nothing that is written to memory fails.
        let _ = writer.write_record(cells.iter().map(|cell| cell.as_bytes()));
    }
    writer.into_inner().unwrap_or_default()
}

/// Fills a part.
struct Filling<'p> {
    part: &'p mut Part,
    format: Format,
}

impl Taking for Filling<'_> {
    fn take(&mut self, message: ExportSaleLinesResponse) -> Outcome<bool> {
        let bytes = self.format.encode(&message.lines);
        let place = Place {
            cursor: message.cursor,
            lines: message.exported_lines,
            ledger_size: message.ledger_size,
            done: message.done,
        };
        self.part.append(&bytes, place)?;
        Ok(true)
    }
}

/// Writes to standard output, for as long as somebody reads it.
struct Standard<'o> {
    out: std::io::StdoutLock<'o>,
    begun: bool,
}

impl Taking for Standard<'_> {
    fn take(&mut self, message: ExportSaleLinesResponse) -> Outcome<bool> {
        let mut bytes = if self.begun { Vec::new() } else { Format::Csv.head() };
        self.begun = true;
        bytes.extend(Format::Csv.encode(&message.lines));
        match self.out.write_all(&bytes).and_then(|()| self.out.flush()) {
            Err(reason) if reason.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(reason) => Err(Failure::new("OUTPUT", format!("standard output: {reason}"))),
            Ok(()) => Ok(true),
        }
    }
}
