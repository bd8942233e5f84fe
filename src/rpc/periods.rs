//! PeriodService: months that the ministry closes.

use tonic::{Request, Response, Status};

use super::page_token::{PageTokens, paged};
use super::wire::{self, writes};
use crate::app::App;
use crate::domain::month::{ClosedMonth, Month};
use crate::proto::puente::common::v1 as common;
use crate::proto::puente::sales::v1::period_service_server::PeriodService;
use crate::proto::puente::sales::v1::{
    ClosePeriodRequest, ClosePeriodResponse, ClosedPeriod, ListClosedPeriodsRequest,
    ListClosedPeriodsResponse,
};

/// Serves closed months.
pub struct Periods {
    app: App,
    pages: PageTokens,
}

impl Periods {
    /// Serves `app`'s closed months.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

writes!(ClosePeriodRequest);
paged!(ListClosedPeriodsRequest);

#[tonic::async_trait]
impl PeriodService for Periods {
    async fn close_period(
        &self,
        request: Request<ClosePeriodRequest>,
    ) -> Result<Response<ClosePeriodResponse>, Status> {
        let caller = wire::caller(&request)?;
        let mut request = request.into_inner();
        let intent = wire::intent(&caller, &mut request)?;
        let first: Month = wire::parsed("first_month", &request.first_month)?;
        let last = wire::optional::<Month>("last_month", &request.last_month)?.unwrap_or(first);
        if last < first {
            return Err(wire::invalid("last_month", "must not be before first_month").into());
        }
        let closed = self.app.close_months(&intent, caller.partner(), first, last).await?;
        wire::answer(closed, |months, receipt| ClosePeriodResponse {
            closed_periods: months.into_iter().map(Into::into).collect(),
            receipt,
        })
    }

    async fn list_closed_periods(
        &self,
        request: Request<ListClosedPeriodsRequest>,
    ) -> Result<Response<ListClosedPeriodsResponse>, Status> {
        let caller = wire::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let page = self.app.closed_months(&asked.after, asked.limit).await?;
        Ok(Response::new(ListClosedPeriodsResponse {
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
            closed_periods: page.items.into_iter().map(|held| held.value.into()).collect(),
        }))
    }
}

impl From<ClosedMonth> for ClosedPeriod {
    fn from(closed: ClosedMonth) -> Self {
        let ClosedMonth { month, closed_by, closed_at } = closed;
        let (first, last) = (wire::date(month.first()), wire::date(month.last()));
        Self {
            name: format!("closedPeriods/{month}"),
            period: Some(common::Period { first: Some(first), last: Some(last) }),
            closed_by: format!("partners/{closed_by}"),
            close_time: Some(wire::timestamp(closed_at)),
        }
    }
}
