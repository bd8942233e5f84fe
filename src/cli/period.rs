//! `puente period`: months whose sums are final.

use super::output::{date, moment, show, table};
use super::{Connect, Outcome};
use crate::proto::puente::sales::v1::period_service_client::PeriodServiceClient;
use crate::proto::puente::sales::v1::{
    ClosePeriodRequest, ClosedPeriod, ListClosedPeriodsRequest, ListClosedPeriodsResponse,
};

/// Close months, or list those that are closed
#[derive(clap::Subcommand)]
pub enum Period {
    Close(Close),
    List(List),
}

/// Close a month, or several, for good
///
/// For the ministry. A closed month takes no more lines; what is found wrong later is sent as an
/// ADJUSTMENT dated in an open month.
///
/// Examples:
///   puente period close 2026-05 --profile profiles/ministry.toml
///   puente period close 2026-01 --to 2026-06 --profile profiles/ministry.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Close {
    /// The month, or the first of several
    #[arg(value_name = "YYYY-MM")]
    month: String,
    /// The last month, where there are several
    #[arg(long, value_name = "YYYY-MM", default_value = "")]
    to: String,
    /// Check only, close nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connect: Connect,
}

/// List closed months, the earliest first
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    connect: Connect,
}

impl Period {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Close(close) => close.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl Close {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = ClosePeriodRequest {
            request_id: client.request_id(),
            first_month: self.month,
            last_month: self.to,
            validate_only: self.dry_run,
        };
        let answer = client
            .call(request, |channel, request| async move {
                PeriodServiceClient::new(channel).close_period(request).await
            })
            .await?;
        show(self.connect.output(), "puente.sales.v1.ClosePeriodResponse", &answer, |answer| {
            rows(&answer.closed_periods)
        })
    }
}

impl List {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let mut request = ListClosedPeriodsRequest { page_size: 1000, ..Default::default() };
        let mut answer = ListClosedPeriodsResponse::default();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    PeriodServiceClient::new(channel).list_closed_periods(request).await
                })
                .await?;
            answer.closed_periods.extend(page.closed_periods);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        let name = "puente.sales.v1.ListClosedPeriodsResponse";
        show(self.connect.output(), name, &answer, |answer| rows(&answer.closed_periods))
    }
}

fn rows(closed: &[ClosedPeriod]) -> String {
    let mut table = table(["First day", "Last day", "Closed by", "Closed"]);
    for one in closed {
        let period = one.period.unwrap_or_default();
        table.add_row([
            date(period.first.as_ref()),
            date(period.last.as_ref()),
            one.closed_by.clone(),
            moment(one.close_time.as_ref()),
        ]);
    }
    format!("{table}\n")
}
