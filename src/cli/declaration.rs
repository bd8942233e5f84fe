//! `puente declaration`: what was declared and what left.

use super::output::{date, decimal, facts, number, show, table, word};
use super::{Connect, Outcome, parse};
use crate::proto::puente::common::v1::Period;
use crate::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use crate::proto::puente::customs::v1::{
    Declaration as Declared, GetDeclarationRequest, ItemState, ListDeclarationsRequest,
    ListDeclarationsResponse,
};

/// Read export declarations and what was shipped under them
#[derive(clap::Subcommand)]
pub enum Declaration {
    Get(Get),
    List(List),
}

/// Read one declaration with its items
///
/// For customs and auditors; a marketplace reads the items of its own listings.
///
/// Example:
///   puente declaration get 18817EC08028500L --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Get {
    /// Its number, all 16 characters
    #[arg(value_name = "NUMBER")]
    number: String,
    #[command(flatten)]
    connect: Connect,
}

/// List declarations by number, with the items that match
///
/// Example:
///   puente declaration list --exporter 30-50001091-2 --state shipped \
///     --profile profiles/customs.toml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct List {
    /// Only those of this exporter
    #[arg(long, value_name = "CUIT", default_value = "")]
    exporter: String,
    /// Only items of this listing: its name or the last part of it
    #[arg(long, value_name = "LISTING")]
    listing: Option<String>,
    /// Only items of this marketplace's listings
    #[arg(long, value_name = "PARTNER")]
    marketplace: Option<String>,
    /// Only those of this customs office, three digits
    #[arg(long, value_name = "OFFICE", default_value = "")]
    office: String,
    /// Only those of this year, by the two digits of their numbers
    #[arg(long, value_name = "YY", default_value = "")]
    year: String,
    /// Only those that became official on these days
    #[arg(long, value_name = "FROM..TO", value_parser = parse::period)]
    officialised: Option<Period>,
    /// Only items in this state: declared or shipped
    #[arg(long, value_parser = |text: &str| parse::item_state(&parse::typed(text)))]
    state: Option<ItemState>,
    /// How many declarations to list at most
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    connect: Connect,
}

impl Declaration {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Get(get) => get.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl Get {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let request = GetDeclarationRequest { name: parse::name("declarations", &self.number) };
        let answer = client
            .call(request, |channel, request| async move {
                DeclarationServiceClient::new(channel)
                    .max_decoding_message_size(64 << 20)
                    .get_declaration(request)
                    .await
            })
            .await?;
        let name = "puente.customs.v1.GetDeclarationResponse";
        show(self.connect.output(), name, &answer, |answer| {
            answer.declaration.as_ref().map(one).unwrap_or_default()
        })
    }
}

impl List {
    async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let most = self.limit as usize;
        let named = |collection: &str, text: &Option<String>| {
            text.as_ref().map(|text| parse::name(collection, text)).unwrap_or_default()
        };
        let mut request = ListDeclarationsRequest {
            page_size: i32::try_from(most.min(1000)).unwrap_or(1000),
            page_token: String::new(),
            exporter_cuit: self.exporter.clone(),
            listing: named("listings", &self.listing),
            marketplace: named("partners", &self.marketplace),
            office: self.office.clone(),
            year: self.year.clone(),
            officialised: self.officialised,
            state: self.state.unwrap_or_default().into(),
        };
        let mut answer = ListDeclarationsResponse::default();
        loop {
            let page = client
                .call(request.clone(), |channel, request| async move {
                    DeclarationServiceClient::new(channel)
                        .max_decoding_message_size(64 << 20)
                        .list_declarations(request)
                        .await
                })
                .await?;
            answer.declarations.extend(page.declarations);
            answer.declarations.truncate(most);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() || answer.declarations.len() == most {
                break;
            }
        }
        let name = "puente.customs.v1.ListDeclarationsResponse";
        show(self.connect.output(), name, &answer, |answer| rows(&answer.declarations))
    }
}

/// One declaration: what it says of itself, then its items.
fn one(declaration: &Declared) -> String {
    let head = facts([
        ("Declaration", declaration.number.clone()),
        ("Exporter", declaration.exporter_cuit.clone()),
        ("Declarant", declaration.declarant_cuit.clone()),
        ("Incoterm", word(declaration.incoterm().as_str_name(), "INCOTERM_")),
        ("Destination", declaration.destination.clone()),
        ("Official since", date(declaration.officialised_on.as_ref())),
        ("Revision", declaration.revision.to_string()),
    ]);
    let mut amended = String::new();
    for amendment in &declaration.amendments {
        let fields = amendment.fields.iter().map(|field| {
            let item =
                if field.item == 0 { String::new() } else { format!("item {} ", field.item) };
            format!("{item}{}: {} -> {}", field.field, field.before, field.after)
        });
        let fields: Vec<_> = fields.collect();
        amended += &format!(
            "Revision {} by {}: {} ({})\n",
            amendment.revision,
            amendment.amended_by,
            fields.join(", "),
            amendment.reason
        );
    }
    format!("{head}{}{amended}", rows(std::slice::from_ref(declaration)))
}

/// A row for each item.
fn rows(declarations: &[Declared]) -> String {
    let mut table =
        table(["Declaration", "Item", "Sku", "NCM", "Declared", "Shipped", "Unit", "FOB", "State"]);
    for declaration in declarations {
        for item in &declaration.items {
            let mut state = word(item.state().as_str_name(), "ITEM_STATE_");
            if item.shipping_closed {
                state += ", closed";
            }
            table.add_row([
                declaration.number.clone().into(),
                number(item.item),
                item.sku.clone().into(),
                item.ncm.clone().into(),
                number(decimal(item.declared_quantity.as_ref())),
                number(decimal(item.shipped_quantity.as_ref())),
                item.statistical_unit.clone().into(),
                number(format!("{} {}", decimal(item.fob.as_ref()), item.currency)),
                comfy_table::Cell::new(state),
            ]);
        }
    }
    format!("{table}\n")
}
