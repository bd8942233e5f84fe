//! What was paid for exported goods is settled in time, in part, wholly, or not.

use jiff::ToSpan as _;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::super::Run;
use super::super::screen::Table;
use super::customs::exact;
use crate::cli::output::{date, decimal, word};
use crate::cli::parse::proto_date;
use crate::cli::{Client, Outcome};
use crate::domain::exporter::argentine_day;
use crate::proto::google::r#type::Decimal as Exact;
use crate::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use crate::proto::puente::customs::v1::settlement_service_client::SettlementServiceClient;
use crate::proto::puente::customs::v1::{
    Declaration, GetSettlementRequest, ItemShipment, RecordSettlementRequest,
    RecordShipmentRequest, RegisterDeclarationRequest, Settlement, SettlementReport,
    SettlementReporter,
};
use crate::proto::puente::reference::v1::ListReferenceRowsRequest;
use crate::proto::puente::reference::v1::reference_service_client::ReferenceServiceClient;

/// The declaration whose proceeds are followed, of no file.
const NUMBER: &str = "26001EC01888888Y";

/// One item is left DUE until its last day, today; one is settled in two parts.
pub(in super::super) async fn follow(run: &mut Run) -> Outcome {
    if run.input.customs.is_none() {
        return Ok(());
    }
    run.screen.title("What the goods were sold for is settled, as customs or a bank reports it")?;
    let customs = run.client("customs")?;
    let today = argentine_day(run.world.env.now());
    let all = super::customs::list(&customs).await?;
    let Some(like) = all.iter().find(|one| one.items.len() >= 2) else { return Ok(()) };
    let days = term(&customs, &like.items[0].ncm, today).await?;
    let long_ago = today.saturating_sub(days.days());
    declare_and_ship(&customs, like, [long_ago, today]).await?;

    let mut table = Table::new(
        "Settlements",
        ["When", "Item", "Shipped on", "Until", "#FOB, USD", "#Settled", "State"],
    );
    let old = see(run, &customs, 1, "at first", "DUE", &mut table).await?;
    run.check("days there are to settle, by the table", days, old.term_days);
    run.check("the last day of what left that long ago", today, date(old.due_on.as_ref()));
    let fresh = see(run, &customs, 2, "at first", "DUE", &mut table).await?;
    let worth = exact(fresh.fob.as_ref());
    let half = (worth / Decimal::TWO).round_dp(2);
    report(&customs, half, today, "EJEMPLO-BANCO-1").await?;
    let part = see(run, &customs, 2, "a part is reported", "PARTIAL", &mut table).await?;
    run.check("what is settled in part", half.normalize(), decimal(part.settled.as_ref()));
    report(&customs, worth - half, today, "EJEMPLO-BANCO-2").await?;
    let whole = see(run, &customs, 2, "the rest, too", "CERTIFIED", &mut table).await?;
    run.check("what is settled in all", worth.normalize(), decimal(whole.settled.as_ref()));
    let again = report(&customs, Decimal::ONE, today, "EJEMPLO-BANCO-3").await;
    run.check_refused("reporting on after that", "ILLEGAL_TRANSITION", &again);
    let marketplace = run.client("marketplace")?;
    let asked = get(&marketplace, 2).await;
    run.check_refused("what an exporter is paid, to a marketplace", "NOT_FOUND", &asked);
    run.screen.table(table)?;
    run.screen.say(&format!(
        "Goods of this tariff line have {days} days, by a table that the operator loads. The first \
         item left that long ago: today is its last day, and nothing is reported."
    ))
}

/// What became by itself of the item that nothing was reported of.
pub(super) async fn overdue(run: &mut Run, table: &mut Table) -> Outcome {
    let customs = run.client("customs")?;
    see(run, &customs, 1, "a day later", "OVERDUE", table).await?;
    see(run, &customs, 2, "a day later", "CERTIFIED", table).await.map(drop)
}

/// How many days goods of `ncm` have that leave on `day`, read from the table.
async fn term(client: &Client, ncm: &str, day: Date) -> Outcome<i32> {
    let request = ListReferenceRowsRequest {
        table: "referenceTables/settlement_terms".into(),
        page_size: 1000,
        on: Some(proto_date(day)),
        ..Default::default()
    };
    let rows = call!(client, ReferenceServiceClient.list_reference_rows, request)?.rows;
    let digits = ncm.replace('.', "");
    let fits = rows.iter().filter(|row| digits.starts_with(&row.code));
    let row = fits.max_by_key(|row| row.code.len());
    Ok(row.and_then(|row| row.attributes.get("days")?.parse().ok()).unwrap_or_default())
}

/// Two items like those of a declaration, which left whole on these days.
async fn declare_and_ship(customs: &Client, like: &Declaration, left: [Date; 2]) -> Outcome {
    let declaration = Declaration {
        number: NUMBER.into(),
        officialised_on: Some(proto_date(left[0])),
        items: like.items.iter().take(left.len()).cloned().collect(),
        etag: String::new(),
        ..like.clone()
    };
    let shipments = (1..).zip(&declaration.items).zip(left).map(|((place, item), day)| {
        let shipped_on = Some(proto_date(day));
        let (quantity, reference) =
            (item.declared_quantity.clone(), format!("EJEMPLO-LIQ-{place}"));
        ItemShipment { item: place, quantity, shipped_on, reference, ..Default::default() }
    });
    let shipments = shipments.collect();
    let request = RegisterDeclarationRequest {
        request_id: customs.request_id(),
        declaration: Some(declaration),
        ..Default::default()
    };
    let made = call!(customs, DeclarationServiceClient.register_declaration, request)?;
    let request = RecordShipmentRequest {
        request_id: customs.request_id(),
        declaration: made.declaration.unwrap_or_default().name,
        shipments,
        ..Default::default()
    };
    call!(customs, DeclarationServiceClient.record_shipment, request).map(drop)
}

async fn report(client: &Client, amount: Decimal, today: Date, evidence: &str) -> Outcome {
    let request = RecordSettlementRequest {
        request_id: client.request_id(),
        name: name(2),
        report: Some(SettlementReport {
            amount: Some(Exact { value: amount.normalize().to_string() }),
            currency: "USD".into(),
            settled_on: Some(proto_date(today)),
            evidence: evidence.into(),
            reporter: SettlementReporter::Bank.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    call!(client, SettlementServiceClient.record_settlement, request).map(drop)
}

async fn get(client: &Client, item: i32) -> Outcome<Settlement> {
    let request = GetSettlementRequest { name: name(item) };
    let answer = call!(client, SettlementServiceClient.get_settlement, request)?;
    Ok(answer.settlement.unwrap_or_default())
}

/// Where an item stands, checked and put into the table.
async fn see(
    run: &mut Run,
    customs: &Client,
    item: i32,
    when: &str,
    state: &str,
    table: &mut Table,
) -> Outcome<Settlement> {
    let found = get(customs, item).await?;
    let stands = word(found.state().as_str_name(), "SETTLEMENT_STATE_");
    run.check(format!("{when}: the settlement of item {item}"), state, &stands);
    table.row([
        when.to_owned(),
        item.to_string(),
        date(found.shipped_on.as_ref()),
        date(found.due_on.as_ref()),
        decimal(found.fob.as_ref()),
        decimal(found.settled.as_ref()),
        stands,
    ]);
    Ok(found)
}

fn name(item: i32) -> String {
    format!("declarations/{NUMBER}/settlements/{item}")
}
