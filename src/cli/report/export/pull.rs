//! The stream of an export, opened again where it broke.
//!
//! Enters: a request. Leaves: its messages, each once and whole, however often the connection or
//! the token comes to its end.

use indicatif::ProgressBar;
use tonic::Status;

use crate::cli::client::Pauses;
use crate::cli::{Client, Failure, Outcome};
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{ExportSaleLinesRequest, ExportSaleLinesResponse};

/// Takes the messages of an export.
pub(super) trait Taking {
    /// Takes one; false if no more are wanted.
    fn take(&mut self, message: ExportSaleLinesResponse) -> Outcome<bool>;
}

/// Why a stream ended before the last message.
enum Broken {
    /// The gateway or the connection said so.
    Status(Status),
    /// Something that another stream does not mend.
    Failure(Failure),
}

/// Brings all messages from `request`'s cursor on.
pub(super) async fn pull(
    client: &Client,
    mut request: ExportSaleLinesRequest,
    to: &mut impl Taking,
    bar: &ProgressBar,
) -> Outcome {
    let mut pauses = Pauses::default();
    loop {
        let before = request.cursor.clone();
        match one_stream(client, &mut request, to, bar).await {
            Ok(()) => return Ok(()),
            Err(Broken::Failure(failure)) => return Err(failure),
            Err(Broken::Status(status)) => {
                if request.cursor != before {
                    pauses.reset();
                }
                bar.set_message("connecting again");
                client.pause_or_fail(status, &mut pauses).await?;
                bar.set_message("");
            }
        }
    }
}

async fn one_stream(
    client: &Client,
    request: &mut ExportSaleLinesRequest,
    to: &mut impl Taking,
    bar: &ProgressBar,
) -> Result<(), Broken> {
    let asked = client.authorized(request.clone()).await.map_err(Broken::Failure)?;
    let mut answers = SalesReportServiceClient::new(client.channel())
        .export_sale_lines(asked)
        .await
        .map_err(Broken::Status)?
        .into_inner();
    while let Some(message) = answers.message().await.map_err(Broken::Status)? {
        let (cursor, done) = (message.cursor.clone(), message.done);
        bar.set_position(u64::try_from(message.exported_lines).unwrap_or_default());
        let wanted = to.take(message).map_err(Broken::Failure)?;
        if done || !wanted {
            return Ok(());
        }
        request.cursor = cursor;
    }
    Err(Broken::Status(Status::unavailable("the export ended before its last message")))
}
