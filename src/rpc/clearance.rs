//! `puente.clearance.v1.ClearanceService`: what waits for an authority, and its decisions.
//!
//! Enters: requests that the gate let in. Leaves: listings. Which part a decision
//! is about follows from who the caller is.

use tonic::{Request, Response, Status};

use super::listings::wire::{certificate, message};
use super::page_token::{PageTokens, paged};
use super::wire::{self as common, same_names, writes};
use crate::app::App;
use crate::app::clearance::{PendingQuery, Ruling};
use crate::domain::fault::InField as _;
use crate::domain::listing::Decision;
use crate::domain::partner::PartnerId;
use crate::domain::text::Note;
use crate::error::Result;
use crate::proto::puente::clearance::v1 as pb;

same_names!(pb::Decision, Decision { Clear, Refuse, RequestInfo });

paged!(pb::ListPendingRequest);
writes!(pb::DecideRequest, pb::ExtendCertificateRequest);

/// Serves the authorities that clear listings.
pub struct Clearance {
    app: App,
    pages: PageTokens,
}

impl Clearance {
    /// Answers from `app`, sealing page tokens with `pages`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl pb::clearance_service_server::ClearanceService for Clearance {
    async fn list_pending(
        &self,
        request: Request<pb::ListPendingRequest>,
    ) -> Result<Response<pb::ListPendingResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query = PendingQuery {
            marketplace: optional_partner(&request.marketplace)?,
            ncm_prefix: super::listings::wire::ncm_prefix(request.ncm_prefix)?,
            after: asked.after.clone(),
            limit: asked.limit,
        };
        let page = self.app.list_pending(&caller, &query).await?;
        Ok(Response::new(pb::ListPendingResponse {
            listings: page.items.into_iter().map(message).collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
        }))
    }

    async fn decide(
        &self,
        request: Request<pb::DecideRequest>,
    ) -> Result<Response<pb::DecideResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let ruling = ruling(request)?;
        let written = self.app.decide_listing(&caller, &intent, &ruling).await?;
        common::answer(written, |listing, receipt| pb::DecideResponse {
            listing: Some(message(listing)),
            receipt,
        })
    }

    async fn extend_certificate(
        &self,
        request: Request<pb::ExtendCertificateRequest>,
    ) -> Result<Response<pb::ExtendCertificateResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let sent = common::required("certificate", request.certificate.as_ref())?;
        let extended = certificate(sent).map_err(|error| error.within("certificate"))?;
        let written = self.app.extend_certificate(&caller, &intent, &extended).await?;
        common::answer(written, |done, receipt| pb::ExtendCertificateResponse {
            listings: done.listings,
            reinstated: i32::try_from(done.reinstated).unwrap_or(i32::MAX),
            receipt,
        })
    }
}

fn ruling(request: pb::DecideRequest) -> Result<Ruling> {
    let note = common::text("note", request.note, 0, 1000)?;
    let revision = u32::try_from(request.revision)
        .map_err(|_negative| common::invalid("revision", "must be 0 or more"))?;
    Ok(Ruling {
        listing: common::uuid_name("listing", &request.listing, "listings")?,
        etag: common::sent_etag(request.etag)?,
        decision: common::chosen::<pb::Decision, _>("decision", request.decision)?,
        revision: (revision != 0).then_some(revision),
        note: Note::optional(&note).at("note")?,
    })
}

fn optional_partner(name: &str) -> Result<Option<PartnerId>> {
    if name.is_empty() { Ok(None) } else { common::partner_name("marketplace", name).map(Some) }
}
