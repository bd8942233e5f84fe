//! `puente delegation`: which exporters a broker declares for.

use super::output::{date, facts, moment, show, table, word};
use super::{Client, Connect, Outcome, parse};
use crate::proto::google::r#type::Date;
use crate::proto::puente::customs::v1::delegation_service_client::DelegationServiceClient;
use crate::proto::puente::customs::v1::{
    Delegation as Delegated, DelegationFact, GetDelegationRequest, ListDelegationsRequest,
    ListDelegationsResponse, RecordDelegationRequest, RecordDelegationResponse,
    RevokeDelegationRequest,
};

/// Keep what exporters delegated to brokers, as customs, or read it
#[derive(clap::Subcommand)]
pub enum Delegation {
    Record(Record),
    Revoke(Revoke),
    Get(Get),
    List(List),
}

/// Record that an exporter delegated to a broker
///
/// What is recorded later counts on its days, so this renews a delegation too, or grants it again
/// after it was revoked. Many at once: puente push delegations FILE
///
/// Example:
///   puente delegation record --broker despachante --exporter 30-50001091-2 --from 2026-01-01 \
///     --to 2026-12-31 --source "Poder 7/2026" --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Record {
    /// The broker: a partner's id
    #[arg(long, value_name = "PARTNER")]
    broker: String,
    /// The exporter
    #[arg(long, value_name = "CUIT")]
    exporter: String,
    /// The first day
    #[arg(long, value_name = "DAY", value_parser = parse::date)]
    from: Date,
    /// The last day; without it the delegation has no end
    #[arg(long, value_name = "DAY", value_parser = parse::date)]
    to: Option<Date>,
    /// What it rests on, such as the number of the mandate
    #[arg(long)]
    source: String,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Record that a delegation was taken back; it ends at once
///
/// Example:
///   puente delegation revoke delegations/ID --source "Revocatoria 3/2026" \
///     --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Revoke {
    /// The delegation: its name or the last part of it
    #[arg(value_name = "DELEGATION")]
    name: String,
    /// The first day on which it no longer held, if that is past
    #[arg(long, value_name = "DAY", value_parser = parse::date)]
    from: Option<Date>,
    /// What it rests on, such as the act of the exporter
    #[arg(long)]
    source: String,
    /// Check and answer as for real, but store nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Read one delegation with all that was recorded of it
#[derive(clap::Args)]
pub struct Get {
    /// The delegation: its name or the last part of it
    #[arg(value_name = "DELEGATION")]
    name: String,
    #[command(flatten)]
    connect: Connect,
}

/// List delegations; a broker lists its own
///
/// Example:
///   puente delegation list --exporter 30-50001091-2 --active-on 2026-06-30 \
///     --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct List {
    /// Only those to this broker
    #[arg(long, value_name = "PARTNER")]
    broker: Option<String>,
    /// Only those of this exporter
    #[arg(long, value_name = "CUIT", default_value = "")]
    exporter: String,
    /// Only those under which the broker may act on this day
    #[arg(long, value_name = "DAY", value_parser = parse::date)]
    active_on: Option<Date>,
    /// With --active-on: as it was known at this moment
    #[arg(long, value_name = "MOMENT", value_parser = parse::moment, requires = "active_on")]
    as_known_at: Option<prost_types::Timestamp>,
    #[command(flatten)]
    connect: Connect,
}

impl Delegation {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Record(record) => record.run().await,
            Self::Revoke(revoke) => revoke.run().await,
            Self::Get(get) => get.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl Record {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = RecordDelegationRequest {
            request_id: client.request_id(),
            broker: parse::name("partners", &self.broker),
            exporter_cuit: self.exporter,
            valid_from: Some(self.from),
            valid_to: self.to,
            source: self.source,
            validate_only: self.validate_only,
            ..Default::default()
        };
        let answer = record(&client, request).await?;
        let name = "puente.customs.v1.RecordDelegationResponse";
        show(self.connect.output(), name, &answer, |answer| one(answer.delegation.as_ref()))
    }
}

impl Revoke {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = RevokeDelegationRequest {
            request_id: client.request_id(),
            name: parse::name("delegations", &self.name),
            revoked_from: self.from,
            source: self.source,
            validate_only: self.validate_only,
            ..Default::default()
        };
        let answer = client
            .call(request, |channel, request| async move {
                DelegationServiceClient::new(channel).revoke_delegation(request).await
            })
            .await?;
        let name = "puente.customs.v1.RevokeDelegationResponse";
        show(self.connect.output(), name, &answer, |answer| one(answer.delegation.as_ref()))
    }
}

impl Get {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = GetDelegationRequest { name: parse::name("delegations", &self.name) };
        let answer = client
            .call(request, |channel, request| async move {
                DelegationServiceClient::new(channel).get_delegation(request).await
            })
            .await?;
        let name = "puente.customs.v1.GetDelegationResponse";
        show(self.connect.output(), name, &answer, |answer| one(answer.delegation.as_ref()))
    }
}

impl List {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let broker = self.broker.as_ref().map(|broker| parse::name("partners", broker));
        let mut request = ListDelegationsRequest {
            page_size: 1000,
            page_token: String::new(),
            broker: broker.unwrap_or_default(),
            exporter_cuit: self.exporter.clone(),
            active_on: self.active_on,
            as_known_at: self.as_known_at,
        };
        let mut answer = ListDelegationsResponse::default();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    DelegationServiceClient::new(channel)
                        .max_decoding_message_size(64 << 20)
                        .list_delegations(request)
                        .await
                })
                .await?;
            answer.delegations.extend(page.delegations);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        let name = "puente.customs.v1.ListDelegationsResponse";
        show(self.connect.output(), name, &answer, |answer| rows(&answer.delegations))
    }
}

/// Records one delegation.
pub(super) async fn record(
    client: &Client,
    request: RecordDelegationRequest,
) -> Outcome<RecordDelegationResponse> {
    client
        .call(request, |channel, request| async move {
            DelegationServiceClient::new(channel).record_delegation(request).await
        })
        .await
}

/// A row for each delegation.
pub(super) fn rows(delegations: &[Delegated]) -> String {
    let mut table = table(["Delegation", "Broker", "Exporter", "State", "From", "To", "Source"]);
    for delegation in delegations {
        let last = delegation.facts.last().cloned().unwrap_or_default();
        table.add_row([
            delegation.name.trim_start_matches("delegations/").to_owned(),
            delegation.broker.trim_start_matches("partners/").to_owned(),
            delegation.exporter_cuit.clone(),
            word(delegation.state().as_str_name(), "DELEGATION_STATE_"),
            date(last.valid_from.as_ref()),
            date(last.valid_to.as_ref()),
            last.source,
        ]);
    }
    format!("{table}\n")
}

/// One delegation: how it stands, then all that was recorded.
fn one(delegation: Option<&Delegated>) -> String {
    let delegation = delegation.cloned().unwrap_or_default();
    let head = facts([
        ("Delegation", delegation.name.clone()),
        ("Broker", delegation.broker.clone()),
        ("Exporter", delegation.exporter_cuit.clone()),
        ("State", word(delegation.state().as_str_name(), "DELEGATION_STATE_")),
    ]);
    let said = delegation.facts.iter().map(said);
    format!("{head}{}", said.collect::<String>())
}

fn said(fact: &DelegationFact) -> String {
    format!(
        "{} from {} to {} ({}), recorded {} by {}\n",
        word(fact.effect().as_str_name(), "DELEGATION_EFFECT_"),
        date(fact.valid_from.as_ref()),
        fact.valid_to.as_ref().map_or_else(|| "open".to_owned(), |day| date(Some(day))),
        fact.source,
        moment(fact.recorded_at.as_ref()),
        fact.recorded_by,
    )
}
