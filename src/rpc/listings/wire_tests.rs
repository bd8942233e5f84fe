//! What the contract's rules for listings take and refuse.

use super::*;

fn whole() -> pb::Listing {
    let decimal = |value: &str| Some(gtype::Decimal { value: value.into() });
    pb::Listing {
        sku: "W-1".into(),
        seller_cuit: "30-50001091-2".into(),
        title: "Malbec".into(),
        ncm: "22042100".into(),
        channel: 1,
        unit: "C62".into(),
        statistical_unit: "LTR".into(),
        statistical_factor: decimal("0.75"),
        price: decimal("123456789012.0123456789"),
        currency: "USD".into(),
        ..pb::Listing::default()
    }
}

fn refused(change: impl FnOnce(&mut pb::Listing)) -> (&'static str, String) {
    let mut listing = whole();
    change(&mut listing);
    let error = new("listing", Some(&listing), &Tables::default()).unwrap_err();
    (error.reason, error.fields[0].field.clone())
}

#[test]
fn a_whole_listing_parses_in_every_spelling_of_its_tariff_code() {
    for ncm in ["22042100", "2204.21.00", "2204.2100", "220421.00"] {
        let sent = pb::Listing { ncm: ncm.into(), ..whole() };
        let parsed = new("listing", Some(&sent), &Tables::default()).unwrap();
        assert_eq!(parsed.offer.ncm.to_string(), "2204.21.00");
        assert_eq!(parsed.seller.to_string(), "30500010912");
    }
}

#[test]
fn every_fault_names_its_field() {
    type Fault = fn(&mut pb::Listing);
    let cases: [(Fault, &str, &str); 11] = [
        (|l| l.sku.clear(), "INVALID_FIELD", "listing.sku"),
        (|l| l.seller_cuit = "30500010913".into(), "INVALID_CUIT", "listing.seller_cuit"),
        (|l| l.title.clear(), "INVALID_FIELD", "listing.title"),
        (|l| l.ncm = "2204".into(), "UNKNOWN_NCM", "listing.ncm"),
        (|l| l.ncm = "2204.21.00.100A".into(), "UNKNOWN_NCM", "listing.ncm"),
        (|l| l.gtin = "7790272001028".into(), "INVALID_GTIN", "listing.gtin"),
        (|l| l.channel = 3, "INVALID_FIELD", "listing.channel"),
        (|l| l.price = None, "INVALID_FIELD", "listing.price"),
        (
            |l| l.price = Some(gtype::Decimal { value: "-1".into() }),
            "INVALID_FIELD",
            "listing.price",
        ),
        (
            |l| l.certificates = vec![pb::Certificate::default()],
            "INVALID_FIELD",
            "listing.certificates[0].issuer",
        ),
        (|l| l.etag = "x".repeat(65), "INVALID_FIELD", "listing.etag"),
    ];
    for (change, reason, field) in cases {
        assert_eq!(refused(change), (reason, field.to_owned()));
    }
}

#[test]
fn a_patch_holds_what_its_mask_names() {
    let mask = |paths: &[&str]| prost_types::FieldMask {
        paths: paths.iter().map(ToString::to_string).collect(),
    };
    let tables = Tables::default();
    let named = patch(Some(&whole()), Some(&mask(&["price", "gtin"])), &tables).unwrap();
    assert_eq!(named.gtin, Some(None));
    assert!(named.price.is_some() && named.title.is_none());
    for bad in [mask(&["sku"]), mask(&["state"])] {
        let error = patch(Some(&whole()), Some(&bad), &tables).unwrap_err();
        assert_eq!(error.fields[0].field, "update_mask");
    }
    let empty = patch(Some(&pb::Listing::default()), Some(&mask(&["title"])), &tables);
    assert_eq!(empty.unwrap_err().fields[0].field, "listing.title");
    assert!(patch(Some(&whole()), None, &tables).is_err());
}

#[test]
fn a_faulty_item_of_a_batch_keeps_its_fault() {
    let bad = pb::Listing { gtin: "1".into(), ..whole() };
    let sent = [(2, Some(whole())), (3, Some(bad)), (4, None)]
        .map(|(row, listing)| pb::BatchListing { row, listing });
    let parsed = items(&sent, &Tables::default()).unwrap();
    assert!(parsed[0].listing.is_ok());
    let fault = parsed[1].listing.as_ref().unwrap_err();
    assert_eq!((fault.reason.as_str(), fault.field.as_str()), ("INVALID_GTIN", "gtin"));
    assert_eq!(parsed[2].listing.as_ref().unwrap_err().field, "listing");
    assert!(items(&[], &Tables::default()).is_err());
}
