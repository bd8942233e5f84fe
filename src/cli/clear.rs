//! `puente clear`: an authority's part in letting a listing be sold.

use serde_json::{Value, json};

use super::output::{Output, print, print_json, show, table, to_value, word};
use super::{Client, Connect, Failure, Outcome, parse};
use crate::proto::puente::clearance::v1::clearance_service_client::ClearanceServiceClient;
use crate::proto::puente::clearance::v1::{
    DecideRequest, DecideResponse, Decision, ListPendingRequest, ListPendingResponse,
};
use crate::proto::puente::listings::v1::Listing;

/// Show the listings that wait for you, or decide about them
///
/// For customs and the agencies, each for its own part. Without --all and without names it lists
/// what waits.
///
/// Examples:
///   puente clear --profile profiles/inv.toml
///   puente clear --all --profile profiles/inv.toml
///   puente clear AR-WINE-001 --decision refuse --note "label" --profile profiles/inv.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Clear {
    /// Listings to decide about: names, their last part, or skus
    #[arg(value_name = "LISTING", conflicts_with = "all")]
    listings: Vec<String>,
    /// Decide about everything that waits
    #[arg(long)]
    all: bool,
    /// What to decide: clear, refuse or request-info
    #[arg(long, default_value = "clear", value_parser = |text: &str| parse::decision(&parse::typed(text)))]
    decision: Decision,
    /// Why; needed to refuse or to ask for more
    #[arg(long, default_value = "")]
    note: String,
    /// Only listings of this marketplace
    #[arg(long, value_name = "PARTNER")]
    marketplace: Option<String>,
    /// Only goods whose NCM code starts with these digits
    #[arg(long, value_name = "DIGITS", default_value = "")]
    ncm: String,
    #[command(flatten)]
    connect: Connect,
}

impl Clear {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let pending = self.pending(&client).await?;
        if !self.all && self.listings.is_empty() {
            let answer = ListPendingResponse { listings: pending, next_page_token: String::new() };
            let name = "puente.clearance.v1.ListPendingResponse";
            return show(self.connect.output(), name, &answer, |a| rows(&a.listings));
        }
        let chosen = if self.all { pending } else { self.chosen(pending)? };
        let mut decided = Vec::new();
        for listing in chosen {
            decided.push(self.decide(&client, &listing).await?);
        }
        match self.connect.output() {
            Output::Json => {
                let name = "puente.clearance.v1.DecideResponse";
                let all: Outcome<Vec<Value>> = decided.iter().map(|d| to_value(name, d)).collect();
                print_json(&json!({ "decided": all? }))
            }
            Output::Table => {
                let listings: Vec<Listing> =
                    decided.iter().filter_map(|d| d.listing.clone()).collect();
                print(&format!("{}{} decided\n", rows(&listings), listings.len()))
            }
        }
    }

    async fn pending(&self, client: &Client) -> Outcome<Vec<Listing>> {
        let mut request = ListPendingRequest {
            page_size: 1000,
            marketplace: self
                .marketplace
                .as_ref()
                .map(|id| parse::name("partners", id))
                .unwrap_or_default(),
            ncm_prefix: self.ncm.replace('.', ""),
            ..Default::default()
        };
        let mut all = Vec::new();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    ClearanceServiceClient::new(channel)
                        .max_decoding_message_size(64 << 20)
                        .list_pending(request)
                        .await
                })
                .await?;
            all.extend(page.listings);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// The listings that were named; each must be waiting.
    fn chosen(&self, pending: Vec<Listing>) -> Outcome<Vec<Listing>> {
        self.listings
            .iter()
            .map(|wanted| {
                let name = parse::name("listings", wanted);
                let found = pending.iter().find(|one| one.name == name || one.sku == *wanted);
                found.cloned().ok_or_else(|| {
                    Failure::new("NOT_PENDING", format!("{wanted} does not wait for a decision"))
                        .hint("puente clear without names lists what waits")
                })
            })
            .collect()
    }

    async fn decide(&self, client: &Client, listing: &Listing) -> Outcome<DecideResponse> {
        let request = DecideRequest {
            request_id: client.request_id(),
            listing: listing.name.clone(),
            decision: self.decision.into(),
            note: self.note.clone(),
            revision: listing.revision,
            ..Default::default()
        };
        client
            .call(request, |channel, request| async move {
                ClearanceServiceClient::new(channel).decide(request).await
            })
            .await
            .map_err(|failure| {
                let message = format!("{}: {}", listing.sku, failure.message);
                Failure { message, ..failure }
            })
    }
}

fn rows(listings: &[Listing]) -> String {
    let mut table = table(["Sku", "Title", "NCM", "State", "Reviews", "Name"]);
    for listing in listings {
        let reviews: Vec<_> = listing
            .reviews
            .iter()
            .map(|review| {
                let authority = word(review.authority().as_str_name(), "AUTHORITY_");
                format!("{authority} {}", word(review.state().as_str_name(), "REVIEW_STATE_"))
            })
            .collect();
        table.add_row([
            listing.sku.clone(),
            listing.title.clone(),
            listing.ncm.clone(),
            word(listing.state().as_str_name(), "LISTING_STATE_"),
            reviews.join(", "),
            listing.name.clone(),
        ]);
    }
    format!("{table}\n")
}
