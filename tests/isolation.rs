//! A second marketplace sees nothing of the first: what is another's answers exactly as what does
//! not exist, lists are empty, sums hold one's own only.

use puente::cli::Client;
use puente::proto::puente::access::v1::Role;
use puente::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use puente::proto::puente::customs::v1::reconciliation_service_client::ReconciliationServiceClient;
use puente::proto::puente::customs::v1::{
    AmendDeclarationRequest, GetDeclarationRequest, GetReconciliationRequest, Incoterm,
    ListDeclarationsRequest, ListDiscrepanciesRequest, ListLineMatchesRequest, ListMatchesRequest,
    ReconciliationState, RecordShipmentRequest, RegisterDeclarationRequest,
};
use puente::proto::puente::ledger::v1::ledger_service_client::LedgerServiceClient;
use puente::proto::puente::ledger::v1::{FindReceiptRequest, GetProofRequest};
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use puente::proto::puente::listings::v1::{
    CreateListingRequest, GetListingRequest, ListListingsRequest, Listing, SubmitListingRequest,
    UpdateListingRequest, WithdrawListingRequest,
};
use puente::proto::puente::sales::v1::export_sale_lines_request::Scope;
use puente::proto::puente::sales::v1::sales_analytics_service_client::SalesAnalyticsServiceClient;
use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{
    Dimension, ExportSaleLinesRequest, GetSalesReportRequest, ListSaleLinesRequest,
    ListSalesReportsRequest, Measure, ReviseSalesReportRequest, SalesFilter,
    SealSalesReportRequest, SummarizeRequest, TopProductsRequest,
};
use puente::proto::puente::sellers::v1::seller_service_client::SellerServiceClient;
use puente::proto::puente::sellers::v1::{GetVerificationRequest, RequestVerificationRequest};
use tonic::{Code, Status};

use crate::common::push::{Push, append, open_report, report, stored};
use crate::common::stage::{Stage, further_partner};
use crate::common::{ask, goods, reason};

const FIRST: &str = "partners/marketplace";

/// What the first marketplace has, and the second one's client.
struct World {
    stage: Stage,
    first: Client,
    second: Client,
    listing: Listing,
    report: String,
    verification: String,
    /// A request of the first, and the entry it made.
    request_id: String,
    index: i64,
}

impl World {
    async fn make() -> Self {
        let stage = Stage::start().await.with_exporter().await;
        let first = stage.client("marketplace");
        let second = stage.second_marketplace("second").await;
        let listing = create_listing(&first, "MALBEC").await;
        create_listing(&first, "MALBEC-2").await;
        let report = open_report(&first, goods::period()).await.name;
        let batch = goods::batch(0, 20);
        let request_id = batch.request_id.clone();
        let receipt = append(&first, &report, batch).await.unwrap().receipt.unwrap();
        let request = RequestVerificationRequest {
            request_id: first.request_id(),
            cuit: goods::CUIT.into(),
            ..Default::default()
        };
        let verification =
            ask!(first, SellerServiceClient.request_verification(request)).unwrap().verification;
        Self {
            stage,
            first,
            second,
            listing,
            report,
            verification: verification.unwrap().name,
            request_id,
            index: receipt.index,
        }
    }
}

async fn create_listing(client: &Client, sku: &str) -> Listing {
    let request = CreateListingRequest {
        request_id: client.request_id(),
        listing: Some(goods::listing(sku)),
        validate_only: false,
    };
    ask!(client, ListingServiceClient.create_listing(request)).unwrap().listing.unwrap()
}

/// Both answers are the same to the last byte, except that each may repeat the name asked for.
fn same(what: &str, asked: [&str; 2], answers: [Result<(), Status>; 2]) {
    let told: Vec<_> = answers
        .into_iter()
        .zip(asked)
        .map(|(answer, name)| {
            let status = answer.err().unwrap_or_else(|| panic!("{what} of {name} was answered"));
            let details = String::from_utf8_lossy(status.details()).replace(name, "NAME");
            (status.code(), status.message().replace(name, "NAME"), details)
        })
        .collect();
    assert_eq!(told[0], told[1], "{what} tells another's from what does not exist");
    assert_eq!(told[0].0, Code::NotFound, "{what}: {}", told[0].1);
}

/// Asks as `$by` for what exists and for what does not, by a request that `$name` is put into.
macro_rules! hidden {
    ($by:expr, $asked:expr, $service:ident.$method:ident(|$name:ident| $request:expr)) => {{
        let mut answers = Vec::new();
        let asked = $asked.clone();
        for name in &asked {
            let $name = name.clone();
            answers.push(ask!($by, $service.$method($request)).map(|_| ()));
        }
        let absent = answers.pop().unwrap();
        same(
            stringify!($method),
            [asked[0].to_string().as_str(), asked[1].to_string().as_str()],
            [answers.pop().unwrap(), absent],
        );
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_anothers_does_not_exist() {
    let world = World::make().await;
    let second = &world.second;
    let fresh = || second.request_id();

    let listings = [world.listing.name.clone(), format!("listings/{}", fresh())];
    hidden!(second, listings, ListingServiceClient.get_listing(|name| GetListingRequest { name }));
    hidden!(
        second,
        listings,
        ListingServiceClient.update_listing(|name| UpdateListingRequest {
            request_id: fresh(),
            name,
            listing: Some(Listing { title: "Otro".into(), ..Listing::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["title".into()] }),
            ..Default::default()
        })
    );
    hidden!(
        second,
        listings,
        ListingServiceClient.submit_listing(|name| SubmitListingRequest {
            request_id: fresh(),
            name,
            ..Default::default()
        })
    );
    hidden!(
        second,
        listings,
        ListingServiceClient.withdraw_listing(|name| WithdrawListingRequest {
            request_id: fresh(),
            name,
            ..Default::default()
        })
    );

    let reports = [world.report.clone(), format!("salesReports/{}", fresh())];
    hidden!(
        second,
        reports,
        SalesReportServiceClient.get_sales_report(|name| GetSalesReportRequest { name })
    );
    hidden!(
        second,
        reports,
        SalesReportServiceClient.seal_sales_report(|name| SealSalesReportRequest {
            request_id: fresh(),
            name,
            ..Default::default()
        })
    );
    hidden!(
        second,
        reports,
        SalesReportServiceClient.revise_sales_report(|name| ReviseSalesReportRequest {
            request_id: fresh(),
            name,
            reason: "lines were missing".into(),
            ..Default::default()
        })
    );
    hidden!(
        second,
        reports,
        SalesReportServiceClient
            .list_sale_lines(|report| ListSaleLinesRequest { report, ..Default::default() })
    );
    hidden!(
        second,
        reports,
        SalesReportServiceClient.export_sale_lines(|report| ExportSaleLinesRequest {
            scope: Some(Scope::Report(report)),
            ..Default::default()
        })
    );
    let asked = [reports[0].as_str(), reports[1].as_str()];
    let appended = [
        append(second, asked[0], goods::batch(50, 51)).await.map(|_| ()),
        append(second, asked[1], goods::batch(50, 51)).await.map(|_| ()),
    ];
    same("append_sale_lines", asked, appended);
    let pushed = [
        Push::open(second, asked[0]).await.map(|_| ()),
        Push::open(second, asked[1]).await.map(|_| ()),
    ];
    same("push_sale_lines", asked, pushed);

    let verifications = [world.verification.clone(), format!("verifications/{}", fresh())];
    hidden!(
        second,
        verifications,
        SellerServiceClient.get_verification(|name| GetVerificationRequest { name })
    );

    // Nothing of what was tried left a trace.
    let listing = GetListingRequest { name: world.listing.name.clone() };
    let listing = ask!(world.first, ListingServiceClient.get_listing(listing)).unwrap().listing;
    assert_eq!(listing.unwrap(), world.listing);
    assert_eq!(stored(&report(&world.first, &world.report).await).0, 20);
    world.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_and_proofs_are_ones_own() {
    let world = World::make().await;
    let second = &world.second;
    let requests = [world.request_id.clone(), second.request_id()];
    hidden!(
        second,
        requests,
        LedgerServiceClient
            .find_receipt(|request_id| FindReceiptRequest { request_id, partner: String::new() })
    );
    // By the other's name, too, existing and absent are told the same.
    let mut named = Vec::new();
    for request_id in &requests {
        let request = FindReceiptRequest { request_id: request_id.clone(), partner: FIRST.into() };
        let status = ask!(second, LedgerServiceClient.find_receipt(request)).unwrap_err();
        named.push((status.code(), status.message().to_owned(), status.details().to_vec()));
    }
    assert_eq!(named[0], named[1]);

    let indexes = [world.index, 1_000_000];
    hidden!(second, indexes, LedgerServiceClient.get_proof(|index| GetProofRequest { index }));

    // The first finds both.
    let request =
        FindReceiptRequest { request_id: world.request_id.clone(), partner: String::new() };
    let found = ask!(world.first, LedgerServiceClient.find_receipt(request)).unwrap();
    assert_eq!(found.receipts[0].index, world.index);
    let request = GetProofRequest { index: world.index };
    assert!(ask!(world.first, LedgerServiceClient.get_proof(request)).is_ok());
    world.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_page_tokens_are_ones_own() {
    let world = World::make().await;
    let (first, second) = (&world.first, &world.second);
    for marketplace in ["", FIRST] {
        let request = ListListingsRequest { marketplace: marketplace.into(), ..Default::default() };
        let listings = ask!(second, ListingServiceClient.list_listings(request)).unwrap();
        assert!(listings.listings.is_empty() && listings.next_page_token.is_empty());
        let request =
            ListSalesReportsRequest { marketplace: marketplace.into(), ..Default::default() };
        let reports = ask!(second, SalesReportServiceClient.list_sales_reports(request)).unwrap();
        assert!(reports.reports.is_empty() && reports.next_page_token.is_empty());
    }

    let request = ListListingsRequest { page_size: 1, ..Default::default() };
    let page = ask!(first, ListingServiceClient.list_listings(request.clone())).unwrap();
    assert_eq!(page.listings.len(), 1);
    let next = ListListingsRequest { page_token: page.next_page_token, ..request };
    let status = ask!(second, ListingServiceClient.list_listings(next.clone())).unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "INVALID_PAGE_TOKEN")
    );
    // It does open for whom it was made, and for that question only.
    let page = ask!(first, ListingServiceClient.list_listings(next.clone())).unwrap();
    assert_eq!(page.listings.len(), 1);
    let other = ListListingsRequest { ncm_prefix: "22".into(), ..next };
    let status = ask!(first, ListingServiceClient.list_listings(other)).unwrap_err();
    assert_eq!(reason(&status), "INVALID_PAGE_TOKEN");

    // A draft is nobody's but the marketplace's.
    let customs = world.stage.client("customs");
    let drafts = [world.listing.name.clone(), format!("listings/{}", customs.request_id())];
    hidden!(customs, drafts, ListingServiceClient.get_listing(|name| GetListingRequest { name }));
    world.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_and_line_ids_are_ones_own() {
    let world = World::make().await;
    let (first, second) = (&world.first, &world.second);
    let top = |marketplace: &str| TopProductsRequest {
        period: Some(goods::period()),
        measure: Measure::Amount.into(),
        limit: 10,
        filter: Some(SalesFilter {
            marketplace: marketplace.into(),
            currency: "USD".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let sums = |marketplace: &str| SummarizeRequest {
        period: None,
        dimensions: vec![Dimension::Marketplace.into()],
        filter: Some(SalesFilter { marketplace: marketplace.into(), ..Default::default() }),
        ..Default::default()
    };
    for marketplace in ["", FIRST] {
        let answer =
            ask!(second, SalesAnalyticsServiceClient.top_products(top(marketplace))).unwrap();
        assert!(answer.products.is_empty(), "{answer:?}");
        let answer =
            ask!(second, SalesAnalyticsServiceClient.summarize(sums(marketplace))).unwrap();
        assert!(answer.rows.is_empty(), "{answer:?}");
    }
    let answer = ask!(first, SalesAnalyticsServiceClient.top_products(top(""))).unwrap();
    assert_eq!(answer.products.len(), 1);
    assert_eq!(answer.products[0].sku, "MALBEC");

    // The same line ids in the second's own report of the same days.
    let own = open_report(second, goods::period()).await.name;
    assert_ne!(own, world.report);
    let result = append(second, &own, goods::batch(0, 20)).await.unwrap();
    assert_eq!(result.counts.unwrap().duplicate, 0, "{:?}", result.verdicts);
    assert_eq!(stored(&report(second, &own).await), (20, goods::amount(20)));
    assert_eq!(stored(&report(first, &world.report).await), (20, goods::amount(20)));
    let answer = ask!(second, SalesAnalyticsServiceClient.summarize(sums(""))).unwrap();
    assert_eq!(answer.rows.len(), 1, "{answer:?}");
    assert_eq!(answer.rows[0].lines, 20);
    world.stage.stop().await;
}

const MIXED: &str = "26001EC01000001A";
const FOREIGN: &str = "26001EC01000002B";
const ABSENT: &str = "26001EC01000003C";

/// The world with two declarations: one of goods of both marketplaces, one of the first's alone.
async fn declared() -> World {
    let world = World::make().await;
    let listing = create_listing(&world.second, "SECOND").await;
    for (client, name) in [(&world.first, &world.listing.name), (&world.second, &listing.name)] {
        let request = SubmitListingRequest {
            request_id: client.request_id(),
            name: name.clone(),
            ..Default::default()
        };
        ask!(client, ListingServiceClient.submit_listing(request)).unwrap();
    }
    let customs = world.stage.client("customs");
    for (number, skus) in [(MIXED, &["MALBEC", "SECOND"][..]), (FOREIGN, &["MALBEC"])] {
        let request = RegisterDeclarationRequest {
            request_id: customs.request_id(),
            declaration: Some(goods::declaration(number, skus)),
            ..Default::default()
        };
        ask!(customs, DeclarationServiceClient.register_declaration(request)).unwrap();
    }
    let request = AmendDeclarationRequest {
        request_id: customs.request_id(),
        name: format!("declarations/{MIXED}"),
        reason: "as asked".into(),
        incoterm: Incoterm::Cif.into(),
        ..Default::default()
    };
    ask!(customs, DeclarationServiceClient.amend_declaration(request)).unwrap();
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declaration_shows_a_marketplace_its_own_items_only() {
    let world = declared().await;
    let (first, second) = (&world.first, &world.second);
    let names = [format!("declarations/{FOREIGN}"), format!("declarations/{ABSENT}")];
    hidden!(
        second,
        names,
        DeclarationServiceClient.get_declaration(|name| GetDeclarationRequest { name })
    );

    let request = GetDeclarationRequest { name: format!("declarations/{MIXED}") };
    let customs = world.stage.client("customs");
    let whole = ask!(customs, DeclarationServiceClient.get_declaration(request.clone()));
    let whole = whole.unwrap().declaration.unwrap();
    assert_eq!((whole.items.len(), whole.item_count, whole.revision), (2, 2, 2));
    assert_eq!((whole.declarant_cuit.as_str(), whole.amendments.len()), ("33693450239", 1));
    let part = ask!(second, DeclarationServiceClient.get_declaration(request));
    let part = part.unwrap().declaration.unwrap();
    assert_eq!(part.items.len(), 1);
    assert_eq!(part.items[0], whole.items[1], "its own is shown whole");
    assert_eq!((part.declarant_cuit.as_str(), part.etag.as_str()), ("", ""));
    assert_eq!((part.item_count, part.shipped_item_count, part.revision), (0, 0, 0));
    assert!(part.amendments.is_empty() && part.update_time.is_none());

    let list = async |client: &Client, marketplace: &str| {
        let request =
            ListDeclarationsRequest { marketplace: marketplace.into(), ..Default::default() };
        let answer = ask!(client, DeclarationServiceClient.list_declarations(request)).unwrap();
        let found = answer.declarations.iter();
        found.map(|one| (one.number.clone(), one.items.len())).collect::<Vec<_>>()
    };
    assert_eq!(list(second, "").await, [(MIXED.to_owned(), 1)]);
    assert_eq!(list(second, FIRST).await, []);
    assert_eq!(list(first, "").await, [(MIXED.to_owned(), 1), (FOREIGN.to_owned(), 1)]);
    let auditor = world.stage.client("auditor");
    assert_eq!(list(&auditor, "").await, [(MIXED.to_owned(), 2), (FOREIGN.to_owned(), 1)]);
    world.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_a_broker_without_a_delegation_there_is_no_declaration() {
    let world = declared().await;
    let broker = further_partner(&world.stage.folder, "broker", Role::Broker).await;
    let fresh = || broker.request_id();
    let names = [format!("declarations/{MIXED}"), format!("declarations/{ABSENT}")];
    hidden!(
        broker,
        names,
        DeclarationServiceClient.get_declaration(|name| GetDeclarationRequest { name })
    );
    hidden!(
        broker,
        names,
        DeclarationServiceClient.amend_declaration(|name| AmendDeclarationRequest {
            request_id: fresh(),
            name,
            reason: "as asked".into(),
            incoterm: Incoterm::Fob.into(),
            ..Default::default()
        })
    );
    hidden!(
        broker,
        names,
        DeclarationServiceClient.record_shipment(|declaration| RecordShipmentRequest {
            request_id: fresh(),
            declaration,
            shipments: vec![goods::shipment(1, "1", 1)],
            ..Default::default()
        })
    );
    let request = ListDeclarationsRequest::default();
    let listed = ask!(broker, DeclarationServiceClient.list_declarations(request)).unwrap();
    assert!(listed.declarations.is_empty());
    let request = RegisterDeclarationRequest {
        request_id: fresh(),
        declaration: Some(goods::declaration(ABSENT, &["MALBEC"])),
        ..Default::default()
    };
    let status = ask!(broker, DeclarationServiceClient.register_declaration(request)).unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::PermissionDenied, "NO_DELEGATION")
    );
    world.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marketplace_reconciles_its_own_items_only() {
    let world = declared().await;
    let (first, second) = (&world.first, &world.second);
    let names = [format!("declarations/{FOREIGN}"), format!("declarations/{ABSENT}")];
    let asked = |declaration| GetReconciliationRequest { declaration, ..Default::default() };
    hidden!(
        second,
        names,
        ReconciliationServiceClient.get_reconciliation(|declaration| asked(declaration))
    );
    let absent = format!("{}0", &world.listing.name[..world.listing.name.len() - 1]);
    let listings = [world.listing.name.clone(), absent];
    hidden!(
        second,
        listings,
        ReconciliationServiceClient
            .list_matches(|listing| ListMatchesRequest { listing, ..Default::default() })
    );
    hidden!(
        second,
        listings,
        ReconciliationServiceClient
            .list_line_matches(|listing| ListLineMatchesRequest { listing, ..Default::default() })
    );
    let mixed = || asked(format!("declarations/{MIXED}"));
    let own = ask!(second, ReconciliationServiceClient.get_reconciliation(mixed())).unwrap();
    let skus: Vec<_> = own.items.iter().map(|item| item.sku.as_str()).collect();
    assert_eq!(skus, ["SECOND"]);
    let auditor = world.stage.client("auditor");
    let all = ask!(auditor, ReconciliationServiceClient.get_reconciliation(mixed())).unwrap();
    assert_eq!(all.items.len(), 2);
    // Of the two items of the first's listing the newer one is oversold: the world has sold some.
    for (client, marketplace, found) in
        [(second, "", 1), (second, FIRST, 0), (first, "", 1), (&auditor, "", 2)]
    {
        let request = ListDiscrepanciesRequest {
            state: ReconciliationState::Declared.into(),
            marketplace: marketplace.into(),
            ..Default::default()
        };
        let told = ask!(client, ReconciliationServiceClient.list_discrepancies(request)).unwrap();
        assert_eq!(told.discrepancies.len(), found);
    }
    world.stage.stop().await;
}
