//! `puente reconcile rematch` and `matches`: which sales belong to which item.

use crate::cli::output::{decimal, moment, number, show, table, word};
use crate::cli::{Connect, Outcome, parse};
use crate::proto::puente::customs::v1::reconciliation_service_client::ReconciliationServiceClient;
use crate::proto::puente::customs::v1::{
    ListLineMatchesRequest, ListLineMatchesResponse, ListMatchesRequest, ListMatchesResponse,
    RematchSalesRequest, RematchSalesResponse, SoldUnder,
};

/// Match sales by hand to an item of the same listing
///
/// For customs: all of the lines or none. What takes a sale back goes with it. Every match stays on
/// record.
///
/// Examples:
///   puente reconcile rematch 2026-11-000123/1 2026-11-000124/1 --marketplace marketplace \
///     --to 18817EC08028500L --item 1 --reason "seen in the books" --profile profiles/customs.toml
///   puente reconcile rematch 2026-11-000123/1 --marketplace marketplace --give-back \
///     --reason "was right" --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Rematch {
    /// The marketplace's numbers of the lines
    #[arg(value_name = "LINE_ID", required = true, num_args = 1..=1000)]
    line_ids: Vec<String>,
    /// Whose lines they are
    #[arg(long, value_name = "PARTNER")]
    marketplace: String,
    /// The declaration they belong to: all 16 characters of its number
    #[arg(long, value_name = "NUMBER", requires = "item", required_unless_present = "give_back")]
    to: Option<String>,
    /// The item of it
    #[arg(long, value_name = "ITEM", requires = "to",
          value_parser = clap::value_parser!(i32).range(1..=9999))]
    item: Option<i32>,
    /// Back to what they say themselves
    #[arg(long, conflicts_with = "to")]
    give_back: bool,
    /// Why; no personal data
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only check, change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Show what the sales of a listing were matched to: the sums, or line by line
///
/// Examples:
///   puente reconcile matches 0b1c5d3e-8f00-8a4b-9c1d-2e3f4a5b6c7d --profile profiles/customs.toml
///   puente reconcile matches 0b1c5d3e-8f00-8a4b-9c1d-2e3f4a5b6c7d --lines \
///     --declaration 18817EC08028500L --item 1 --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Matches {
    /// The listing: its name or the last part of it
    #[arg(value_name = "LISTING")]
    listing: String,
    /// Each line with the items it went to
    #[arg(long)]
    lines: bool,
    /// With --lines: only what went to this declaration, all 16 characters of its number
    #[arg(long, value_name = "NUMBER", requires = "lines")]
    declaration: Option<String>,
    /// With --declaration: only what went to this item of it
    #[arg(long, value_name = "ITEM", requires = "declaration",
          value_parser = clap::value_parser!(i32).range(1..=9999))]
    item: Option<i32>,
    /// How many matches to list at most
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    connect: Connect,
}

impl Rematch {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let to = self.to.map(|number| parse::name("declarations", &number));
        let request = RematchSalesRequest {
            request_id: client.request_id(),
            marketplace: parse::name("partners", &self.marketplace),
            line_ids: self.line_ids,
            declaration: to.unwrap_or_default(),
            item: self.item.unwrap_or_default(),
            reason: self.reason,
            validate_only: self.dry_run,
        };
        let answer = client
            .call(request, |channel, request| async move {
                ReconciliationServiceClient::new(channel).rematch_sales(request).await
            })
            .await?;
        show(self.connect.output(), "puente.customs.v1.RematchSalesResponse", &answer, moved)
    }
}

impl Matches {
    pub(super) async fn run(self) -> Outcome {
        if self.lines {
            return self.by_line().await;
        }
        let client = self.connect.client()?;
        let most = self.limit as usize;
        let mut request = ListMatchesRequest {
            page_size: i32::try_from(most.min(1000)).unwrap_or(1000),
            page_token: String::new(),
            listing: parse::name("listings", &self.listing),
        };
        let mut answer = ListMatchesResponse::default();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    ReconciliationServiceClient::new(channel).list_matches(request).await
                })
                .await?;
            let matches = std::mem::take(&mut answer.matches);
            if request.page_token.is_empty() {
                answer = page.clone();
                answer.matches.clear();
            }
            answer.matches.extend(matches);
            answer.matches.extend(page.matches);
            answer.matches.truncate(most);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() || answer.matches.len() == most {
                break;
            }
        }
        answer.next_page_token.clear();
        show(self.connect.output(), "puente.customs.v1.ListMatchesResponse", &answer, matched)
    }
}

impl Matches {
    async fn by_line(self) -> Outcome {
        let client = self.connect.client()?;
        let most = self.limit as usize;
        let declaration = self.declaration.map(|number| parse::name("declarations", &number));
        let mut request = ListLineMatchesRequest {
            page_size: i32::try_from(most.min(1000)).unwrap_or(1000),
            page_token: String::new(),
            listing: parse::name("listings", &self.listing),
            declaration: declaration.unwrap_or_default(),
            item: self.item.unwrap_or_default(),
        };
        let mut answer = ListLineMatchesResponse::default();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    ReconciliationServiceClient::new(channel).list_line_matches(request).await
                })
                .await?;
            answer.statistical_unit = page.statistical_unit;
            answer.matches.extend(page.matches);
            answer.matches.truncate(most);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() || answer.matches.len() == most {
                break;
            }
        }
        let name = "puente.customs.v1.ListLineMatchesResponse";
        show(self.connect.output(), name, &answer, matched_lines)
    }
}

fn matched_lines(answer: &ListLineMatchesResponse) -> String {
    let mut lines = table(["Line", "Sold", "Under", "By hand", "Matched to", "Quantity", "Unit"]);
    for one in &answer.matches {
        lines.add_row([
            one.line_id.clone().into(),
            moment(one.sold_time.as_ref()).into(),
            under(&one.sold_under).into(),
            if one.by_hand { "yes" } else { "" }.into(),
            item(&one.declaration, one.item, "none: undeclared").into(),
            number(decimal(one.quantity.as_ref())),
            comfy_table::Cell::new(&answer.statistical_unit),
        ]);
    }
    format!("{lines}\n")
}

fn moved(answer: &RematchSalesResponse) -> String {
    let mut table = table(["Line", "Was under", "Is under"]);
    for line in &answer.lines {
        table.add_row([line.line_id.clone(), under(&line.before), under(&line.after)]);
    }
    format!("{table}\n")
}

fn matched(answer: &ListMatchesResponse) -> String {
    let mut sums = table(["Sold under", "Matched to", "Quantity", "Unit"]);
    for one in &answer.matches {
        sums.add_row([
            under(&one.sold_under).into(),
            item(&one.declaration, one.item, "none: undeclared").into(),
            number(decimal(one.quantity.as_ref())),
            comfy_table::Cell::new(&answer.statistical_unit),
        ]);
    }
    let mut text = format!("{sums}\n");
    if !answer.rematches.is_empty() {
        let mut by_hand = table(["Line", "By hand to", "By", "When", "Why"]);
        for one in &answer.rematches {
            by_hand.add_row([
                one.line_id.clone(),
                item(&one.declaration, one.item, "given back"),
                one.rematched_by.clone(),
                moment(one.rematch_time.as_ref()),
                one.reason.clone(),
            ]);
        }
        text += &format!("{by_hand}\n");
    }
    text
}

fn under(name: &Option<SoldUnder>) -> String {
    name.as_ref().map(|name| item(&name.declaration, name.item, "nothing")).unwrap_or_default()
}

fn item(declaration: &str, item: i32, none: &str) -> String {
    match (word(declaration, "declarations/"), item) {
        (number, _) if number.is_empty() => none.to_owned(),
        (number, 0) => number,
        (number, item) => format!("{number}/{item}"),
    }
}
