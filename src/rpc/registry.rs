//! RegistryService: the registry's exporters, their eligibility, and its queue of verifications.

mod rows;

use tonic::{Request, Response, Status, Streaming};

use super::page_token::{PageTokens, paged};
use super::sellers::{filter, note};
use super::wire::{self, answer, caller, intent, same_names, writes};
use crate::app::App;
use crate::app::exporters::Listed;
use crate::domain::exporter::EligibilityFact;
use crate::domain::verification::{Decision, VerificationState};
use crate::error::Result;
use crate::proto::puente::common::v1 as common;
use crate::proto::puente::registry::v1 as pb;
use crate::proto::puente::registry::v1::registry_service_server::RegistryService;
use crate::proto::puente::sellers::v1 as sellers;

/// Serves the export registry.
pub struct Registry {
    app: App,
    pages: PageTokens,
}

impl Registry {
    /// Keeps exporters through `app`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl RegistryService for Registry {
    async fn sync_exporters(
        &self,
        request: Request<Streaming<pb::SyncExportersRequest>>,
    ) -> Result<Response<pb::SyncExportersResponse>, Status> {
        let caller = caller(&request)?;
        let (intent, sync) = rows::gather(&caller, request.into_inner()).await?;
        let written = self.app.sync_exporters(&intent, &sync).await?;
        answer(written, rows::synced)
    }

    async fn record_eligibility(
        &self,
        request: Request<pb::RecordEligibilityRequest>,
    ) -> Result<Response<pb::RecordEligibilityResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let cuit = wire::cuit_name("name", &request.name, "exporters")?;
        let etag = wire::sent_etag(request.etag)?;
        let fact = rows::fact("fact", request.fact)?;
        let written = self.app.record_eligibility(&intent, cuit, &etag, fact).await?;
        answer(written, |recorded, receipt| pb::RecordEligibilityResponse {
            exporter: Some(recorded.listed.into()),
            affected_listings: recorded.affected_listings.into(),
            receipt,
        })
    }

    async fn get_exporter(
        &self,
        request: Request<pb::GetExporterRequest>,
    ) -> Result<Response<pb::GetExporterResponse>, Status> {
        let cuit = wire::cuit_name("name", &request.get_ref().name, "exporters")?;
        let exporter = self.app.exporter(cuit).await?;
        Ok(Response::new(pb::GetExporterResponse { exporter: Some(exporter.into()) }))
    }

    async fn list_exporters(
        &self,
        request: Request<pb::ListExportersRequest>,
    ) -> Result<Response<pb::ListExportersResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let filter = filter(&request.province, request.size_class, request.status)?;
        let page = self.app.list_exporters(filter, asked.limit, asked.after.clone()).await?;
        Ok(Response::new(pb::ListExportersResponse {
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
            exporters: page.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_verifications(
        &self,
        request: Request<pb::ListVerificationsRequest>,
    ) -> Result<Response<pb::ListVerificationsResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let state: Option<VerificationState> =
            wire::optionally::<sellers::VerificationState, _>("state", request.state)?;
        let page =
            self.app.list_verifications(&caller, state, asked.limit, asked.after.clone()).await?;
        Ok(Response::new(pb::ListVerificationsResponse {
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
            verifications: page.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn decide_verification(
        &self,
        request: Request<pb::DecideVerificationRequest>,
    ) -> Result<Response<pb::DecideVerificationResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let key = wire::uuid_name("name", &request.name, "verifications")?;
        let etag = wire::sent_etag(request.etag)?;
        let decision =
            wire::chosen::<pb::VerificationDecision, Decision>("decision", request.decision)?;
        let note = note("note", &request.note)?;
        let written = self.app.decide_verification(&intent, &key, &etag, decision, note).await?;
        answer(written, |verification, receipt| pb::DecideVerificationResponse {
            verification: Some(verification.into()),
            receipt,
        })
    }
}

writes!(pb::RecordEligibilityRequest, pb::DecideVerificationRequest, pb::SyncExportersHeader);
paged!(pb::ListExportersRequest, pb::ListVerificationsRequest);

same_names!(pb::VerificationDecision, Decision { StartChecking, Verify, Reject, NeedsInfo });

impl From<Listed> for pb::Exporter {
    fn from(listed: Listed) -> Self {
        let (exporter, version) = (listed.exporter.value, listed.exporter.version);
        Self {
            name: format!("exporters/{}", exporter.cuit),
            cuit: exporter.cuit.to_string(),
            legal_name: exporter.legal_name.to_string(),
            size_class: common::SizeClass::from(exporter.size_class).into(),
            province: exporter.province.to_string(),
            status: listed
                .status
                .map_or(0, |status| common::EligibilityStatus::from(status).into()),
            facts: exporter.facts.into_iter().map(Into::into).collect(),
            create_time: Some(wire::timestamp(exporter.created_at)),
            update_time: Some(wire::timestamp(exporter.updated_at)),
            etag: wire::etag(version),
        }
    }
}

impl From<EligibilityFact> for pb::EligibilityFact {
    fn from(fact: EligibilityFact) -> Self {
        Self {
            status: common::EligibilityStatus::from(fact.status).into(),
            cause: fact.cause.map(|text| text.to_string()).unwrap_or_default(),
            legal_instrument: fact
                .legal_instrument
                .map(|text| text.to_string())
                .unwrap_or_default(),
            valid_from: Some(wire::date(fact.valid_from)),
            valid_to: fact.valid_to.map(wire::date),
            ncm_chapters: fact.chapters.iter().map(ToString::to_string).collect(),
            recorded_at: Some(wire::timestamp(fact.recorded_at)),
        }
    }
}
