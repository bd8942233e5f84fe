//! A marketplace that reports its sales.

use puente::cli::Client;
use puente::proto::puente::common::v1::Period;
use puente::proto::puente::sales::v1::push_sale_lines_request::Part as Sent;
use puente::proto::puente::sales::v1::push_sale_lines_response::Part as Got;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{
    AppendSaleLinesRequest, BatchResult, GetSalesReportRequest, OpenSalesReportRequest,
    PushSaleLinesRequest, PushSaleLinesResponse, PushStart, PushWelcome, SaleLineBatch,
    SalesReport,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// An open stream of sale lines.
pub struct Push {
    send: mpsc::Sender<PushSaleLinesRequest>,
    answers: Streaming<PushSaleLinesResponse>,
    pub welcome: PushWelcome,
}

impl Push {
    /// Starts a push into `report`.
    pub async fn open(client: &Client, report: &str) -> Result<Self, Status> {
        let (send, sent) = mpsc::channel(64);
        let start = PushStart { report: report.to_owned(), validate_only: false };
        send.try_send(PushSaleLinesRequest { part: Some(Sent::Start(start)) }).unwrap();
        let request = client
            .authorized(ReceiverStream::new(sent))
            .await
            .map_err(|failure| Status::unavailable(failure.to_string()))?;
        let mut answers = SalesReportServiceClient::new(client.channel())
            .push_sale_lines(request)
            .await?
            .into_inner();
        match answers.message().await?.and_then(|message| message.part) {
            Some(Got::Welcome(welcome)) => Ok(Self { send, answers, welcome }),
            other => panic!("no welcome: {other:?}"),
        }
    }

    /// Sends a batch; false if the stream is broken.
    pub async fn send(&self, batch: SaleLineBatch) -> bool {
        self.send.send(PushSaleLinesRequest { part: Some(Sent::Batch(batch)) }).await.is_ok()
    }

    /// The next result.
    pub async fn result(&mut self) -> Result<BatchResult, Status> {
        match self.answers.message().await?.and_then(|message| message.part) {
            Some(Got::Result(result)) => Ok(result),
            None => Err(Status::unavailable("the stream ended")),
            other => panic!("no result: {other:?}"),
        }
    }

    /// Sends a batch and waits for its result.
    pub async fn exchange(&mut self, batch: SaleLineBatch) -> Result<BatchResult, Status> {
        // If the stream is broken, the answer says why.
        let _ = self.send(batch).await;
        self.result().await
    }
}

/// Opens a report, the only one of its period.
pub async fn open_report(client: &Client, period: Period) -> SalesReport {
    let request = OpenSalesReportRequest {
        request_id: client.request_id(),
        period: Some(period),
        validate_only: false,
    };
    let answer = client
        .call(request, |channel, request| async move {
            SalesReportServiceClient::new(channel).open_sales_report(request).await
        })
        .await
        .unwrap();
    answer.report.unwrap()
}

/// The report as it is now.
pub async fn report(client: &Client, name: &str) -> SalesReport {
    let request = GetSalesReportRequest { name: name.to_owned() };
    let answer = client
        .call(request, |channel, request| async move {
            SalesReportServiceClient::new(channel).get_sales_report(request).await
        })
        .await
        .unwrap();
    answer.report.unwrap()
}

/// Sends one batch by itself, once.
pub async fn append(
    client: &Client,
    report: &str,
    batch: SaleLineBatch,
) -> Result<BatchResult, Status> {
    let message = AppendSaleLinesRequest {
        report: report.to_owned(),
        batch: Some(batch),
        validate_only: false,
    };
    let request = client.authorized(message).await.unwrap();
    let answer = SalesReportServiceClient::new(client.channel()).append_sale_lines(request).await?;
    Ok(answer.into_inner().result.unwrap())
}

/// Number and sum of the lines stored, whatever their kind.
pub fn stored(report: &SalesReport) -> (u64, rust_decimal::Decimal) {
    let lines = report.totals.iter().map(|total| total.lines as u64).sum();
    let amounts = report.totals.iter().map(|total| {
        total.amount.as_ref().unwrap().value.parse::<rust_decimal::Decimal>().unwrap()
    });
    (lines, amounts.sum())
}
