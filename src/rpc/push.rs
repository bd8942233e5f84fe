//! A push of sale lines: several batches under way, answered in order once they are durable.
//!
//! Enters: the messages of one stream. Leaves: a welcome, then a result for each batch. The next
//! message is read only when there is room, so a slow disk slows the sender down.

use std::future::ready;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesOrdered, Stream, StreamExt as _};
use tonic::Status;

use super::sales::wire as convert;
use super::wire;
use crate::app::App;
use crate::app::lines::Target;
use crate::app::write::Written;
use crate::domain::caller::Caller;
use crate::error::Result;
use crate::proto::puente::sales::v1::push_sale_lines_request::Part as Sent;
use crate::proto::puente::sales::v1::push_sale_lines_response::Part as Answer;
use crate::proto::puente::sales::v1::{
    BatchResult, PushSaleLinesRequest, PushSaleLinesResponse, PushStart, PushWelcome, SaleLineBatch,
};

/// The answers to a push; `incoming` is what the caller sends.
pub fn push<S>(
    app: App,
    caller: Caller,
    incoming: S,
) -> impl Stream<Item = std::result::Result<PushSaleLinesResponse, Status>> + Send
where
    S: Stream<Item = std::result::Result<PushSaleLinesRequest, Status>> + Send + Unpin,
{
    stream::unfold(Step::Begin(Begin { app, caller, incoming }), |step| async {
        match step {
            Step::Begin(begin) => Some(begin.welcome().await),
            Step::Going(push) => push.next().await,
            Step::Over => None,
        }
    })
}

/// How far a push is.
enum Step<S> {
    Begin(Begin<S>),
    Going(Push<S>),
    Over,
}

/// An answer, and what comes after it.
type Next<S> = (std::result::Result<PushSaleLinesResponse, Status>, Step<S>);

/// A push before its first message was read.
struct Begin<S> {
    app: App,
    caller: Caller,
    incoming: S,
}

/// A push that was welcomed.
struct Push<S> {
    app: App,
    caller: Caller,
    incoming: S,
    target: Target,
    /// Judge only.
    dry: bool,
    /// Lines of the sender's sequence that are done, as far as a dry push counts them.
    committed: u64,
    settling: FuturesOrdered<BoxFuture<'static, Result<BatchResult>>>,
    /// Whether more is to be read.
    reading: bool,
    /// What the push ends with, after the results of the batches before.
    failure: Option<Status>,
}

impl<S> Begin<S>
where
    S: Stream<Item = std::result::Result<PushSaleLinesRequest, Status>> + Send + Unpin,
{
    async fn welcome(mut self) -> Next<S> {
        let start = match self.incoming.next().await {
            Some(Ok(PushSaleLinesRequest { part: Some(Sent::Start(start)) })) => start,
            Some(Err(status)) => return (Err(status), Step::Over),
            Some(Ok(_)) | None => {
                let error = wire::invalid("start", "the first message of a push is its start");
                return (Err(error.into()), Step::Over);
            }
        };
        match self.open(&start).await {
            Ok((push, welcome)) => (Ok(answer(Answer::Welcome(welcome))), Step::Going(push)),
            Err(error) => (Err(error.into()), Step::Over),
        }
    }

    async fn open(self, start: &PushStart) -> Result<(Push<S>, PushWelcome)> {
        let Self { app, caller, incoming } = self;
        let key = convert::report_key("start.report", &start.report)?;
        let (target, state) = app.push_target(&caller.visibility(), &key).await?;
        let committed = app.store.report_progress(&key).await?.next_line;
        let welcome = PushWelcome {
            committed_lines: convert::number(committed),
            window: convert::bound(convert::WINDOW),
            max_lines_per_batch: convert::bound(convert::MAX_LINES),
            max_bytes_per_batch: convert::bound(convert::MAX_BYTES),
            report_state: convert::state(state).into(),
            limits: Some(convert::limits(&app, &target.marketplace)),
        };
        let push = Push {
            app,
            caller,
            incoming,
            target,
            dry: start.validate_only,
            committed,
            settling: FuturesOrdered::new(),
            reading: true,
            failure: None,
        };
        Ok((push, welcome))
    }
}

impl<S> Push<S>
where
    S: Stream<Item = std::result::Result<PushSaleLinesRequest, Status>> + Send + Unpin,
{
    /// The next answer: results in the order of the batches, then what the push failed of.
    async fn next(mut self) -> Option<Next<S>> {
        loop {
            let room = self.reading && self.settling.len() < convert::WINDOW;
            tokio::select! {
                Some(settled) = self.settling.next(), if !self.settling.is_empty() => {
                    return Some(match settled {
                        Ok(result) => (Ok(answer(Answer::Result(result))), Step::Going(self)),
                        Err(error) => (Err(error.into()), Step::Over),
                    });
                }
                sent = self.incoming.next(), if room => self.take(sent).await,
                else => return self.failure.take().map(|status| (Err(status), Step::Over)),
            }
        }
    }

    async fn take(&mut self, sent: Option<std::result::Result<PushSaleLinesRequest, Status>>) {
        let taken = match sent {
            Some(Ok(PushSaleLinesRequest { part: Some(Sent::Batch(batch)) })) => {
                self.batch(batch).await.map_err(Status::from)
            }
            Some(Ok(_)) => {
                Err(wire::invalid("batch", "every message after the first is a batch").into())
            }
            Some(Err(status)) => Err(status),
            None => {
                self.reading = false;
                return;
            }
        };
        if let Err(status) = taken {
            self.reading = false;
            self.failure = Some(status);
        }
    }

    /// Hands a batch to the writer; the order of batches is the order of these calls.
    async fn batch(&mut self, batch: SaleLineBatch) -> Result<()> {
        let request_id = batch.request_id.clone();
        let (intent, sent) =
            convert::batch(&self.caller, &self.target.key, batch).map_err(|e| e.within("batch"))?;
        if self.dry {
            let (first, end) = (sent.first_line, sent.first_line + u64::from(sent.sent));
            let mut value = self.app.preview_lines(&self.target, sent).await?;
            if first <= self.committed {
                self.committed = self.committed.max(end);
            }
            value.next_line = self.committed;
            let written = Written { value, receipt: None, replayed: false };
            let result = convert::result(request_id, written);
            self.settling.push_back(Box::pin(ready(Ok(result))));
            return Ok(());
        }
        let queued = self.app.enqueue_lines(&intent, &self.target, sent).await?;
        self.settling.push_back(Box::pin(async move {
            queued.settled().await.map(|written| convert::result(request_id, written))
        }));
        Ok(())
    }
}

fn answer(part: Answer) -> PushSaleLinesResponse {
    PushSaleLinesResponse { part: Some(part) }
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
