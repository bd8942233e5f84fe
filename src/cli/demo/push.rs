//! A push of sale lines on one stream, whose batches and receipts are kept.
//!
//! Enters: a client, a report, batches. Leaves: the result of each batch in order; or, where the
//! connection is cut on purpose, of those that were answered before.

use std::collections::HashMap;

use indicatif::ProgressBar;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::cli::{Client, Failure, Outcome};
use crate::proto::puente::sales::v1::push_sale_lines_request::Part as Sent;
use crate::proto::puente::sales::v1::push_sale_lines_response::Part as Got;
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{
    BatchResult, LineCounts, PushSaleLinesRequest, PushStart, PushWelcome, SaleLine, SaleLineBatch,
};

/// Cuts lines into batches of `size`, each with a request id of its own.
pub fn batches(client: &Client, lines: &[SaleLine], size: usize) -> Vec<SaleLineBatch> {
    lines
        .chunks(size)
        .scan(0, |first, lines| {
            let first_line = *first;
            *first += lines.len() as i64;
            Some(SaleLineBatch {
                request_id: client.request_id(),
                first_line,
                lines: lines.to_vec(),
            })
        })
        .collect()
}

/// How a push begins and ends.
#[derive(Clone, Copy, Default)]
pub struct How {
    /// Pass over the batches whose lines the gateway says it has.
    pub resume: bool,
    /// Leave after that many results, with the next batches sent already.
    pub cut_after: Option<usize>,
}

/// The place after the last line of a batch.
pub fn end(batch: &SaleLineBatch) -> i64 {
    batch.first_line + batch.lines.len() as i64
}

/// What a push brought.
#[derive(Default)]
pub struct Pushed {
    /// What the gateway said first.
    pub welcome: PushWelcome,
    /// How many batches were passed over.
    pub passed: usize,
    /// One result a batch answered, in order.
    pub results: Vec<BatchResult>,
}

impl Pushed {
    /// How many lines got which verdict.
    pub fn counts(&self) -> LineCounts {
        self.results.iter().filter_map(|result| result.counts).fold(
            LineCounts::default(),
            |sum, counts| LineCounts {
                accepted: sum.accepted + counts.accepted,
                accepted_with_warning: sum.accepted_with_warning + counts.accepted_with_warning,
                duplicate: sum.duplicate + counts.duplicate,
                refused: sum.refused + counts.refused,
            },
        )
    }
}

/// Pushes batches and waits for their results.
pub async fn push(
    client: &Client,
    report: &str,
    batches: &[SaleLineBatch],
    how: How,
    bar: &ProgressBar,
) -> Outcome<Pushed> {
    let (send, receive) = mpsc::channel(1);
    let start = PushStart { report: report.to_owned(), validate_only: false };
    // Unread yet, so the channel has room.
    let _ = send.try_send(PushSaleLinesRequest { part: Some(Sent::Start(start)) });
    let request = client.authorized(ReceiverStream::new(receive)).await?;
    let mut answers = SalesReportServiceClient::new(client.channel())
        .max_decoding_message_size(64 << 20)
        .push_sale_lines(request)
        .await
        .map_err(|status| client.failure(status))?
        .into_inner();
    let mut pushed = Pushed::default();
    match answers.message().await.map_err(|status| client.failure(status))?.and_then(|a| a.part) {
        Some(Got::Welcome(welcome)) => pushed.welcome = welcome,
        Some(Got::Result(_)) | None => return Err(out_of_order()),
    }
    let window = usize::try_from(pushed.welcome.window).unwrap_or(1).max(1);
    if how.resume {
        let done = |batch: &&SaleLineBatch| end(batch) <= pushed.welcome.committed_lines;
        pushed.passed = batches.iter().take_while(done).count();
    }
    let batches = &batches[pushed.passed..];
    let mut waiting = batches.iter();
    let mut sent = 0;
    while pushed.results.len() < batches.len() {
        for batch in waiting.by_ref().take(window - (sent - pushed.results.len())) {
            let part = Some(Sent::Batch(batch.clone()));
            // If the stream is broken, the next answer says why.
            let _ = send.send(PushSaleLinesRequest { part }).await;
            sent += 1;
        }
        if how.cut_after.is_some_and(|count| pushed.results.len() >= count) {
            return Ok(pushed);
        }
        let answer = answers.message().await.map_err(|status| client.failure(status))?;
        match answer.and_then(|answer| answer.part) {
            Some(Got::Result(result)) => {
                let place = pushed.results.len();
                if result.request_id != batches[place].request_id {
                    return Err(out_of_order());
                }
                bar.inc(batches[place].lines.len() as u64);
                pushed.results.push(result);
            }
            Some(Got::Welcome(_)) | None => return Err(out_of_order()),
        }
    }
    Ok(pushed)
}

/// Which ledger entry took each line, by line id.
#[derive(Default)]
pub struct Taken(HashMap<String, i64>);

impl Taken {
    /// Notes that the entry `index` took a batch.
    pub fn note(&mut self, batch: &SaleLineBatch, index: i64) {
        for line in &batch.lines {
            self.0.insert(line.line_id.clone(), index);
        }
    }

    /// The entry that took a line.
    pub fn index(&self, line_id: &str) -> Option<i64> {
        self.0.get(line_id).copied()
    }

    /// How many lines were taken.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn out_of_order() -> Failure {
    Failure::new("INTERNAL", "the gateway answered out of order")
}
