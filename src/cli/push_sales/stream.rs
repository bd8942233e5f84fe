//! The push itself: batches in flight, answers in order, a broken stream taken up again.
//!
//! Enters: batches. Leaves: what became of all lines. A batch stays in memory until it is
//! answered and is sent again, under its own id, on the next stream if the one before broke.
//! A later run of the same command skips what an earlier one had acknowledged, but only if the
//! ledger shows that it was this very file and no line of it was refused.

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::batch::{Batch, Batches};
use super::read_report;
use crate::cli::client::{Client, Pauses};
use crate::cli::csv::{CsvFile, RowFault};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::tell;
use crate::proto::puente::ledger::v1::FindReceiptRequest;
use crate::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use crate::proto::puente::sales::v1::push_sale_lines_request::Part as Sent;
use crate::proto::puente::sales::v1::push_sale_lines_response::Part as Got;
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{
    BatchResult, LineCounts, PushSaleLinesRequest, PushSaleLinesResponse, PushStart, PushWelcome,
    Verdict,
};

/// Bad rows that are shown one by one; the rest are counted.
const SHOWN: u64 = 1000;

/// What became of the lines of this run.
#[derive(Default)]
pub(super) struct Tally {
    /// The gateway's verdicts.
    pub(super) counts: LineCounts,
    /// Rows that were no sale lines and so were not sent.
    pub(super) malformed: u64,
    /// Lines that an earlier run had brought in.
    pub(super) resumed_at: i64,
}

impl Tally {
    /// Rows of the file that are not stored.
    pub(super) fn refused(&self) -> u64 {
        self.malformed + u64::try_from(self.counts.refused).unwrap_or(0)
    }
}

/// One run of the command.
pub(super) struct Push<'a> {
    client: &'a Client,
    report: &'a str,
    file: &'a CsvFile,
    batches: Batches<'a>,
    bar: &'a ProgressBar,
    waiting: VecDeque<Batch>,
    tally: Tally,
    told: u64,
    started: bool,
    done: bool,
}

struct Stream {
    send: mpsc::Sender<PushSaleLinesRequest>,
    answers: Streaming<PushSaleLinesResponse>,
    window: usize,
    in_flight: usize,
}

/// Why a stream ended before everything was answered.
enum Broken {
    /// The gateway or the connection said so.
    Status(tonic::Status),
    /// Something that another stream does not mend.
    Failure(Failure),
}

impl<'a> Push<'a> {
    pub(super) fn new(
        client: &'a Client,
        report: &'a str,
        file: &'a CsvFile,
        batches: Batches<'a>,
        bar: &'a ProgressBar,
    ) -> Self {
        Self {
            client,
            report,
            file,
            batches,
            bar,
            waiting: VecDeque::new(),
            tally: Tally::default(),
            told: 0,
            started: false,
            done: false,
        }
    }

    /// Sends everything; streams that break are replaced.
    pub(super) async fn run(mut self) -> Outcome<Tally> {
        let mut pauses = Pauses::default();
        while !self.finished() {
            let before = self.answered();
            match self.one_stream().await {
                Ok(()) => {}
                Err(Broken::Failure(failure)) => return Err(failure),
                Err(Broken::Status(status)) => {
                    if self.answered() > before {
                        pauses.reset();
                    }
                    self.bar.set_message("connecting again");
                    self.client.pause_or_fail(status, &mut pauses).await?;
                    self.bar.set_message("");
                }
            }
        }
        self.tell_malformed();
        if self.told > SHOWN {
            let more = self.told - SHOWN;
            tell(format_args!("{}: and {more} more rows", self.file.path().display()));
        }
        Ok(self.tally)
    }

    fn finished(&self) -> bool {
        self.started && self.done && self.waiting.is_empty()
    }

    fn answered(&self) -> i64 {
        let LineCounts { accepted, accepted_with_warning, duplicate, refused } = self.tally.counts;
        accepted + accepted_with_warning + duplicate + refused
    }

    async fn one_stream(&mut self) -> Result<(), Broken> {
        let (mut stream, welcome) = self.connect().await?;
        if !self.started {
            self.batches.limit(welcome.max_lines_per_batch);
            self.skip_what_is_there(&welcome).await.map_err(Broken::Failure)?;
            self.started = true;
        }
        // What the stream before left unanswered goes first, under the same ids.
        let mut unsent: VecDeque<Batch> = self.waiting.iter().cloned().collect();
        loop {
            while stream.in_flight < stream.window {
                let batch = match unsent.pop_front() {
                    Some(batch) => batch,
                    None => match self.read() {
                        Some(batch) => {
                            self.waiting.push_back(batch.clone());
                            batch
                        }
                        None => break,
                    },
                };
                let part = Some(Sent::Batch(batch.message));
                if stream.send.send(PushSaleLinesRequest { part }).await.is_err() {
                    break; // The stream is broken; the next answer says why.
                }
                stream.in_flight += 1;
            }
            if self.waiting.is_empty() {
                stream.end().await;
                return Ok(());
            }
            let result = stream.result().await?;
            self.take(&result)?;
            stream.in_flight -= 1;
        }
    }

    async fn connect(&self) -> Result<(Stream, PushWelcome), Broken> {
        let (send, receive) = mpsc::channel(1);
        let start = Sent::Start(PushStart { report: self.report.into(), validate_only: false });
        // Unread yet, so the channel has room.
        let _ = send.try_send(PushSaleLinesRequest { part: Some(start) });
        let request =
            self.client.authorized(ReceiverStream::new(receive)).await.map_err(Broken::Failure)?;
        let mut answers = SalesReportServiceClient::new(self.client.channel())
            .max_decoding_message_size(64 << 20)
            .push_sale_lines(request)
            .await
            .map_err(Broken::Status)?
            .into_inner();
        match answers.message().await.map_err(Broken::Status)?.and_then(|answer| answer.part) {
            Some(Got::Welcome(welcome)) => {
                let window = usize::try_from(welcome.window).unwrap_or(1).max(1);
                Ok((Stream { send, answers, window, in_flight: 0 }, welcome))
            }
            Some(Got::Result(_)) | None => Err(out_of_order()),
        }
    }

    fn read(&mut self) -> Option<Batch> {
        let batch = self.batches.next();
        self.done = batch.is_none();
        self.tell_malformed();
        batch
    }

    /// Takes the result of the oldest batch that waits for one.
    fn take(&mut self, result: &BatchResult) -> Result<(), Broken> {
        let batch = self
            .waiting
            .pop_front()
            .filter(|batch| batch.message.request_id == result.request_id)
            .ok_or_else(out_of_order)?;
        let counts = result.counts.unwrap_or_default();
        let total = &mut self.tally.counts;
        total.accepted += counts.accepted;
        total.accepted_with_warning += counts.accepted_with_warning;
        total.duplicate += counts.duplicate;
        total.refused += counts.refused;
        for verdict in result.verdicts.iter().filter(|v| v.verdict() == Verdict::Refused) {
            let place = usize::try_from(verdict.position).ok();
            let line = place.and_then(|at| batch.places.get(at)).copied().unwrap_or_default();
            let fault = RowFault {
                line,
                column: verdict.field.clone(),
                reason: verdict.reasons.join(","),
                message: verdict.message.clone(),
            };
            self.tell(&fault);
        }
        self.bar.set_position(batch.read_to);
        Ok(())
    }

    /// Passes over the batches that an earlier run had acknowledged, if it is certain that they
    /// are these; otherwise everything is sent again, which does no harm.
    async fn skip_what_is_there(&mut self, welcome: &PushWelcome) -> Outcome {
        let committed = welcome.committed_lines;
        if committed == 0 {
            return Ok(());
        }
        // The refused lines of the earlier run must be told again; their batches are replayed.
        let refused = match read_report(self.client, self.report).await {
            Ok(report) => report.counts.unwrap_or_default().refused,
            Err(_) => return Ok(()),
        };
        let mut ahead = Batches::new(self.file, self.report, self.batches.size())?;
        let last = std::iter::from_fn(|| ahead.next()).find(|batch| batch.end() >= committed);
        let Some(last) = last.filter(|last| last.end() == committed && refused == 0) else {
            return Ok(());
        };
        let request = FindReceiptRequest {
            request_id: last.message.request_id.clone(),
            partner: String::new(),
        };
        let found = self
            .client
            .call(request, |channel, request| async move {
                LedgerServiceClient::new(channel).find_receipt(request).await
            })
            .await;
        if !found.is_ok_and(|answer| !answer.receipts.is_empty()) {
            return Ok(());
        }
        self.tally.resumed_at = committed;
        // They are in the report already, as duplicates sent again would be.
        self.tally.counts.duplicate += committed;
        while let Some(batch) = self.read() {
            if batch.end() >= committed {
                self.bar.set_position(batch.read_to);
                break;
            }
        }
        Ok(())
    }

    fn tell_malformed(&mut self) {
        for fault in std::mem::take(&mut self.batches.malformed) {
            self.tally.malformed += 1;
            self.tell(&fault);
        }
    }

    fn tell(&mut self, fault: &RowFault) {
        self.told += 1;
        if self.told <= SHOWN {
            let path = self.file.path().display();
            self.bar.suspend(|| tell(format_args!("{path}: {fault}")));
        }
    }
}

impl Stream {
    /// Ends our side and hears the gateway out, so that it sees an end and not a break.
    async fn end(self) {
        let Self { send, mut answers, .. } = self;
        drop(send);
        // Everything is answered; how the stream ends changes nothing.
        let _ = tokio::time::timeout(Duration::from_secs(5), answers.message()).await;
    }

    async fn result(&mut self) -> Result<BatchResult, Broken> {
        match self.answers.message().await.map_err(Broken::Status)? {
            Some(PushSaleLinesResponse { part: Some(Got::Result(result)) }) => Ok(result),
            Some(PushSaleLinesResponse { part: Some(Got::Welcome(_)) | None }) => {
                Err(out_of_order())
            }
            None => Err(Broken::Status(tonic::Status::unavailable(
                "the gateway ended the stream before it answered everything",
            ))),
        }
    }
}

fn out_of_order() -> Broken {
    Broken::Failure(Failure::new("INTERNAL", "the gateway answered out of order"))
}
