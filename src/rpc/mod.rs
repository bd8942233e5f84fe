//! The services of the contract: thin handlers, wire to domain and back.
//!
//! Enters: calls that the gate let in. Leaves: answers. Each handler parses,
//! calls a use case and converts; no rule is decided here.

pub mod analytics;
pub mod clearance;
pub mod declarations;
pub mod delegations;
pub mod late_facts;
pub mod ledger;
pub mod listings;
pub mod page_token;
pub mod partners;
pub mod periods;
pub mod push;
pub mod reconciliation;
pub mod reference;
pub mod registry;
pub mod sales;
pub mod sellers;
pub mod settlements;
pub mod wire;

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::app::App;
use crate::app::ledger::LedgerDesk;
use crate::error::{Error, Result};
use crate::gate::handlers::Handlers;
use crate::proto::puente::access::v1::partner_service_server::PartnerServiceServer;
use crate::proto::puente::clearance::v1::clearance_service_server::ClearanceServiceServer;
use crate::proto::puente::customs::v1::declaration_service_server::DeclarationServiceServer;
use crate::proto::puente::customs::v1::delegation_service_server::DelegationServiceServer;
use crate::proto::puente::customs::v1::reconciliation_service_server::ReconciliationServiceServer;
use crate::proto::puente::customs::v1::settlement_service_server::SettlementServiceServer;
use crate::proto::puente::ledger::v1::ledger_service_server::LedgerServiceServer;
use crate::proto::puente::listings::v1::listing_service_server::ListingServiceServer;
use crate::proto::puente::reference::v1::reference_service_server::ReferenceServiceServer;
use crate::proto::puente::registry::v1::registry_service_server::RegistryServiceServer;
use crate::proto::puente::sales::v1::late_fact_service_server::LateFactServiceServer;
use crate::proto::puente::sales::v1::period_service_server::PeriodServiceServer;
use crate::proto::puente::sales::v1::sales_analytics_service_server::SalesAnalyticsServiceServer;
use crate::proto::puente::sales::v1::sales_report_service_server::SalesReportServiceServer;
use crate::proto::puente::sellers::v1::seller_service_server::SellerServiceServer;
use crate::proto::{ACCESS, FILE_DESCRIPTOR_SET};
use analytics::SalesAnalytics;
use clearance::Clearance;
use declarations::Declarations;
use delegations::Delegations;
use late_facts::LateFacts;
use ledger::Ledger;
use listings::Listings;
use page_token::PageTokens;
use partners::Partners;
use periods::Periods;
use reconciliation::Reconciliations;
use reference::Reference;
use registry::Registry;
use sales::SalesReports;
use sellers::Sellers;
use settlements::Settlements;

/// What the handlers work with.
#[derive(Clone)]
pub struct Services {
    /// The use cases.
    pub app: App,
    /// The ledger and its signer.
    pub ledger: LedgerDesk,
    /// What seals page tokens.
    pub pages: PageTokens,
}

/// Every service of the contract, with reflection (v1 and v1alpha) and health.
///
/// The reporter tells health's answers; all services begin as SERVING.
pub async fn handlers(services: &Services) -> Result<(Handlers, HealthReporter)> {
    let mut handlers = Handlers::default();
    add(&mut handlers, services);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|reason| Error::internal(format!("reflection: {reason}")))?;
    let reflection_alpha = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1alpha()
        .map_err(|reason| Error::internal(format!("reflection: {reason}")))?;
    handlers.add(reflection).add(reflection_alpha);
    let (reporter, health) = tonic_health::server::health_reporter();
    for name in service_names() {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    handlers.add(health);
    Ok((handlers, reporter))
}

/// The services of the contract, by full name, each once.
pub fn service_names() -> Vec<&'static str> {
    let mut names: Vec<_> = ACCESS.iter().map(|method| method.service()).collect();
    names.dedup();
    names
}

/// Adds every service of the contract to `handlers`.
fn add(handlers: &mut Handlers, services: &Services) {
    let Services { app, ledger, pages } = services;
    let (app, pages) = (|| app.clone(), || pages.clone());
    handlers
        .add(PartnerServiceServer::new(Partners::new(app(), pages())))
        .add(RegistryServiceServer::new(Registry::new(app(), pages())))
        .add(SellerServiceServer::new(Sellers::new(app(), pages())))
        .add(ListingServiceServer::new(Listings::new(app(), pages())))
        .add(ClearanceServiceServer::new(Clearance::new(app(), pages())))
        .add(DeclarationServiceServer::new(Declarations::new(app(), pages())))
        .add(DelegationServiceServer::new(Delegations::new(app(), pages())))
        .add(ReconciliationServiceServer::new(Reconciliations::new(app(), pages())))
        .add(SettlementServiceServer::new(Settlements::new(app(), pages())))
        .add(ReferenceServiceServer::new(Reference::new(app(), pages())))
        .add(LedgerServiceServer::new(Ledger::new(ledger.clone())))
        .add(SalesReportServiceServer::new(SalesReports::new(app(), pages())))
        .add(LateFactServiceServer::new(LateFacts::new(app(), pages())))
        .add(PeriodServiceServer::new(Periods::new(app(), pages())))
        .add(SalesAnalyticsServiceServer::new(SalesAnalytics::new(app())));
}

#[cfg(test)]
mod hostile_tests;
