//! The services of the contract: thin handlers, wire to domain and back.
//!
//! Enters: calls that the gate let in. Leaves: answers. Each handler parses,
//! calls a use case and converts; no rule is decided here.

pub mod analytics;
pub mod clearance;
pub mod declarations;
pub mod ledger;
pub mod listings;
pub mod page_token;
pub mod partners;
pub mod periods;
pub mod push;
pub mod reference;
pub mod registry;
pub mod sales;
pub mod sellers;
pub mod wire;

use tonic::service::{Routes, RoutesBuilder};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::app::App;
use crate::app::ledger::LedgerDesk;
use crate::error::{Error, Result};
use crate::proto::puente::access::v1::partner_service_server::PartnerServiceServer;
use crate::proto::puente::clearance::v1::clearance_service_server::ClearanceServiceServer;
use crate::proto::puente::customs::v1::declaration_service_server::DeclarationServiceServer;
use crate::proto::puente::ledger::v1::ledger_service_server::LedgerServiceServer;
use crate::proto::puente::listings::v1::listing_service_server::ListingServiceServer;
use crate::proto::puente::reference::v1::reference_service_server::ReferenceServiceServer;
use crate::proto::puente::registry::v1::registry_service_server::RegistryServiceServer;
use crate::proto::puente::sales::v1::period_service_server::PeriodServiceServer;
use crate::proto::puente::sales::v1::sales_analytics_service_server::SalesAnalyticsServiceServer;
use crate::proto::puente::sales::v1::sales_report_service_server::SalesReportServiceServer;
use crate::proto::puente::sellers::v1::seller_service_server::SellerServiceServer;
use crate::proto::{ACCESS, FILE_DESCRIPTOR_SET};
use analytics::SalesAnalytics;
use clearance::Clearance;
use declarations::Declarations;
use ledger::Ledger;
use listings::Listings;
use page_token::PageTokens;
use partners::Partners;
use periods::Periods;
use reference::Reference;
use registry::Registry;
use sales::SalesReports;
use sellers::Sellers;

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
pub async fn routes(services: &Services) -> Result<(Routes, HealthReporter)> {
    let mut routes = RoutesBuilder::default();
    add(&mut routes, services);
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
    routes.add_service(reflection).add_service(reflection_alpha);
    let (reporter, health) = tonic_health::server::health_reporter();
    for name in service_names() {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    routes.add_service(health);
    Ok((routes.routes(), reporter))
}

/// The services of the contract, by full name, each once.
pub fn service_names() -> Vec<&'static str> {
    let mut names: Vec<_> = ACCESS.iter().map(|method| method.service()).collect();
    names.dedup();
    names
}

/// Adds every service of the contract to `routes`.
fn add(routes: &mut RoutesBuilder, services: &Services) {
    let Services { app, ledger, pages } = services;
    let (app, pages) = (|| app.clone(), || pages.clone());
    routes
        .add_service(PartnerServiceServer::new(Partners::new(app(), pages())))
        .add_service(RegistryServiceServer::new(Registry::new(app(), pages())))
        .add_service(SellerServiceServer::new(Sellers::new(app(), pages())))
        .add_service(ListingServiceServer::new(Listings::new(app(), pages())))
        .add_service(ClearanceServiceServer::new(Clearance::new(app(), pages())))
        .add_service(DeclarationServiceServer::new(Declarations::new(app(), pages())))
        .add_service(ReferenceServiceServer::new(Reference::new(app(), pages())))
        .add_service(LedgerServiceServer::new(Ledger::new(ledger.clone())))
        .add_service(SalesReportServiceServer::new(SalesReports::new(app(), pages())))
        .add_service(PeriodServiceServer::new(Periods::new(app(), pages())))
        .add_service(SalesAnalyticsServiceServer::new(SalesAnalytics::new(app())));
}

#[cfg(test)]
mod hostile_tests;
