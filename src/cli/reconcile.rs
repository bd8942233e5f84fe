//! `puente reconcile`: what was declared, shipped, sold and lies in stock, and every difference.

mod judge;
mod matches;

use std::path::PathBuf;

use super::output::{date, decimal, number, show, table, word};
use super::{Connect, Failure, Outcome, Show, parse};
use crate::proto::google::r#type::Date;
use crate::proto::puente::customs::v1::reconciliation_service_client::ReconciliationServiceClient;
use crate::proto::puente::customs::v1::{
    GetReconciliationRequest, ItemReconciliation, ListDiscrepanciesRequest,
    ListDiscrepanciesResponse, ReconciliationState,
};

/// Hold what was declared and shipped against what was sold
///
/// Without a declaration: what needs somebody, which is oversold, overdue, escalated, or sold under
/// no declaration; with --state, items in that state. Quantities are in statistical units. For
/// customs and auditors; a marketplace reads the items of its own listings.
///
/// Examples:
///   puente reconcile --profile profiles/customs.toml
///   puente reconcile --exporter 30-50001091-2 --state open-stock --profile profiles/customs.toml
///   puente reconcile 18817EC08028500L --at 2018-01-31 --profile profiles/customs.toml
///   puente reconcile explain 18817EC08028500L 1 --cause damage --quantity 36 \
///     --evidence "survey report 7" --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Reconcile {
    #[command(subcommand)]
    step: Option<Step>,
    /// One declaration: all 16 characters of its number
    #[arg(value_name = "NUMBER")]
    declaration: Option<String>,
    /// Only this item of it
    #[arg(long, value_name = "ITEM", requires = "declaration",
          value_parser = clap::value_parser!(i32).range(1..=9999))]
    item: Option<i32>,
    /// The day on which states are told; today if left out
    #[arg(long, value_name = "DATE", value_parser = parse::date)]
    at: Option<Date>,
    #[command(flatten)]
    filter: Filter,
    /// Who you are: a file that `puente init` or your operator made
    #[arg(long, value_name = "FILE", env = "PUENTE_PROFILE", required = true)]
    profile: Option<PathBuf>,
    #[command(flatten)]
    show: Show,
}

/// What a list is narrowed to.
#[derive(clap::Args)]
struct Filter {
    /// Only items in this state: declared, shipped, open-stock, balanced, oversold, overdue,
    /// explained, escalated or undeclared
    #[arg(long, conflicts_with = "declaration",
          value_parser = |text: &str| parse::reconciliation_state(&parse::typed(text)))]
    state: Option<ReconciliationState>,
    /// Only those of this exporter
    #[arg(long, value_name = "CUIT", default_value = "", conflicts_with = "declaration")]
    exporter: String,
    /// Only those of this listing: its name or the last part of it
    #[arg(long, value_name = "LISTING", conflicts_with = "declaration")]
    listing: Option<String>,
    /// Only those of this marketplace's listings
    #[arg(long, value_name = "PARTNER", conflicts_with = "declaration")]
    marketplace: Option<String>,
    /// How many to list at most
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "declaration",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
}

#[derive(clap::Subcommand)]
enum Step {
    Explain(judge::Explain),
    Escalate(judge::Escalate),
    Rematch(matches::Rematch),
    Matches(matches::Matches),
}

impl Reconcile {
    pub(super) async fn run(self) -> Outcome {
        match self.step {
            Some(Step::Explain(explain)) => explain.run().await,
            Some(Step::Escalate(escalate)) => escalate.run().await,
            Some(Step::Rematch(rematch)) => rematch.run().await,
            Some(Step::Matches(matches)) => matches.run().await,
            None => {
                let profile = self.profile.ok_or_else(|| {
                    Failure::new("PROFILE_MISSING", "--profile says who you are: give it")
                })?;
                let connect = Connect { profile, show: self.show };
                match self.declaration {
                    Some(number) => one(&connect, &number, self.item, self.at).await,
                    None => list(&connect, self.filter, self.at).await,
                }
            }
        }
    }
}

/// The items of one declaration.
async fn one(connect: &Connect, of: &str, item: Option<i32>, at: Option<Date>) -> Outcome {
    let client = connect.client()?;
    let declaration = parse::name("declarations", of);
    let request = GetReconciliationRequest { declaration, item: item.unwrap_or_default(), at };
    let answer = client
        .call(request, |channel, request| async move {
            ReconciliationServiceClient::new(channel)
                .max_decoding_message_size(64 << 20)
                .get_reconciliation(request)
                .await
        })
        .await?;
    let name = "puente.customs.v1.GetReconciliationResponse";
    show(connect.output(), name, &answer, |answer| {
        format!("{}{}", rows(&answer.items), findings(&answer.items))
    })
}

/// What needs somebody, or what is in a state.
async fn list(connect: &Connect, filter: Filter, at: Option<Date>) -> Outcome {
    let client = connect.client()?;
    let most = filter.limit as usize;
    let named = |collection: &str, text: Option<String>| {
        text.map(|text| parse::name(collection, &text)).unwrap_or_default()
    };
    let mut request = ListDiscrepanciesRequest {
        page_size: i32::try_from(most.min(1000)).unwrap_or(1000),
        page_token: String::new(),
        state: filter.state.unwrap_or_default().into(),
        exporter_cuit: filter.exporter,
        listing: named("listings", filter.listing),
        marketplace: named("partners", filter.marketplace),
        declaration: String::new(),
        at,
    };
    let mut answer = ListDiscrepanciesResponse::default();
    loop {
        let page = client
            .call(request.clone(), |channel, request| async move {
                ReconciliationServiceClient::new(channel)
                    .max_decoding_message_size(64 << 20)
                    .list_discrepancies(request)
                    .await
            })
            .await?;
        answer.discrepancies.extend(page.discrepancies);
        answer.discrepancies.truncate(most);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || answer.discrepancies.len() == most {
            break;
        }
    }
    let name = "puente.customs.v1.ListDiscrepanciesResponse";
    show(connect.output(), name, &answer, |answer| rows(&answer.discrepancies))
}

/// A row for each account.
fn rows(accounts: &[ItemReconciliation]) -> String {
    let mut table = table([
        "Declaration",
        "Item",
        "Sku",
        "Shipped",
        "Sold",
        "Re-imported",
        "Written off",
        "Stock",
        "Unit",
        "Sell by",
        "State",
    ]);
    for one in accounts {
        let item = if one.item == 0 { String::new() } else { one.item.to_string() };
        table.add_row([
            word(&one.declaration, "declarations/").into(),
            number(item),
            one.sku.clone().into(),
            number(decimal(one.shipped_quantity.as_ref())),
            number(decimal(one.net_sold_quantity.as_ref())),
            number(decimal(one.reimported_quantity.as_ref())),
            number(decimal(one.written_off_quantity.as_ref())),
            number(decimal(one.stock_quantity.as_ref())),
            one.statistical_unit.clone().into(),
            date(one.sell_by.as_ref()).into(),
            comfy_table::Cell::new(state(one)),
        ]);
    }
    format!("{table}\n")
}

fn state(account: &ItemReconciliation) -> String {
    word(account.state().as_str_name(), "RECONCILIATION_STATE_")
}

/// What customs found about the items, a line each.
fn findings(accounts: &[ItemReconciliation]) -> String {
    let mut told = String::new();
    for account in accounts {
        for why in &account.explanations {
            told += &format!(
                "Item {}: {} of {} by {}: {}\n",
                account.item,
                word(why.cause().as_str_name(), "DISCREPANCY_CAUSE_"),
                decimal(why.quantity.as_ref()),
                why.explained_by,
                why.evidence
            );
        }
        if let Some(escalation) = &account.escalation {
            told += &format!(
                "Item {}: escalated by {}: {}\n",
                account.item, escalation.escalated_by, escalation.reason
            );
        }
    }
    told
}
