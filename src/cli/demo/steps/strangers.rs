//! Another marketplace is let in, and sees nothing of the first one's.

use super::super::Run;
use super::super::screen::Table;
use super::analytics::summarize;
use super::listings::list;
use super::sellers::ask;
use crate::cli::output::word;
use crate::cli::{Failure, Outcome};
use crate::pki::partner_uri;
use crate::proto::puente::access::v1::partner_service_client::PartnerServiceClient;
use crate::proto::puente::access::v1::{
    CertificateIdentity, CreatePartnerRequest, IdentityType, Partner, Role,
};
use crate::proto::puente::ledger::v1::GetProofRequest;
use crate::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use crate::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use crate::proto::puente::listings::v1::{GetListingRequest, ListListingsRequest};
use crate::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use crate::proto::puente::sales::v1::{GetSalesReportRequest, SealSalesReportRequest};

/// The id of the other marketplace.
const OTHER: &str = "other-marketplace";

/// What is the first marketplace's is NOT_FOUND for the other.
pub(in super::super) async fn see_nothing(run: &mut Run) -> Outcome {
    run.screen.title("Another marketplace sees nothing of the first one's")?;
    run.world.admit(OTHER)?;
    let operator = run.client("operator")?;
    let request = CreatePartnerRequest {
        request_id: operator.request_id(),
        partner_id: OTHER.into(),
        partner: Some(Partner {
            role: Role::Marketplace.into(),
            display_name: "Another marketplace".into(),
            identities: vec![CertificateIdentity {
                r#type: IdentityType::SanUri.into(),
                value: partner_uri(OTHER),
            }],
            ..Default::default()
        }),
        validate_only: false,
    };
    call!(operator, PartnerServiceClient.create_partner, request)?;
    let other = run.client(OTHER)?;
    let mut table = Table::new("What the other marketplace is told", ["Asks for", "Answer"]);

    let listing = run.listings.first().map(|one| one.name.clone()).unwrap_or_default();
    let reported = run.reports.first().map(|one| (one.report.name.clone(), one.sealed.index));
    let (report, index) = reported.unwrap_or_default();
    let read = GetListingRequest { name: listing };
    let answer = call!(other, ListingServiceClient.get_listing, read);
    refused(run, &mut table, "a listing of the first", "NOT_FOUND", &answer);
    let read = GetSalesReportRequest { name: report.clone() };
    let answer = call!(other, SalesReportServiceClient.get_sales_report, read);
    refused(run, &mut table, "a report of the first", "NOT_FOUND", &answer);
    let seal = SealSalesReportRequest {
        request_id: other.request_id(),
        name: report,
        ..Default::default()
    };
    let answer = call!(other, SalesReportServiceClient.seal_sales_report, seal);
    refused(run, &mut table, "to seal a report of the first", "NOT_FOUND", &answer);
    let answer = call!(other, LedgerServiceClient.get_proof, GetProofRequest { index });
    refused(run, &mut table, "the proof of an entry of the first", "NOT_FOUND", &answer);

    let listings = list(&other, ListListingsRequest::default()).await?.len();
    run.check("listings that it sees", 0, listings);
    table.row(["all listings".into(), format!("{listings} listings")]);
    let declarations = super::customs::list(&other).await?.len();
    run.check("declarations that it sees", 0, declarations);
    table.row(["all declarations".into(), format!("{declarations} declarations")]);
    let sums = summarize(&other, Vec::new()).await?;
    let lines: i64 = sums.iter().map(|row| row.lines).sum();
    run.check("lines that it may sum", 0, lines);
    table.row(["the sum of all sales".into(), format!("{lines} lines")]);

    let cuit = run.input.companies.eligible.clone();
    let answer = ask(&other, &cuit).await?;
    let answer = word(answer.verdict().as_str_name(), "VERDICT_");
    run.check("it may ask about sellers as the first may", "ELIGIBLE", &answer);
    table.row(["whether a company may sell".into(), answer]);

    let ministry = run.client("ministry")?;
    let read = GetSalesReportRequest { name: run.reports[0].report.name.clone() };
    let answer = call!(ministry, SalesReportServiceClient.get_sales_report, read);
    refused(run, &mut table, "(the ministry) a report with its lines", "SCOPE_MISSING", &answer);
    run.screen.table(table)
}

fn refused<T>(run: &mut Run, table: &mut Table, what: &str, reason: &str, answer: &Outcome<T>) {
    run.check_refused(what, reason, answer);
    let told = answer.as_ref().err().map_or_else(|| "answered".to_owned(), told);
    table.row([what.to_owned(), told]);
}

fn told(failure: &Failure) -> String {
    failure.reason.clone()
}
