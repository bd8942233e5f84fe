//! Questions about sales over gRPC.
//!
//! Enters: requests of `SalesAnalyticsService`. Leaves: ranked listings and sums, never a line.

mod wire;

use tonic::{Request, Response, Status};

use self::wire as convert;
use super::wire as shared;
use crate::app::App;
use crate::app::analytics::Question;
use crate::error::Result;
use crate::proto::puente::common::v1::Period;
use crate::proto::puente::sales::v1::sales_analytics_service_server::SalesAnalyticsService;
use crate::proto::puente::sales::v1::{
    ExchangeRate, SalesFilter, SummarizeRequest, SummarizeResponse, TopProductsRequest,
    TopProductsResponse,
};

/// Serves aggregates.
pub struct SalesAnalytics {
    app: App,
}

impl SalesAnalytics {
    /// Answers from `app`'s aggregates.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    /// What is asked, apart from how the answer is arranged.
    async fn question(
        &self,
        period: Option<Period>,
        filter: Option<SalesFilter>,
        compare_with: i32,
        rates: Vec<ExchangeRate>,
    ) -> Result<Question> {
        let as_of = filter.as_ref().and_then(|filter| filter.as_of);
        let as_of = shared::optional_moment("filter.as_of", as_of)?;
        let mut query = convert::query(period, filter)?;
        let compare_with = convert::comparison(compare_with)?;
        let rates = convert::rates(rates)?;
        if let Some(at) = as_of {
            query = self.app.as_of(query, at).await?;
        }
        Ok(Question { query, compare_with, rates })
    }
}

#[tonic::async_trait]
impl SalesAnalyticsService for SalesAnalytics {
    async fn top_products(
        &self,
        request: Request<TopProductsRequest>,
    ) -> std::result::Result<Response<TopProductsResponse>, Status> {
        let sight = self.app.sight(&shared::caller(&request)?);
        let TopProductsRequest { period, measure, limit, filter, compare_with, rates } =
            request.into_inner();
        let period = shared::required("period", period)?;
        let measure = convert::measure(measure)?;
        let limit = convert::limit(limit)?;
        let question = self.question(Some(period), filter, compare_with, rates).await?;
        let ranking = self.app.top_products(&sight, question, measure, limit).await?;
        Ok(Response::new(convert::ranking(ranking)))
    }

    async fn summarize(
        &self,
        request: Request<SummarizeRequest>,
    ) -> std::result::Result<Response<SummarizeResponse>, Status> {
        let sight = self.app.sight(&shared::caller(&request)?);
        let SummarizeRequest { period, dimensions, filter, compare_with, rates, with_shares } =
            request.into_inner();
        let dimensions = convert::dimensions(dimensions)?;
        let question = self.question(period, filter, compare_with, rates).await?;
        let summary = self.app.summarize(&sight, question, &dimensions, with_shares).await?;
        Ok(Response::new(convert::summary(&dimensions, summary)))
    }
}
