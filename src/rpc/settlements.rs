//! `puente.customs.v1.SettlementService`: how far the proceeds of exported goods are settled.
//!
//! Enters: requests that the gate let in. Leaves: settlements, as of the moment of the answer.

use tonic::{Request, Response, Status};

use super::listings::wire::exact;
use super::page_token::{PageTokens, paged};
use super::wire::{self as common, same_names, writes};
use crate::app::App;
use crate::app::settlements::{SettlementsQuery, Shown};
use crate::domain::customs_declaration::ItemNumber;
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::InField as _;
use crate::domain::settlement::{NewReport, Report, SettlementReporter, SettlementState};
use crate::error::Result;
use crate::proto::puente::customs::v1 as pb;

same_names!(pb::SettlementState, SettlementState { Due, Partial, Certified, Overdue });
same_names!(pb::SettlementReporter, SettlementReporter { Customs, Bank });

paged!(pb::ListSettlementsRequest);
writes!(pb::RecordSettlementRequest);

/// What serves customs and auditors.
pub struct Settlements {
    app: App,
    pages: PageTokens,
}

impl Settlements {
    /// Answers from `app`, sealing page tokens with `pages`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl pb::settlement_service_server::SettlementService for Settlements {
    async fn record_settlement(
        &self,
        request: Request<pb::RecordSettlementRequest>,
    ) -> Result<Response<pb::RecordSettlementResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let intent = common::intent(&caller, &mut request)?;
        let item = item(&request.name)?;
        let sent = common::required("report", request.report.as_ref())?;
        let new = report(sent).map_err(|error| error.within("report"))?;
        let written = self.app.record_settlement(&caller, &intent, item, &new).await?;
        common::answer(written, |shown, receipt| pb::RecordSettlementResponse {
            settlement: Some(message(shown)),
            receipt,
        })
    }

    async fn get_settlement(
        &self,
        request: Request<pb::GetSettlementRequest>,
    ) -> Result<Response<pb::GetSettlementResponse>, Status> {
        let caller = common::caller(&request)?;
        let item = item(&request.get_ref().name)?;
        let shown = self.app.settlement(&caller, item).await?;
        Ok(Response::new(pb::GetSettlementResponse { settlement: Some(message(shown)) }))
    }

    async fn list_settlements(
        &self,
        request: Request<pb::ListSettlementsRequest>,
    ) -> Result<Response<pb::ListSettlementsResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query = SettlementsQuery {
            exporter: common::optional("exporter_cuit", &request.exporter_cuit)?,
            state: common::optionally::<pb::SettlementState, _>("state", request.state)?,
            due_by: common::optional_day("due_by", request.due_by.as_ref())?,
            after: asked.after.clone(),
            limit: asked.limit,
        };
        let page = self.app.list_settlements(&caller, &query).await?;
        Ok(Response::new(pb::ListSettlementsResponse {
            settlements: page.items.into_iter().map(message).collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
        }))
    }
}

/// The item in `declarations/{declaration}/settlements/{item}`.
fn item(name: &str) -> Result<(DeclarationNumber, ItemNumber)> {
    let refuse =
        || common::invalid("name", "is not of the form declarations/NUMBER/settlements/ITEM");
    let (declaration, item) = name
        .strip_prefix("declarations/")
        .and_then(|rest| rest.split_once("/settlements/"))
        .ok_or_else(refuse)?;
    let sound = (1..=4).contains(&item.len())
        && item.bytes().all(|byte| byte.is_ascii_digit())
        && !item.starts_with('0');
    let number: i64 = item.parse().ok().filter(|_| sound).ok_or_else(refuse)?;
    Ok((common::parsed("name", declaration)?, ItemNumber::try_from(number).at("name")?))
}

fn report(sent: &pb::SettlementReport) -> Result<NewReport> {
    Ok(NewReport {
        amount: common::required("amount", exact("amount", sent.amount.as_ref())?)?,
        currency: common::parsed("currency", &sent.currency)?,
        settled_on: common::day("settled_on", sent.settled_on.as_ref())?,
        evidence: common::parsed("evidence", &sent.evidence)?,
        reporter: common::chosen::<pb::SettlementReporter, _>("reporter", sent.reporter)?,
        certifies: sent.certifies,
    })
}

fn message(shown: Shown) -> pb::Settlement {
    let Shown { settlement, fob, state } = shown;
    let due_on = settlement.due_on().map(common::date);
    let (days, source) =
        settlement.term.map(|term| (i32::from(term.days), term.source)).unwrap_or_default();
    pb::Settlement {
        name: format!("declarations/{}/settlements/{}", settlement.declaration, settlement.item),
        exporter_cuit: settlement.exporter.to_string(),
        ncm: settlement.ncm.to_string(),
        shipped_on: Some(common::date(settlement.shipped_on)),
        term_days: days,
        term_source: source,
        due_on,
        fob: Some(common::decimal(fob)),
        settled: Some(common::decimal(settlement.settled)),
        currency: settlement.currency.to_string(),
        state: pb::SettlementState::from(state).into(),
        reports: settlement.reports.into_iter().map(report_message).collect(),
    }
}

fn report_message(report: Report) -> pb::SettlementReport {
    let reported = report.reported;
    pb::SettlementReport {
        amount: Some(common::decimal(reported.amount)),
        currency: reported.currency.to_string(),
        settled_on: Some(common::date(reported.settled_on)),
        evidence: reported.evidence.to_string(),
        reporter: pb::SettlementReporter::from(reported.reporter).into(),
        certifies: reported.certifies,
        recorded_at: Some(common::timestamp(report.recorded_at)),
        recorded_by: format!("partners/{}", report.recorded_by),
    }
}
