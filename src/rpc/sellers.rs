//! SellerService: may this company sell abroad, and the registry's word where it is not known.
//!
//! Answers are as small as the scope: verifying says yes or no; names and places are for those
//! who may read sellers; causes stay with the registry.

use tonic::{Request, Response, Status};

use super::page_token::{PageTokens, paged};
use super::wire::{self, answer, caller, intent, same_names, writes};
use crate::app::exporters::{ExporterFilter, Listed};
use crate::app::sellers::{Answer, Question};
use crate::app::{App, Versioned};
use crate::domain::cuit::Cuit;
use crate::domain::exporter::{EligibilityStatus, Exporter};
use crate::domain::ncm::Chapter;
use crate::domain::size_class::SizeClass;
use crate::domain::text::Note;
use crate::domain::verification::{Verification, VerificationState};
use crate::error::Result;
use crate::proto::puente::common::v1 as common;
use crate::proto::puente::sellers::v1 as pb;
use crate::proto::puente::sellers::v1::seller_service_server::SellerService;

/// Serves questions about sellers.
pub struct Sellers {
    app: App,
    pages: PageTokens,
}

impl Sellers {
    /// Answers from `app`'s exporters and verifications.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl SellerService for Sellers {
    async fn verify_seller(
        &self,
        request: Request<pb::VerifySellerRequest>,
    ) -> Result<Response<pb::VerifySellerResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let cuit = wire::parsed("cuit", &request.cuit)?;
        let question = question(request.at, request.as_known_at, &request.ncm)?;
        let answer = self.app.verify_seller(&caller, cuit, &question).await?;
        Ok(Response::new(pb::VerifySellerResponse { answer: Some(answer.into()) }))
    }

    async fn batch_verify_sellers(
        &self,
        request: Request<pb::BatchVerifySellersRequest>,
    ) -> Result<Response<pb::BatchVerifySellersResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let question = question(request.at, request.as_known_at, &request.ncm)?;
        let asked = batch(request.cuits)?;
        let good = asked.iter().filter_map(|(_, cuit)| cuit.as_ref().ok().copied()).collect();
        let answers = self.app.verify_sellers(&caller, good, &question).await?;
        Ok(Response::new(pb::BatchVerifySellersResponse { results: results(asked, answers) }))
    }

    async fn request_verification(
        &self,
        request: Request<pb::RequestVerificationRequest>,
    ) -> Result<Response<pb::RequestVerificationResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let intent = intent(&caller, &mut request)?;
        let cuit = wire::parsed("cuit", &request.cuit)?;
        let message = note("message", &request.message)?;
        let written = self.app.request_verification(&intent, cuit, message).await?;
        answer(written, |verification, receipt| pb::RequestVerificationResponse {
            verification: Some(verification.into()),
            receipt,
        })
    }

    async fn get_verification(
        &self,
        request: Request<pb::GetVerificationRequest>,
    ) -> Result<Response<pb::GetVerificationResponse>, Status> {
        let caller = caller(&request)?;
        let key = wire::uuid_name("name", &request.get_ref().name, "verifications")?;
        let verification = self.app.verification(&caller, &key).await?;
        Ok(Response::new(pb::GetVerificationResponse { verification: Some(verification.into()) }))
    }

    async fn get_seller(
        &self,
        request: Request<pb::GetSellerRequest>,
    ) -> Result<Response<pb::GetSellerResponse>, Status> {
        let cuit = wire::cuit_name("name", &request.get_ref().name, "sellers")?;
        let seller = self.app.exporter(cuit).await?;
        Ok(Response::new(pb::GetSellerResponse { seller: Some(seller.into()) }))
    }

    async fn list_sellers(
        &self,
        request: Request<pb::ListSellersRequest>,
    ) -> Result<Response<pb::ListSellersResponse>, Status> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let filter = filter(&request.province, request.size_class, request.status)?;
        let page = self.app.list_exporters(filter, asked.limit, asked.after.clone()).await?;
        Ok(Response::new(pb::ListSellersResponse {
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
            sellers: page.items.into_iter().map(Into::into).collect(),
        }))
    }
}

writes!(pb::RequestVerificationRequest);
paged!(pb::ListSellersRequest);

same_names!(common::SizeClass, SizeClass { Micro, Small, Medium1, Medium2, Large });
same_names!(common::EligibilityStatus, EligibilityStatus { Eligible, Suspended, Revoked });
same_names!(
    pb::VerificationState,
    VerificationState {
        Requested,
        Checking,
        NeedsInfo,
        Verified,
        Rejected,
        Expired,
        Suspended,
        Revoked
    }
);

/// The filter of lists of exporters and of sellers, which are the same companies.
pub(super) fn filter(province: &str, size_class: i32, status: i32) -> Result<ExporterFilter> {
    Ok(ExporterFilter {
        province: wire::optional("province", province)?,
        size_class: wire::optionally::<common::SizeClass, _>("size_class", size_class)?,
        status: wire::optionally::<common::EligibilityStatus, _>("status", status)?,
    })
}

/// A message or note of at most 1,000 characters that may be empty.
pub(super) fn note(field: &str, sent: &str) -> Result<Option<Note>> {
    Ok(Note::optional(sent).map_err(|fault| fault.at(field))?)
}

fn question(
    at: Option<prost_types::Timestamp>,
    as_known_at: Option<prost_types::Timestamp>,
    ncm: &str,
) -> Result<Question> {
    Ok(Question {
        at: wire::optional_moment("at", at)?,
        as_known_at: wire::optional_moment("as_known_at", as_known_at)?,
        chapter: chapter(ncm)?,
    })
}

/// The chapter of a chapter or of a code of eight digits; whether the code is in force is not
/// asked, as eligibility is by chapter.
fn chapter(ncm: &str) -> Result<Option<Chapter>> {
    if ncm.is_empty() {
        return Ok(None);
    }
    let digits: String = ncm.chars().filter(|c| *c != '.').collect();
    let sound = matches!(digits.len(), 2 | 8)
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && match (ncm.len(), digits.len()) {
            (length, plain) if length == plain => true,
            (9, 8) => matches!(ncm.find('.'), Some(4 | 6 | 7)),
            (10, 8) => ncm.as_bytes()[4] == b'.' && ncm.as_bytes()[7] == b'.',
            (_, _) => false,
        };
    if !sound {
        return Err(wire::invalid("ncm", "is neither a chapter (22) nor a code (2204.21.00)"));
    }
    wire::parsed("ncm", &digits[..2]).map(Some)
}

/// Each element as sent beside what it parsed to.
type Asked = Vec<(String, Result<Cuit>)>;

fn batch(cuits: Vec<String>) -> Result<Asked> {
    wire::count("cuits", &cuits, 1, 1000)?;
    let one = |(place, sent): (usize, String)| {
        let sent = wire::sized(&format!("cuits[{place}]"), sent, 0, 32)?;
        let cuit = wire::parsed("cuit", &sent);
        Ok((sent, cuit))
    };
    cuits.into_iter().enumerate().map(one).collect()
}

/// One result for each element in the order asked; `answers` are those of the well-formed ones.
fn results(asked: Asked, answers: Vec<Answer>) -> Vec<pb::SellerResult> {
    let mut answers = answers.into_iter();
    let one = |(requested_cuit, cuit): (String, Result<Cuit>)| {
        let outcome = match cuit {
            Ok(_) => answers.next().map(|one| pb::seller_result::Outcome::Answer(one.into())),
            Err(error) => Some(pb::seller_result::Outcome::Fault(wire::fault(&error))),
        };
        pb::SellerResult { requested_cuit, outcome }
    };
    asked.into_iter().map(one).collect()
}

impl From<Answer> for pb::SellerAnswer {
    fn from(answer: Answer) -> Self {
        use crate::app::sellers::Verdict;
        let (verdict, reason, since) = match answer.verdict {
            Verdict::Eligible { since } => (pb::Verdict::Eligible, "", Some(since)),
            Verdict::NotEligible { reason } => (pb::Verdict::NotEligible, reason.as_str(), None),
            Verdict::Unknown => (pb::Verdict::Unknown, "", None),
            Verdict::Checking => (pb::Verdict::Checking, "", None),
        };
        Self {
            cuit: answer.cuit.to_string(),
            verdict: verdict.into(),
            reason: reason.to_owned(),
            eligible_since: since.map(wire::date),
            checked_at: Some(wire::timestamp(answer.checked_at)),
        }
    }
}

impl From<Versioned<Verification>> for pb::Verification {
    fn from(verification: Versioned<Verification>) -> Self {
        let Versioned { value: verification, version } = verification;
        Self {
            name: format!("verifications/{}", verification.id),
            requester: format!("partners/{}", verification.requester),
            cuit: verification.cuit.to_string(),
            message: verification.message.map(|text| text.to_string()).unwrap_or_default(),
            state: pb::VerificationState::from(verification.state).into(),
            note: verification.note.map(|text| text.to_string()).unwrap_or_default(),
            create_time: Some(wire::timestamp(verification.created_at)),
            update_time: Some(wire::timestamp(verification.updated_at)),
            etag: wire::etag(version),
        }
    }
}

impl From<Listed> for pb::Seller {
    fn from(listed: Listed) -> Self {
        let exporter: Exporter = listed.exporter.value;
        Self {
            name: format!("sellers/{}", exporter.cuit),
            cuit: exporter.cuit.to_string(),
            legal_name: exporter.legal_name.to_string(),
            province: exporter.province.to_string(),
            size_class: common::SizeClass::from(exporter.size_class).into(),
            status: listed
                .status
                .map_or(0, |status| common::EligibilityStatus::from(status).into()),
            since: listed.since.map(wire::date),
        }
    }
}
