//! `puente settlement`: how far the proceeds of exported goods are settled.

use super::output::{date, decimal, number, show, table, word};
use super::{Connect, Outcome, parse};
use crate::proto::google::r#type::{Date, Decimal};
use crate::proto::puente::customs::v1::settlement_service_client::SettlementServiceClient;
use crate::proto::puente::customs::v1::{
    GetSettlementRequest, ListSettlementsRequest, ListSettlementsResponse, RecordSettlementRequest,
    Settlement as Settled, SettlementReport, SettlementReporter, SettlementState,
};

/// Record and read how far the proceeds of exported goods are settled
#[derive(clap::Subcommand)]
pub enum Settlement {
    Record(Record),
    Get(Get),
    List(List),
}

/// Record that proceeds of an item were settled, as customs
///
/// The item must have been shipped. Sent again with the same document it changes nothing.
///
/// Example:
///   puente settlement record 18817EC08028500L 1 --amount 49200.25 --currency USD \\
///     --settled-on 2018-08-01 --evidence SECO-417 --reporter bank --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Record {
    #[command(flatten)]
    of: Item,
    /// How much was settled
    #[arg(long, value_name = "AMOUNT", value_parser = parse::decimal)]
    amount: Decimal,
    /// In which currency
    #[arg(long, value_name = "CODE")]
    currency: String,
    /// On which day
    #[arg(long, value_name = "DATE", value_parser = parse::date)]
    settled_on: Date,
    /// The number of the document that shows it
    #[arg(long, value_name = "NUMBER")]
    evidence: String,
    /// Who says so: customs or bank
    #[arg(long, value_parser = |text: &str| parse::settlement_reporter(&parse::typed(text)))]
    reporter: SettlementReporter,
    /// It certifies that the whole item is settled
    #[arg(long)]
    certifies: bool,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Read the settlement of one item
///
/// Example:
///   puente settlement get 18817EC08028500L 1 --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Get {
    #[command(flatten)]
    of: Item,
    #[command(flatten)]
    connect: Connect,
}

/// List settlements by declaration and item
///
/// Example:
///   puente settlement list --state overdue --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct List {
    /// Only those of this exporter
    #[arg(long, value_name = "CUIT", default_value = "")]
    exporter: String,
    /// Only those in this state: due, partial, certified or overdue
    #[arg(long, value_parser = |text: &str| parse::settlement_state(&parse::typed(text)))]
    state: Option<SettlementState>,
    /// Only those whose time is over by the end of this day
    #[arg(long, value_name = "DATE", value_parser = parse::date)]
    due_by: Option<Date>,
    /// How many to list at most
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    connect: Connect,
}

/// An item of a declaration.
#[derive(clap::Args)]
pub struct Item {
    /// The declaration, all 16 characters
    #[arg(value_name = "NUMBER")]
    declaration: String,
    /// Its item
    #[arg(value_name = "ITEM")]
    item: u16,
}

impl Item {
    fn name(&self) -> String {
        format!("declarations/{}/settlements/{}", self.declaration, self.item)
    }
}

impl Settlement {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Record(record) => record.run().await,
            Self::Get(get) => get.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl Record {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = RecordSettlementRequest {
            request_id: client.request_id(),
            name: self.of.name(),
            report: Some(SettlementReport {
                amount: Some(self.amount),
                currency: self.currency,
                settled_on: Some(self.settled_on),
                evidence: self.evidence,
                reporter: self.reporter.into(),
                certifies: self.certifies,
                ..Default::default()
            }),
            validate_only: self.validate_only,
        };
        let answer = client
            .call(request, |channel, request| async move {
                SettlementServiceClient::new(channel).record_settlement(request).await
            })
            .await?;
        let name = "puente.customs.v1.RecordSettlementResponse";
        show(self.connect.output(), name, &answer, |answer| rows(answer.settlement.as_slice()))
    }
}

impl Get {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let answer = client
            .call(GetSettlementRequest { name: self.of.name() }, |channel, request| async move {
                SettlementServiceClient::new(channel).get_settlement(request).await
            })
            .await?;
        let name = "puente.customs.v1.GetSettlementResponse";
        show(self.connect.output(), name, &answer, |answer| rows(answer.settlement.as_slice()))
    }
}

impl List {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let most = self.limit as usize;
        let mut request = ListSettlementsRequest {
            page_size: i32::try_from(most.min(1000)).unwrap_or(1000),
            page_token: String::new(),
            exporter_cuit: self.exporter,
            state: self.state.unwrap_or_default().into(),
            due_by: self.due_by,
        };
        let mut answer = ListSettlementsResponse::default();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    SettlementServiceClient::new(channel)
                        .max_decoding_message_size(64 << 20)
                        .list_settlements(request)
                        .await
                })
                .await?;
            answer.settlements.extend(page.settlements);
            answer.settlements.truncate(most);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() || answer.settlements.len() == most {
                break;
            }
        }
        let name = "puente.customs.v1.ListSettlementsResponse";
        show(self.connect.output(), name, &answer, |answer| rows(&answer.settlements))
    }
}

fn rows(settlements: &[Settled]) -> String {
    let mut shown = table([
        "Declaration",
        "Item",
        "Exporter",
        "NCM",
        "Shipped",
        "Due",
        "Settled",
        "FOB",
        "State",
    ]);
    for one in settlements {
        let mut name = one.name.split('/').skip(1).step_by(2);
        let (declaration, item) = (name.next().unwrap_or(""), name.next().unwrap_or(""));
        shown.add_row([
            declaration.into(),
            number(item),
            one.exporter_cuit.clone().into(),
            one.ncm.clone().into(),
            date(one.shipped_on.as_ref()).into(),
            date(one.due_on.as_ref()).into(),
            number(format!("{} {}", decimal(one.settled.as_ref()), one.currency)),
            number(format!("{} {}", decimal(one.fob.as_ref()), one.currency)),
            comfy_table::Cell::new(word(one.state().as_str_name(), "SETTLEMENT_STATE_")),
        ]);
    }
    format!("{shown}\n")
}
