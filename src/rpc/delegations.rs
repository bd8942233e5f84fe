//! `puente.customs.v1.DelegationService`: what exporters delegated to brokers.
//!
//! Enters: requests that the gate let in. Leaves: delegations. Who may record and who may see them
//! is decided in `app::delegations`.

use tonic::{Request, Response, Status};

use super::page_token::{PageTokens, paged};
use super::wire::{self as common, same_names, writes};
use crate::app::App;
use crate::app::delegations::{DelegationsQuery, Shown};
use crate::domain::cuit::Cuit;
use crate::domain::delegation::{DelegationState, Effect, Fact, NewFact};
use crate::domain::partner::PartnerId;
use crate::domain::text::Cause;
use crate::error::Result;
use crate::proto::puente::customs::v1 as pb;

same_names!(pb::DelegationEffect, Effect { Granted, Revoked });
same_names!(pb::DelegationState, DelegationState { Active, Pending, Expired, Revoked });
paged!(pb::ListDelegationsRequest);
writes!(pb::RecordDelegationRequest, pb::RevokeDelegationRequest);

/// Serves customs, which keeps delegations, and those who read them.
pub struct Delegations {
    app: App,
    pages: PageTokens,
}

impl Delegations {
    /// Answers from `app`, sealing page tokens with `pages`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl pb::delegation_service_server::DelegationService for Delegations {
    async fn record_delegation(
        &self,
        request: Request<pb::RecordDelegationRequest>,
    ) -> Result<Response<pb::RecordDelegationResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let etag = common::sent_etag(std::mem::take(&mut request.etag))?;
        let (broker, exporter, fact) = granted(request)?;
        let pair = (&broker, exporter);
        let written = self.app.record_delegation(&caller, &intent, pair, &etag, &fact).await?;
        common::answer(written, |shown, receipt| pb::RecordDelegationResponse {
            delegation: Some(message(shown)),
            receipt,
        })
    }

    async fn revoke_delegation(
        &self,
        request: Request<pb::RevokeDelegationRequest>,
    ) -> Result<Response<pb::RevokeDelegationResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let key = common::uuid_name("name", &request.name, "delegations")?;
        let etag = common::sent_etag(request.etag)?;
        let from = common::optional_day("revoked_from", request.revoked_from.as_ref())?;
        let source = source(request.source)?;
        let app = &self.app;
        let written = app.revoke_delegation(&caller, &intent, &key, &etag, from, &source).await?;
        common::answer(written, |shown, receipt| pb::RevokeDelegationResponse {
            delegation: Some(message(shown)),
            receipt,
        })
    }

    async fn get_delegation(
        &self,
        request: Request<pb::GetDelegationRequest>,
    ) -> Result<Response<pb::GetDelegationResponse>, Status> {
        let caller = common::caller(&request)?;
        let key = common::uuid_name("name", &request.get_ref().name, "delegations")?;
        let shown = self.app.delegation(&caller, &key).await?;
        Ok(Response::new(pb::GetDelegationResponse { delegation: Some(message(shown)) }))
    }

    async fn list_delegations(
        &self,
        request: Request<pb::ListDelegationsRequest>,
    ) -> Result<Response<pb::ListDelegationsResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query =
            DelegationsQuery { after: asked.after.clone(), limit: asked.limit, ..query(request)? };
        let page = self.app.list_delegations(&caller, &query).await?;
        Ok(Response::new(pb::ListDelegationsResponse {
            delegations: page.items.into_iter().map(message).collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
        }))
    }
}

/// Who delegated to whom, for which days.
fn granted(request: pb::RecordDelegationRequest) -> Result<(PartnerId, Cuit, NewFact)> {
    let valid_from = common::day("valid_from", request.valid_from.as_ref())?;
    let valid_to = common::optional_day("valid_to", request.valid_to.as_ref())?;
    if valid_to.is_some_and(|last| last < valid_from) {
        return Err(common::invalid("valid_to", "must not be before valid_from"));
    }
    let source = source(request.source)?;
    Ok((
        common::partner_name("broker", &request.broker)?,
        common::parsed("exporter_cuit", &request.exporter_cuit)?,
        NewFact { effect: Effect::Granted, valid_from, valid_to, source },
    ))
}

fn source(sent: String) -> Result<Cause> {
    let text = common::text("source", sent, 1, 500)?;
    common::parsed("source", &text)
}

/// Which delegations are asked for; where the page begins and ends is for the caller to add.
fn query(request: pb::ListDelegationsRequest) -> Result<DelegationsQuery> {
    let broker = match request.broker.as_str() {
        "" => None,
        name => Some(common::partner_name("broker", name)?),
    };
    Ok(DelegationsQuery {
        broker,
        exporter: common::optional("exporter_cuit", &request.exporter_cuit)?,
        active_on: common::optional_day("active_on", request.active_on.as_ref())?,
        as_known_at: common::optional_moment("as_known_at", request.as_known_at)?,
        ..DelegationsQuery::default()
    })
}

fn message(shown: Shown) -> pb::Delegation {
    let Shown { key, held, state } = shown;
    let delegation = held.value;
    pb::Delegation {
        name: format!("delegations/{key}"),
        broker: format!("partners/{}", delegation.broker),
        exporter_cuit: delegation.exporter.to_string(),
        state: pb::DelegationState::from(state).into(),
        facts: delegation.facts.into_iter().map(fact).collect(),
        etag: common::etag(held.version),
        create_time: Some(common::timestamp(delegation.created_at)),
        update_time: Some(common::timestamp(delegation.updated_at)),
    }
}

fn fact(fact: Fact) -> pb::DelegationFact {
    pb::DelegationFact {
        effect: pb::DelegationEffect::from(fact.effect).into(),
        valid_from: Some(common::date(fact.valid_from)),
        valid_to: fact.valid_to.map(common::date),
        source: fact.source.to_string(),
        recorded_at: Some(common::timestamp(fact.recorded_at)),
        recorded_by: format!("partners/{}", fact.recorded_by),
    }
}
