//! `puente.listings.v1.ListingService`: what marketplaces offer.
//!
//! Enters: requests that the gate let in. Leaves: listings, and what became of
//! each item of a batch.

pub(super) mod wire;

use tonic::{Request, Response, Status};

use super::page_token::{PageTokens, paged};
use super::wire::{self as common, writes};
use crate::app::App;
use crate::app::listings::ListingsQuery;
use crate::proto::puente::listings::v1 as pb;

paged!(pb::ListListingsRequest);
writes!(
    pb::CreateListingRequest,
    pb::UpdateListingRequest,
    pb::SubmitListingRequest,
    pb::WithdrawListingRequest,
    pb::BatchCreateListingsRequest,
);

/// What serves marketplaces, and those who read what they offer.
pub struct Listings {
    app: App,
    pages: PageTokens,
}

impl Listings {
    /// Answers from `app`, sealing page tokens with `pages`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl pb::listing_service_server::ListingService for Listings {
    async fn create_listing(
        &self,
        request: Request<pb::CreateListingRequest>,
    ) -> Result<Response<pb::CreateListingResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let new = wire::new("listing", request.listing.as_ref(), &self.app.reference.tables())?;
        let written = self.app.create_listing(&caller, &intent, &new).await?;
        common::answer(written, |listing, receipt| pb::CreateListingResponse {
            listing: Some(wire::message(listing)),
            receipt,
        })
    }

    async fn update_listing(
        &self,
        request: Request<pb::UpdateListingRequest>,
    ) -> Result<Response<pb::UpdateListingResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let key = common::uuid_name("name", &request.name, "listings")?;
        let etag = common::sent_etag(request.etag)?;
        let patch = wire::patch(
            request.listing.as_ref(),
            request.update_mask.as_ref(),
            &self.app.reference.tables(),
        )?;
        let written = self.app.update_listing(&caller, &intent, &key, &etag, &patch).await?;
        common::answer(written, |listing, receipt| pb::UpdateListingResponse {
            listing: Some(wire::message(listing)),
            receipt,
        })
    }

    async fn get_listing(
        &self,
        request: Request<pb::GetListingRequest>,
    ) -> Result<Response<pb::GetListingResponse>, Status> {
        let caller = common::caller(&request)?;
        let key = common::uuid_name("name", &request.get_ref().name, "listings")?;
        let listing = self.app.listing(&caller, &key).await?;
        Ok(Response::new(pb::GetListingResponse { listing: Some(wire::message(listing)) }))
    }

    async fn list_listings(
        &self,
        request: Request<pb::ListListingsRequest>,
    ) -> Result<Response<pb::ListListingsResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query = ListingsQuery {
            after: asked.after.clone(),
            limit: asked.limit,
            ..wire::query(request)?
        };
        let page = self.app.list_listings(&caller, &query).await?;
        Ok(Response::new(pb::ListListingsResponse {
            listings: page.items.into_iter().map(wire::message).collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
        }))
    }

    async fn submit_listing(
        &self,
        request: Request<pb::SubmitListingRequest>,
    ) -> Result<Response<pb::SubmitListingResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let key = common::uuid_name("name", &request.name, "listings")?;
        let etag = common::sent_etag(request.etag)?;
        let written = self.app.submit_listing(&caller, &intent, &key, &etag).await?;
        common::answer(written, |listing, receipt| pb::SubmitListingResponse {
            listing: Some(wire::message(listing)),
            receipt,
        })
    }

    async fn withdraw_listing(
        &self,
        request: Request<pb::WithdrawListingRequest>,
    ) -> Result<Response<pb::WithdrawListingResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let key = common::uuid_name("name", &request.name, "listings")?;
        let etag = common::sent_etag(request.etag)?;
        let reason = common::text("reason", request.reason, 0, 500)?;
        let written = self.app.withdraw_listing(&caller, &intent, &key, &etag, &reason).await?;
        common::answer(written, |withdrawal, receipt| pb::WithdrawListingResponse {
            listing: Some(wire::message(withdrawal.shown)),
            receipt,
        })
    }

    async fn batch_create_listings(
        &self,
        request: Request<pb::BatchCreateListingsRequest>,
    ) -> Result<Response<pb::BatchCreateListingsResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let items = wire::items(&request.items, &self.app.reference.tables())?;
        let written = self.app.batch_listings(&caller, &intent, &items, request.submit).await?;
        common::answer(written, wire::batch)
    }
}
