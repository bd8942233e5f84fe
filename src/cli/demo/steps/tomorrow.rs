//! The next day comes: a certificate is over, and so is the time of a settlement.

use std::time::Duration;

use jiff::ToSpan as _;

use super::super::Run;
use super::super::screen::Table;
use super::listings::{AUTHORITIES, decide, list, send};
use super::suspension::{distinct, reasons};
use crate::cli::output::word;
use crate::cli::parse::proto_date;
use crate::cli::{Client, Outcome};
use crate::domain::exporter::argentine_day;
use crate::proto::puente::clearance::v1::ExtendCertificateRequest;
use crate::proto::puente::clearance::v1::clearance_service_client::ClearanceServiceClient;
use crate::proto::puente::listings::v1::batch_listing_result::Outcome as Told;
use crate::proto::puente::listings::v1::{
    BatchListing, Certificate, CertificateIssuer, ListListingsRequest, Listing,
};

/// The certificate that ends today.
const CERTIFICATE: &str = "EJEMPLO-UN-DIA";
/// The two wines that carry it.
const SKUS: [&str; 2] = ["EJEMPLO-UN-DIA-1", "EJEMPLO-UN-DIA-2"];
/// How often it is looked whether the day was noticed, and for how long.
const LOOK: (Duration, u32) = (Duration::from_millis(200), 150);

/// Nobody calls, and listings are suspended and a settlement is overdue.
pub(in super::super) async fn comes(run: &mut Run) -> Outcome {
    let Some(like) = run.listings.iter().skip(1).find(|one| carries_one(one)).cloned() else {
        return Ok(());
    };
    if run.input.customs.is_none() {
        return Ok(());
    }
    run.screen.title("Tomorrow comes: a certificate ends, and the time to settle")?;
    let marketplace = run.client("marketplace")?;
    let today = argentine_day(run.world.env.now());
    let certificate = Certificate {
        issuer: CertificateIssuer::Inv.into(),
        number: CERTIFICATE.into(),
        valid_to: Some(proto_date(today)),
    };
    offer(run, &marketplace, &like, &certificate).await?;
    let mut table =
        Table::new("Listings of that certificate", ["When", "#Listings", "State", "Why"]);
    see(run, &marketplace, &like, ("on its last day", "CLEARED", ""), &mut table).await?;

    run.world.wait_a_day();
    for _ in 0..LOOK.1 {
        let own = own(&marketplace, &like).await?;
        if own.iter().all(|one| !reasons(one).is_empty()) {
            break;
        }
        tokio::time::sleep(LOOK.0).await;
    }
    let ended = ("a day later", "SUSPENDED", "CERTIFICATE");
    see(run, &marketplace, &like, ended, &mut table).await?;
    let request =
        ListListingsRequest { seller_cuit: like.seller_cuit.clone(), ..Default::default() };
    let others = list(&marketplace, request).await?;
    let others = others.iter().filter(|one| !SKUS.contains(&one.sku.as_str()));
    let states = distinct(others.map(|one| word(one.state().as_str_name(), "LISTING_STATE_")));
    run.check("the same seller's listings of other certificates", "CLEARED", states);

    let inv = run.client("inv")?;
    let request = ExtendCertificateRequest {
        request_id: inv.request_id(),
        certificate: Some(Certificate {
            valid_to: Some(proto_date(today.saturating_add(1.years()))),
            ..certificate
        }),
        validate_only: false,
    };
    let extended = call!(inv, ClearanceServiceClient.extend_certificate, request)?;
    run.check("listings that the extension lets in again", SKUS.len(), extended.reinstated);
    see(run, &marketplace, &like, ("extended by its issuer", "CLEARED", ""), &mut table).await?;
    run.screen.table(table)?;

    let mut table = Table::new(
        "Settlements",
        ["When", "Item", "Shipped on", "Until", "#FOB, USD", "#Settled", "State"],
    );
    super::settlements::overdue(run, &mut table).await?;
    run.screen.table(table)?;
    run.screen.say(
        "The clock of this run was put forward by a day; nobody called. What the calendar changes \
         is looked for by itself, and the ledger has an entry for each time that it did.",
    )
}

/// Whether a listing carries one certificate, of INV.
fn carries_one(listing: &Listing) -> bool {
    listing.certificates.len() == 1 && listing.certificates[0].issuer() == CertificateIssuer::Inv
}

/// Two listings like another that carry this certificate, cleared by all who must.
async fn offer(run: &mut Run, client: &Client, like: &Listing, carried: &Certificate) -> Outcome {
    let items = (1..).zip(SKUS).map(|(row, sku)| {
        let listing = Listing {
            name: String::new(),
            etag: String::new(),
            sku: sku.into(),
            gtin: String::new(),
            certificates: vec![carried.clone()],
            ..like.clone()
        };
        BatchListing { row, listing: Some(listing) }
    });
    let answer = send(client, items.collect(), false).await?;
    run.check("listings offered with a certificate of one day", SKUS.len(), answer.created);
    for result in answer.results {
        let Some(Told::Listing(listing)) = result.outcome else { continue };
        let mut listing = listing;
        for authority in AUTHORITIES {
            let by = format!("AUTHORITY_{}", authority.to_uppercase());
            if listing.reviews.iter().any(|one| one.authority().as_str_name() == by) {
                listing = decide(run.client(authority)?.as_ref(), &listing).await?;
            }
        }
    }
    Ok(())
}

async fn own(client: &Client, like: &Listing) -> Outcome<Vec<Listing>> {
    let request =
        ListListingsRequest { seller_cuit: like.seller_cuit.clone(), ..Default::default() };
    let mut all = list(client, request).await?;
    all.retain(|one| SKUS.contains(&one.sku.as_str()));
    Ok(all)
}

/// How the listings of the certificate stand, checked and put into the table.
async fn see(
    run: &mut Run,
    client: &Client,
    like: &Listing,
    (when, state, why): (&str, &str, &str),
    table: &mut Table,
) -> Outcome {
    let own = own(client, like).await?;
    let states = distinct(own.iter().map(|one| word(one.state().as_str_name(), "LISTING_STATE_")));
    let told = distinct(own.iter().map(reasons).filter(|why| !why.is_empty()));
    run.check(format!("{when}: how many listings"), SKUS.len(), own.len());
    run.check(format!("{when}: their state"), state, &states);
    run.check(format!("{when}: why"), why, &told);
    table.row([when.to_owned(), own.len().to_string(), states, told]);
    Ok(())
}
