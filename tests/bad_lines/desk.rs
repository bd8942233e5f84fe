//! A gateway with sellers and listings of all kinds, a second marketplace, and a closed month.

use puente::cli::Client;
use puente::domain::cuit::Cuit;
use puente::proto::puente::common::v1::EligibilityStatus;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;
use puente::proto::puente::listings::v1::{BatchCreateListingsRequest, BatchListing, Listing};
use puente::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use puente::proto::puente::registry::v1::sync_exporters_request::Part;
use puente::proto::puente::sales::v1::ClosePeriodRequest;
use puente::proto::puente::sales::v1::SaleLine;
use puente::proto::puente::sales::v1::period_service_client::PeriodServiceClient;

use super::{Place, batch, november, sound};
use crate::common::process::run_beside;
use crate::common::push::{append, open_report};
use crate::common::stage::Stage;
use crate::common::{ask, goods};

/// The gateway, and who uses it.
pub struct Desk {
    pub stage: Stage,
    pub client: Client,
    other: Client,
    others_report: String,
}

impl Desk {
    pub async fn open() -> Self {
        let stage = Stage::start().await.with_exporter().await;
        let client = stage.client("marketplace");
        let other = stage.second_marketplace("second").await;
        let mut more =
            (88_000_100..).filter_map(|n| Cuit::from_parts(30, n)).map(|c| c.to_string());
        let (suspended, young) = (more.next().unwrap(), more.next().unwrap());
        sync(&stage, &suspended, &young).await;
        let of =
            |sku: &str, cuit: &str| Listing { seller_cuit: cuit.into(), ..goods::listing(sku) };
        let cleared = [goods::listing("MALBEC"), of("SUSPENDED", &suspended), of("YOUNG", &young)];
        offer(&client, &cleared).await;
        for authority in ["customs", "inv"] {
            let profile = stage.folder.profile(authority);
            let args = ["clear", "--all", "--profile", profile.to_str().unwrap()];
            let ran = run_beside(&args).await;
            assert_eq!(ran.code, 0, "{}", ran.err);
        }
        offer(&client, &[goods::listing("UNCLEARED"), of("YOUNG-UNCLEARED", &young)]).await;
        offer(&other, &[goods::listing("ELSEWHERE")]).await;
        let others_report = open_report(&other, november(30)).await.name;
        let ministry = stage.client("ministry");
        let request = ClosePeriodRequest {
            request_id: ministry.request_id(),
            first_month: "2025-10".into(),
            ..Default::default()
        };
        ask!(ministry, PeriodServiceClient.close_period(request)).unwrap();
        Self { stage, client, other, others_report }
    }

    /// The other marketplace reports the sale that a row may cite.
    pub async fn other_sells(&self, place: &Place) {
        let line = SaleLine { sku: "ELSEWHERE".into(), ..sound(place.around.elsewhere.clone()) };
        let result = append(&self.other, &self.others_report, batch(&mut 0, vec![line])).await;
        assert_eq!(result.unwrap().counts.unwrap().duplicate, 0);
    }
}

/// One seller suspended from 10 to 12 November, one eligible from the 20th.
async fn sync(stage: &Stage, suspended: &str, young: &str) {
    use EligibilityStatus::{Eligible, Suspended};
    let registry = stage.client("registry");
    let cuits = [suspended, suspended, suspended, young];
    let facts = [
        (Eligible, goods::date(2020, 1, 1), Some(goods::date(2025, 11, 9))),
        (Suspended, goods::date(2025, 11, 10), Some(goods::date(2025, 11, 12))),
        (Eligible, goods::date(2025, 11, 13), None),
        (Eligible, goods::date(2025, 11, 20), None),
    ];
    let mut messages = goods::exporters(registry.request_id(), &cuits);
    let rows = messages.iter_mut().find_map(|message| match &mut message.part {
        Some(Part::Chunk(chunk)) => Some(&mut chunk.rows),
        Some(Part::Header(_)) | None => None,
    });
    for (row, (status, first, last)) in rows.unwrap().iter_mut().zip(facts) {
        let fact = row.fact.as_mut().unwrap();
        (fact.status, fact.valid_from, fact.valid_to) = (status.into(), Some(first), last);
        fact.cause = if status == Suspended { "un ejemplo".into() } else { String::new() };
    }
    let answer =
        ask!(registry, RegistryServiceClient.sync_exporters(tokio_stream::iter(messages))).unwrap();
    assert_eq!((answer.created, answer.rejected), (2, 0), "{:?}", answer.rejected_rows);
}

async fn offer(client: &Client, listings: &[Listing]) {
    let items = listings.iter().zip(0..);
    let items = items.map(|(l, row)| BatchListing { row, listing: Some(l.clone()) }).collect();
    let request = BatchCreateListingsRequest {
        request_id: client.request_id(),
        items,
        submit: true,
        ..Default::default()
    };
    let answer = ask!(client, ListingServiceClient.batch_create_listings(request)).unwrap();
    assert_eq!(answer.created as usize, listings.len(), "{:?}", answer.results);
}
