//! `puente.customs.v1.DeclarationService`: export declarations and what was shipped under them.
//!
//! Enters: requests that the gate let in. Leaves: declarations, and what became of each row of a
//! stream.

mod rows;
pub(super) mod wire;

use tonic::{Request, Response, Status, Streaming};

use super::page_token::{PageTokens, paged};
use super::wire::{self as common, writes};
use crate::app::App;
use crate::app::declarations::questions::DeclarationsQuery;
use crate::proto::puente::customs::v1 as pb;

paged!(pb::ListDeclarationsRequest);
writes!(
    pb::RegisterDeclarationRequest,
    pb::AmendDeclarationRequest,
    pb::RecordShipmentRequest,
    pb::RegisterDeclarationsHeader,
    pb::RecordShipmentsHeader,
);

/// What serves customs, and those who read what was declared.
pub struct Declarations {
    app: App,
    pages: PageTokens,
}

impl Declarations {
    /// Answers from `app`, sealing page tokens with `pages`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl pb::declaration_service_server::DeclarationService for Declarations {
    async fn register_declaration(
        &self,
        request: Request<pb::RegisterDeclarationRequest>,
    ) -> Result<Response<pb::RegisterDeclarationResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let marketplace = wire::marketplace("marketplace", &request.marketplace)?;
        let tables = self.app.reference.tables();
        let new = wire::new("declaration", request.declaration.as_ref(), &tables)?;
        let written =
            self.app.register_declaration(&caller, &intent, marketplace.as_ref(), &new).await?;
        common::answer(written, |shown, receipt| pb::RegisterDeclarationResponse {
            declaration: Some(wire::message(shown)),
            receipt,
        })
    }

    async fn register_declarations(
        &self,
        request: Request<Streaming<pb::RegisterDeclarationsRequest>>,
    ) -> Result<Response<pb::RegisterDeclarationsResponse>, Status> {
        let caller = common::caller(&request)?;
        let tables = self.app.reference.tables();
        let (intent, header, sent) =
            rows::declarations(&caller, request.into_inner(), &tables).await?;
        let marketplace = wire::marketplace("header.marketplace", &header.marketplace)?;
        let written =
            self.app.register_declarations(&caller, &intent, marketplace.as_ref(), &sent).await?;
        common::answer(written, rows::registered)
    }

    async fn amend_declaration(
        &self,
        request: Request<pb::AmendDeclarationRequest>,
    ) -> Result<Response<pb::AmendDeclarationResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let number = wire::number("name", &request.name)?;
        let etag = common::sent_etag(std::mem::take(&mut request.etag))?;
        let wish = wire::wish(request)?;
        let written = self.app.amend_declaration(&caller, &intent, number, &etag, &wish).await?;
        common::answer(written, |shown, receipt| pb::AmendDeclarationResponse {
            declaration: Some(wire::message(shown)),
            receipt,
        })
    }

    async fn record_shipment(
        &self,
        request: Request<pb::RecordShipmentRequest>,
    ) -> Result<Response<pb::RecordShipmentResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let number = wire::number("declaration", &request.declaration)?;
        let etag = common::sent_etag(request.etag)?;
        let shipments = wire::shipments(&request.shipments)?;
        let written = self.app.record_shipment(&caller, &intent, number, &etag, &shipments).await?;
        common::answer(written, |shown, receipt| pb::RecordShipmentResponse {
            declaration: Some(wire::message(shown)),
            receipt,
        })
    }

    async fn record_shipments(
        &self,
        request: Request<Streaming<pb::RecordShipmentsRequest>>,
    ) -> Result<Response<pb::RecordShipmentsResponse>, Status> {
        let caller = common::caller(&request)?;
        let (intent, sent) = rows::shipments(&caller, request.into_inner()).await?;
        let written = self.app.record_shipments(&caller, &intent, &sent).await?;
        common::answer(written, rows::shipped)
    }

    async fn get_declaration(
        &self,
        request: Request<pb::GetDeclarationRequest>,
    ) -> Result<Response<pb::GetDeclarationResponse>, Status> {
        let caller = common::caller(&request)?;
        let number = wire::number("name", &request.get_ref().name)?;
        let shown = self.app.declaration(&caller, number).await?;
        Ok(Response::new(pb::GetDeclarationResponse { declaration: Some(wire::message(shown)) }))
    }

    async fn list_declarations(
        &self,
        request: Request<pb::ListDeclarationsRequest>,
    ) -> Result<Response<pb::ListDeclarationsResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query = DeclarationsQuery {
            after: asked.after.clone(),
            limit: asked.limit,
            ..wire::query(request)?
        };
        let page = self.app.list_declarations(&caller, &query).await?;
        Ok(Response::new(pb::ListDeclarationsResponse {
            declarations: page.items.into_iter().map(wire::message).collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
        }))
    }
}
