use jiff::civil::date;

use super::super::requirements::Requirements;
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

const TODAY: Date = date(2027, 1, 15);

fn wine() -> Offer {
    Offer {
        title: "Malbec Reserva, 750 ml".parse().unwrap(),
        ncm: "2204.21.00".parse().unwrap(),
        gtin: None,
        channel: Channel::OfficialStore,
        unit: "C62".parse().unwrap(),
        statistical_unit: "LTR".parse().unwrap(),
        statistical_factor: "0.75".parse().unwrap(),
        price: "18.50".parse().unwrap(),
        currency: "USD".parse().unwrap(),
        certificates: vec!["INV:1:2028-02-28".parse().unwrap()],
        destination: Some("CN".parse().unwrap()),
        producer: None,
        origin: Some("AR-M".parse().unwrap()),
        entry_mode: None,
    }
}

fn listing() -> Listing {
    let (marketplace, sku) = ("marketplace".parse().unwrap(), "W-1".parse().unwrap());
    Listing::draft(marketplace, sku, "30500010912".parse().unwrap(), wine(), at(0))
}

fn requirement(listing: &Listing) -> Requirement {
    listing.requirement(&Requirements::default(), TODAY)
}

fn submitted() -> Listing {
    let mut one = listing();
    one.submit(&requirement(&one), TODAY, at(1)).unwrap();
    one
}

fn clear(one: &mut Listing, authority: Authority) {
    one.decide(authority, Decision::Clear, None, None, at(2)).unwrap();
}

fn cleared() -> Listing {
    let mut one = submitted();
    clear(&mut one, Authority::Customs);
    clear(&mut one, Authority::Inv);
    one
}

fn note() -> Option<Note> {
    Some("because".parse().unwrap())
}

#[test]
fn wine_is_cleared_by_customs_and_inv_and_nobody_else() {
    let mut one = submitted();
    assert_eq!(one.state, ListingState::Submitted);
    let fault = one.decide(Authority::Senasa, Decision::Clear, None, None, at(2)).unwrap_err();
    assert_eq!(fault.reason, "NOT_COMPETENT");
    clear(&mut one, Authority::Inv);
    assert_eq!(one.state, ListingState::UnderReview);
    clear(&mut one, Authority::Customs);
    assert_eq!(one.state, ListingState::Cleared);
}

#[test]
fn without_its_certificates_it_is_not_taken() {
    let mut one = listing();
    one.offer.certificates = vec!["INV:1:2027-01-14".parse().unwrap()];
    let fault = one.submit(&requirement(&one), TODAY, at(1)).unwrap_err();
    assert_eq!(fault.reason, "CERTIFICATES_MISSING");
    assert_eq!(fault.metadata, [("issuers", "INV".to_owned())]);
    assert_eq!(one.state, ListingState::Draft);
}

#[test]
fn one_refusal_refuses_and_the_last_word_holds() {
    let mut one = submitted();
    clear(&mut one, Authority::Inv);
    let silent = one.decide(Authority::Customs, Decision::Refuse, None, None, at(3));
    assert_eq!(silent.unwrap_err().reason, "NOTE_REQUIRED");
    one.decide(Authority::Customs, Decision::Refuse, Some(1), note(), at(3)).unwrap();
    assert_eq!(one.state, ListingState::Refused);
    one.submit(&requirement(&one), TODAY, at(4)).unwrap();
    assert_eq!(one.state, ListingState::UnderReview, "what INV cleared stays cleared");
    one.decide(Authority::Customs, Decision::RequestInfo, None, note(), at(5)).unwrap();
    assert_eq!(one.state, ListingState::InfoRequested);
    clear(&mut one, Authority::Customs);
    assert_eq!(one.state, ListingState::Cleared);
    one.decide(Authority::Inv, Decision::Refuse, None, note(), at(6)).unwrap();
    assert_eq!(one.state, ListingState::Refused);
}

#[test]
fn price_and_text_need_no_new_clearance_but_what_it_is_does() {
    type Change = fn(&mut Offer);
    let light: [Change; 4] = [
        |o| o.price = "20".parse().unwrap(),
        |o| o.title = "Malbec".parse().unwrap(),
        |o| o.channel = Channel::SellerStore,
        |o| o.certificates = vec!["INV:1:2029-01-01".parse().unwrap()],
    ];
    for change in light {
        let mut one = cleared();
        let mut offer = one.offer.clone();
        change(&mut offer);
        assert!(one.change(offer, at(9)).unwrap());
        assert_eq!((one.state, one.revision), (ListingState::Cleared, 1));
    }
    let heavy: [Change; 6] = [
        |o| o.ncm = "2204.10.90".parse().unwrap(),
        |o| o.gtin = Some("7790272001029".parse().unwrap()),
        |o| o.producer = Some("Otra bodega".parse().unwrap()),
        |o| o.origin = None,
        |o| o.certificates = vec!["INV:2:2029-01-01".parse().unwrap()],
        |o| o.certificates = vec!["INV:1:2027-12-31".parse().unwrap()],
    ];
    for change in heavy {
        let mut one = cleared();
        let mut offer = one.offer.clone();
        change(&mut offer);
        assert!(one.change(offer, at(9)).unwrap());
        assert_eq!((one.state, one.revision), (ListingState::Draft, 2));
        assert!(one.reviews.is_empty());
    }
    let mut one = listing();
    let mut offer = one.offer.clone();
    offer.ncm = "2204.10.90".parse().unwrap();
    one.change(offer.clone(), at(9)).unwrap();
    assert_eq!(one.revision, 1, "nobody was asked about the draft yet");
    assert!(!one.change(offer, at(9)).unwrap());
}

#[test]
fn a_decision_on_an_older_revision_is_stale() {
    let mut one = cleared();
    let mut offer = one.offer.clone();
    offer.producer = Some("Otra bodega".parse().unwrap());
    one.change(offer, at(3)).unwrap();
    let draft = one.decide(Authority::Inv, Decision::Clear, None, None, at(4)).unwrap_err();
    assert_eq!(draft.reason, "ILLEGAL_TRANSITION");
    one.submit(&requirement(&one), TODAY, at(5)).unwrap();
    let stale = one.decide(Authority::Inv, Decision::Clear, Some(1), None, at(6)).unwrap_err();
    assert_eq!(stale.reason, "STALE_REVISION");
}

#[test]
fn it_comes_back_when_every_reason_is_lifted() {
    let mut one = cleared();
    assert!(one.suspend(SuspensionReason::Seller, at(3)));
    assert!(!one.suspend(SuspensionReason::Seller, at(3)));
    assert!(one.suspend(SuspensionReason::Recall, at(4)));
    assert_eq!(one.state, ListingState::Suspended);
    assert!(one.lift(SuspensionReason::Seller, at(5)));
    assert_eq!(one.state, ListingState::Suspended);
    assert!(one.lift(SuspensionReason::Recall, at(6)));
    assert!(!one.lift(SuspensionReason::Recall, at(6)));
    assert_eq!(one.state, ListingState::Cleared);
}

#[test]
fn a_seller_suspended_during_review_is_not_cleared_by_it() {
    let mut one = submitted();
    assert!(one.suspend(SuspensionReason::Seller, at(2)));
    assert_eq!(one.state, ListingState::Submitted);
    clear(&mut one, Authority::Customs);
    clear(&mut one, Authority::Inv);
    assert_eq!(one.state, ListingState::Suspended);
    assert!(one.lift(SuspensionReason::Seller, at(3)));
    assert_eq!(one.state, ListingState::Cleared);
    assert!(!listing().suspend(SuspensionReason::Seller, at(3)), "a draft is asked about later");
}

#[test]
fn withdrawn_is_final() {
    let mut one = cleared();
    one.withdraw(at(3)).unwrap();
    assert_eq!(one.withdraw(at(4)).unwrap_err().reason, "ILLEGAL_TRANSITION");
    assert_eq!(one.change(wine(), at(4)).unwrap_err().reason, "LISTING_WITHDRAWN");
    assert_eq!(one.submit(&requirement(&one), TODAY, at(4)).unwrap_err().reason, {
        "ILLEGAL_TRANSITION"
    });
    assert!(!one.suspend(SuspensionReason::Seller, at(4)));
    assert_eq!(one.state, ListingState::Withdrawn);
}

#[test]
fn a_listing_survives_its_document() {
    let mut one = cleared();
    one.suspend(SuspensionReason::Certificate, at(3));
    let json = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Listing>(&json).unwrap(), one);
    assert_eq!(one.key(), listing_key(&one.marketplace, "W-1"));
}
