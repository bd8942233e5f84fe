//! `puente.customs.v1.ReconciliationService`: what was declared, shipped, sold, and what differs.
//!
//! Enters: requests that the gate let in. Leaves: accounts of items, and what sales were matched
//! to.

mod wire;

use tonic::{Request, Response, Status};

use super::declarations::wire as declared;
use super::page_token::{PageTokens, paged};
use super::wire::{self as common, writes};
use crate::app::App;
use crate::app::reconciliation::questions::DiscrepanciesQuery;
use crate::domain::caller::{Caller, Visibility};
use crate::proto::puente::customs::v1 as pb;

paged!(pb::ListDiscrepanciesRequest, pb::ListMatchesRequest, pb::ListLineMatchesRequest);
writes!(pb::ExplainDiscrepancyRequest, pb::EscalateDiscrepancyRequest, pb::RematchSalesRequest);

/// What serves customs, and those who read where items stand.
pub struct Reconciliations {
    app: App,
    pages: PageTokens,
}

impl Reconciliations {
    /// Answers from `app`, sealing page tokens with `pages`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl pb::reconciliation_service_server::ReconciliationService for Reconciliations {
    async fn get_reconciliation(
        &self,
        request: Request<pb::GetReconciliationRequest>,
    ) -> Result<Response<pb::GetReconciliationResponse>, Status> {
        let caller = common::caller(&request)?;
        let request = request.into_inner();
        let number = declared::number("declaration", &request.declaration)?;
        let item = wire::optional_item(request.item)?;
        let on = common::optional_day("at", request.at.as_ref())?;
        let accounts = self.app.reconciliation(&caller, number, item, on).await?;
        let in_part = in_part(&caller);
        let items = accounts.into_iter().map(|account| wire::message(account, in_part)).collect();
        Ok(Response::new(pb::GetReconciliationResponse { items }))
    }

    async fn list_discrepancies(
        &self,
        request: Request<pb::ListDiscrepanciesRequest>,
    ) -> Result<Response<pb::ListDiscrepanciesResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query = DiscrepanciesQuery {
            after: asked.after.clone(),
            limit: asked.limit,
            ..wire::query(request)?
        };
        let page = self.app.list_discrepancies(&caller, &query).await?;
        let in_part = in_part(&caller);
        let found = page.items.into_iter().map(|account| wire::message(account, in_part));
        Ok(Response::new(pb::ListDiscrepanciesResponse {
            discrepancies: found.collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
        }))
    }

    async fn explain_discrepancy(
        &self,
        request: Request<pb::ExplainDiscrepancyRequest>,
    ) -> Result<Response<pb::ExplainDiscrepancyResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let number = declared::number("declaration", &request.declaration)?;
        let item = declared::item_number(request.item)?;
        let etag = common::sent_etag(std::mem::take(&mut request.etag))?;
        let found = wire::found(request)?;
        let written =
            self.app.explain_discrepancy(&caller, &intent, (number, item), &etag, &found).await?;
        common::answer(written, |account, receipt| pb::ExplainDiscrepancyResponse {
            reconciliation: Some(wire::message(account, false)),
            receipt,
        })
    }

    async fn escalate_discrepancy(
        &self,
        request: Request<pb::EscalateDiscrepancyRequest>,
    ) -> Result<Response<pb::EscalateDiscrepancyResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let etag = common::sent_etag(std::mem::take(&mut request.etag))?;
        let (difference, reason) = wire::escalation(request)?;
        let written =
            self.app.escalate_discrepancy(&caller, &intent, &difference, &etag, &reason).await?;
        common::answer(written, |account, receipt| pb::EscalateDiscrepancyResponse {
            reconciliation: Some(wire::message(account, false)),
            receipt,
        })
    }

    async fn rematch_sales(
        &self,
        request: Request<pb::RematchSalesRequest>,
    ) -> Result<Response<pb::RematchSalesResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let asked = wire::rematching(request)?;
        let written = self.app.rematch_sales(&caller, &intent, &asked).await?;
        common::answer(written, wire::rematched)
    }

    async fn list_matches(
        &self,
        request: Request<pb::ListMatchesRequest>,
    ) -> Result<Response<pb::ListMatchesResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let listing = common::uuid_name("listing", &request.listing, "listings")?;
        // The token is our own: what it holds is a place, or nothing.
        let from = asked.after.parse().unwrap_or_default();
        let matches = self.app.matches(&caller, &listing, from, asked.limit as usize).await?;
        let next = matches.next.map(|place| place.to_string());
        let next_page_token = self.pages.next(&asked, next.as_deref())?;
        let answer = wire::matches(matches, in_part(&caller));
        Ok(Response::new(pb::ListMatchesResponse { next_page_token, ..answer }))
    }

    async fn list_line_matches(
        &self,
        request: Request<pb::ListLineMatchesRequest>,
    ) -> Result<Response<pb::ListLineMatchesResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query = wire::line_matches_query(&request, &asked)?;
        let matches = self.app.line_matches(&caller, &query).await?;
        let next = matches.next.map(|place| place.to_string());
        Ok(Response::new(pb::ListLineMatchesResponse {
            next_page_token: self.pages.next(&asked, next.as_deref())?,
            statistical_unit: matches.unit.to_string(),
            matches: matches.lines.into_iter().map(wire::line_match).collect(),
        }))
    }
}

/// Whether the caller sees its own only, and not why others did what they did.
fn in_part(caller: &Caller) -> bool {
    caller.visibility() != Visibility::All
}
