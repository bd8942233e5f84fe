//! Listings from draft to withdrawal, one by one and in batches.

use super::batch::{BatchItem, ItemFault, Outcome};
use super::*;
use crate::app::exporters_tests::{fact, row, suspended, sync};
use crate::app::sync::SyncMode;
use crate::app::test_stage::Stage;
use crate::domain::caller::Admission;
use crate::domain::partner::{Agency, Role};

/// An eligible seller.
pub(in crate::app) const SELLER: &str = "30500010912";
/// A well-formed CUIT the registry never sent.
const STRANGER: &str = "33693450239";

/// A stage with the built-in tables and an eligible seller.
pub(in crate::app) async fn stage() -> Stage {
    let stage = Stage::set().await;
    let operator = "operator".parse().unwrap();
    assert_eq!(stage.app.load_builtin_tables(&operator).await.unwrap(), 11);
    assert_eq!(stage.app.load_builtin_tables(&operator).await.unwrap(), 0);
    let rows = vec![row(2, SELLER, fact("2026-01-01", None))];
    sync(&stage, SyncMode::Delta, rows).await.unwrap();
    stage
}

/// A caller of the agency.
pub(in crate::app) fn agency(stage: &Stage, agency: Agency) -> Caller {
    let plain = stage.caller("agency", Role::Agency);
    Caller::admitted(Admission {
        partner: agency.as_str().to_lowercase().parse().unwrap(),
        role: Role::Agency,
        agency: Some(agency),
        scopes: plain.scopes(),
        method: plain.method().to_owned().into(),
        client_address: plain.client_address().into(),
        certificate_thumbprint: plain.certificate_thumbprint().into(),
        trace_id: plain.trace_id().to_owned(),
    })
}

/// Wine with all that it needs.
pub(in crate::app) fn wine(sku: &str) -> NewListing {
    NewListing {
        sku: sku.parse().unwrap(),
        seller: SELLER.parse().unwrap(),
        offer: Offer {
            title: "Malbec Reserva, 750 ml".parse().unwrap(),
            ncm: "2204.21.00".parse().unwrap(),
            gtin: None,
            channel: Channel::OfficialStore,
            unit: "C62".parse().unwrap(),
            statistical_unit: "LTR".parse().unwrap(),
            statistical_factor: "0.75".parse().unwrap(),
            price: "18.50".parse().unwrap(),
            currency: "USD".parse().unwrap(),
            certificates: vec!["INV:EJEMPLO-1:2028-02-28".parse().unwrap()],
            destination: Some("CN".parse().unwrap()),
            producer: None,
            origin: Some("AR-M".parse().unwrap()),
            entry_mode: None,
        },
    }
}

async fn create(stage: &Stage, new: &NewListing) -> Result<Written<Shown>> {
    let market = stage.caller("market", Role::Marketplace);
    stage.app.create_listing(&market, &stage.intent("market"), new).await
}

async fn submit(stage: &Stage, key: &str) -> Result<Written<Shown>> {
    let market = stage.caller("market", Role::Marketplace);
    stage.app.submit_listing(&market, &stage.intent("market"), key, "").await
}

/// A listing made and handed in.
pub(in crate::app) async fn submitted(stage: &Stage, new: &NewListing) -> String {
    let key = create(stage, new).await.unwrap().value.listing.key();
    submit(stage, &key).await.unwrap();
    key
}

fn item(row: i64, new: NewListing) -> BatchItem {
    BatchItem { row, listing: Ok(new) }
}

#[tokio::test]
async fn a_listing_is_made_once_and_handed_in() {
    let stage = stage().await;
    let made = create(&stage, &wine("W-1")).await.unwrap();
    assert_eq!((made.value.version, made.value.listing.state), (1, ListingState::Draft));
    let key = made.value.listing.key();
    let again = create(&stage, &wine("W-1")).await.unwrap_err();
    assert_eq!(again.reason, "SKU_EXISTS");
    assert_eq!(again.metadata, [("name".to_owned(), format!("listings/{key}"))]);

    let done = submit(&stage, &key).await.unwrap();
    assert_eq!(done.value.listing.state, ListingState::Submitted);
    assert_eq!(done.receipt.unwrap().kind, EntryKind::ListingSubmitted);
    assert_eq!(submit(&stage, &key).await.unwrap_err().reason, "ILLEGAL_TRANSITION");
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_and_receipt() {
    let stage = stage().await;
    let market = stage.caller("market", Role::Marketplace);
    let intent = stage.intent("market");
    let first = stage.app.create_listing(&market, &intent, &wine("W-1")).await.unwrap();
    stage.clock.advance(60);
    submit(&stage, &first.value.listing.key()).await.unwrap();
    let again = stage.app.create_listing(&market, &intent, &wine("W-1")).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.value, again.receipt), (first.value, first.receipt));
}

#[tokio::test]
async fn what_cannot_be_declared_or_certified_is_refused_in_words() {
    let stage = stage().await;
    let mut padded = wine("W-1");
    padded.offer.ncm = "2204.99.99".parse().unwrap();
    let unknown = create(&stage, &padded).await.unwrap_err();
    assert_eq!((unknown.reason, unknown.fields[0].field.as_str()), ("UNKNOWN_NCM", "listing.ncm"));
    assert!(unknown.message.contains("2204.21.00"), "{unknown}");

    let mut bare = wine("W-2");
    bare.offer.certificates = vec!["INV:OLD:2026-05-31".parse().unwrap()];
    let made = create(&stage, &bare).await.unwrap().value;
    assert_eq!(made.missing, [CertificateIssuer::Inv]);
    let missing = submit(&stage, &made.listing.key()).await.unwrap_err();
    assert_eq!(missing.reason, "CERTIFICATES_MISSING");
    assert!(missing.message.contains("INV"), "{missing}");
}

#[tokio::test]
async fn only_an_eligible_seller_s_goods_are_handed_in() {
    let stage = stage().await;
    let mut foreign = wine("W-1");
    foreign.seller = STRANGER.parse().unwrap();
    let key = create(&stage, &foreign).await.unwrap().value.listing.key();
    let unknown = submit(&stage, &key).await.unwrap_err();
    assert_eq!(unknown.reason, "SELLER_NOT_ELIGIBLE");
    assert!(unknown.metadata.contains(&("verdict".into(), "UNKNOWN".into())));

    let key = create(&stage, &wine("W-2")).await.unwrap().value.listing.key();
    stage.clock.advance(1);
    let intent = stage.intent("registry");
    stage.app.record_eligibility(&intent, SELLER, "", suspended("2026-06-01")).await.unwrap();
    let refused = submit(&stage, &key).await.unwrap_err();
    assert_eq!(refused.reason, "SELLER_NOT_ELIGIBLE");
    assert!(refused.metadata.contains(&("seller_reason".into(), "SUSPENDED".into())));
}

#[tokio::test]
async fn a_clock_that_went_back_hides_nothing_of_the_seller() {
    let stage = stage().await;
    stage.clock.advance(-7200);
    let key = create(&stage, &wine("W-1")).await.unwrap().value.listing.key();
    submit(&stage, &key).await.unwrap();

    stage.clock.advance(7200);
    let intent = stage.intent("registry");
    stage.app.record_eligibility(&intent, SELLER, "", suspended("2026-06-01")).await.unwrap();
    stage.clock.advance(-7200);
    let key = create(&stage, &wine("W-2")).await.unwrap().value.listing.key();
    let refused = submit(&stage, &key).await.unwrap_err();
    assert_eq!(refused.reason, "SELLER_NOT_ELIGIBLE");
}

#[tokio::test]
async fn another_country_of_destination_is_cleared_anew_another_region_is_not() {
    let stage = stage().await;
    let market = stage.caller("market", Role::Marketplace);
    let key = submitted(&stage, &wine("W-1")).await;
    for (destination, state, revision) in
        [(Some("CN-SH"), ListingState::Submitted, 1), (Some("GB"), ListingState::Draft, 2)]
    {
        let destination = Some(destination.map(|code| code.parse().unwrap()));
        let patch = OfferPatch { destination, ..OfferPatch::default() };
        let intent = stage.intent("market");
        let moved = stage.app.update_listing(&market, &intent, &key, "", &patch).await.unwrap();
        let listing = moved.value.listing;
        assert_eq!((listing.state, listing.revision), (state, revision));
    }
}

#[tokio::test]
async fn a_change_of_what_it_is_makes_a_new_revision_and_etags_hold() {
    let stage = stage().await;
    let market = stage.caller("market", Role::Marketplace);
    let key = submitted(&stage, &wine("W-1")).await;
    let price = OfferPatch { price: Some("20".parse().unwrap()), ..OfferPatch::default() };
    let app = &stage.app;
    let stale = app.update_listing(&market, &stage.intent("market"), &key, "\"1\"", &price).await;
    assert_eq!(stale.unwrap_err().reason, "STALE_ETAG");
    let intent = stage.intent("market");
    let cheap = app.update_listing(&market, &intent, &key, "\"2\"", &price).await.unwrap().value;
    assert_eq!((cheap.listing.state, cheap.listing.revision), (ListingState::Submitted, 1));
    assert_eq!(cheap.version, 3);

    let same = app.update_listing(&market, &stage.intent("market"), &key, "", &price).await;
    assert_eq!(same.unwrap().value.version, 3, "nothing changed, nothing written");
    let other = OfferPatch { origin: Some(None), ..OfferPatch::default() };
    let intent = stage.intent("market");
    let revised = app.update_listing(&market, &intent, &key, "", &other).await.unwrap().value;
    assert_eq!((revised.listing.state, revised.listing.revision), (ListingState::Draft, 2));

    let intent = stage.intent("market");
    let gone = app.withdraw_listing(&market, &intent, &key, "", "sold out").await.unwrap().value;
    assert_eq!(gone.shown.listing.state, ListingState::Withdrawn);
    let late = app.update_listing(&market, &stage.intent("market"), &key, "", &price).await;
    assert_eq!(late.unwrap_err().reason, "LISTING_WITHDRAWN");
}

#[tokio::test]
async fn another_marketplace_finds_nothing_and_authorities_what_was_handed_in() {
    let stage = stage().await;
    let draft = create(&stage, &wine("W-1")).await.unwrap().value.listing.key();
    let handed_in = submitted(&stage, &wine("W-2")).await;
    let other = stage.caller("other", Role::Marketplace);
    let customs = stage.caller("customs", Role::Customs);
    let app = &stage.app;
    let not_found = Error::not_found();
    assert_eq!(app.listing(&other, &handed_in).await.unwrap_err(), not_found);
    assert_eq!(app.listing(&customs, &draft).await.unwrap_err(), not_found);
    let intent = stage.intent("other");
    let taken = app.withdraw_listing(&other, &intent, &handed_in, "", "").await;
    assert_eq!(taken.unwrap_err(), not_found);

    let query = ListingsQuery { limit: 10, ..ListingsQuery::default() };
    let seen = app.list_listings(&customs, &query).await.unwrap().items;
    assert_eq!(seen.iter().map(|one| one.listing.key()).collect::<Vec<_>>(), [handed_in]);
    assert!(app.list_listings(&other, &query).await.unwrap().items.is_empty());
    let market = stage.caller("market", Role::Marketplace);
    assert_eq!(app.list_listings(&market, &query).await.unwrap().items.len(), 2);
    let foreign = ListingsQuery { marketplace: Some("market".parse().unwrap()), ..query };
    assert!(app.list_listings(&other, &foreign).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_batch_keeps_the_good_and_names_the_bad() {
    let stage = stage().await;
    let market = stage.caller("market", Role::Marketplace);
    let mut unknown = wine("W-3");
    unknown.offer.ncm = "2204.99.99".parse().unwrap();
    let mut bare = wine("W-4");
    bare.offer.certificates.clear();
    let fault =
        ItemFault { reason: "INVALID_GTIN".into(), field: "gtin".into(), message: "wrong".into() };
    let items = [
        item(2, wine("W-1")),
        item(3, wine("W-1")),
        item(4, wine("W-2")),
        item(5, unknown),
        item(6, bare),
        BatchItem { row: 7, listing: Err(fault) },
    ];
    let app = &stage.app;
    let written = app.batch_listings(&market, &stage.intent("market"), &items, true).await.unwrap();
    let answer = written.value;
    assert_eq!((answer.created, answer.updated, answer.unchanged, answer.faulty), (2, 0, 0, 4));
    assert!(written.receipt.is_some());
    let reasons: Vec<_> = answer
        .results
        .iter()
        .map(|(row, outcome)| match outcome {
            Outcome::Listing(shown) => (*row, shown.listing.state.as_str().to_owned()),
            Outcome::Fault(fault) => (*row, fault.reason.clone()),
        })
        .collect();
    let expected = [
        (2, "SUBMITTED"),
        (3, "DUPLICATE_SKU"),
        (4, "SUBMITTED"),
        (5, "UNKNOWN_NCM"),
        (6, "CERTIFICATES_MISSING"),
        (7, "INVALID_GTIN"),
    ];
    assert_eq!(reasons, expected.map(|(row, word)| (row, word.to_owned())));
    let made = listing_key(market.partner(), "W-4");
    assert_eq!(app.listing(&market, &made).await.unwrap_err(), Error::not_found());

    let mut cheaper = wine("W-2");
    cheaper.offer.price = "9".parse().unwrap();
    let items = [item(1, wine("W-1")), item(2, cheaper)];
    let again = app.batch_listings(&market, &stage.intent("market"), &items, true).await.unwrap();
    assert_eq!((again.value.created, again.value.updated, again.value.unchanged), (0, 1, 1));
    assert!(again.receipt.is_some());

    let only_bad = [items[0].clone(), items[0].clone()].map(|mut item| {
        item.listing = Err(ItemFault { reason: "X".into(), field: "".into(), message: "".into() });
        item
    });
    let none = app.batch_listings(&market, &stage.intent("market"), &only_bad, true).await.unwrap();
    assert_eq!((none.value.faulty, none.receipt), (2, None));
}
