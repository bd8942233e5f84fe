//! Customs registers export declarations and what left under them; nobody ships more than that.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::super::Run;
use super::super::screen::Table;
use crate::cli::batches::read_all;
use crate::cli::csv::{CsvFile, declarations, shipments};
use crate::cli::{Client, Outcome, push_declarations, push_shipments};
use crate::proto::google::r#type::Decimal as Exact;
use crate::proto::puente::customs::v1::declaration_service_client::DeclarationServiceClient;
use crate::proto::puente::customs::v1::{
    AmendDeclarationRequest, Declaration, DeclarationItem, DeclarationRow, ItemAmendment,
    ItemShipment, ListDeclarationsRequest, RecordShipmentRequest, RegisterDeclarationsHeader,
    ShipmentRow,
};

/// Declarations, then shipments; what must be refused before and after.
pub(in super::super) async fn declare_and_ship(run: &mut Run) -> Outcome {
    let Some((declared, shipped)) = run.input.customs.clone() else { return Ok(()) };
    run.screen.title("Customs registers declarations, and what left under them")?;
    let path = run.world.file("declarations.csv", &declared)?;
    let (rows, bad) = read_all(&CsvFile::open(&path, declarations::LAYOUT)?, declarations::read)?;
    run.check("rows of declarations that cannot be read", 0, bad.len());
    let path = run.world.file("shipments.csv", &shipped)?;
    let (left, bad) = read_all(&CsvFile::open(&path, shipments::LAYOUT)?, shipments::read)?;
    run.check("rows of shipments that cannot be read", 0, bad.len());

    let customs = run.client("customs")?;
    refuse_mistakes(run, &customs, &rows).await?;
    register(run, &customs, &rows).await?;
    let mut table = Table::new("What customs is not let do", ["Asks for", "Answer", "Because"]);
    ship_too_much(run, &customs, &rows, &mut table).await;
    ship(run, &customs, &left).await?;
    amend_what_left(run, &customs, &left, &mut table).await;
    run.screen.table(table)?;
    read(run, &customs, &rows, &left).await
}

const MISTAKES: [(&str, &str); 5] = [
    ("a number of 15 characters", "INVALID_DECLARATION"),
    ("an exporter whose check digit is wrong", "INVALID_CUIT"),
    ("a tariff code that is not the listing's", "LISTING_MISMATCH"),
    ("a unit that is not the listing's", "UNIT_MISMATCH"),
    ("an article that nobody offers", "UNKNOWN_SKU"),
];

/// The first row with a mistake each; nothing is stored.
async fn refuse_mistakes(run: &mut Run, customs: &Client, rows: &[DeclarationRow]) -> Outcome {
    fn item(declaration: &mut Declaration) -> Option<&mut DeclarationItem> {
        declaration.items.first_mut()
    }
    let change: [fn(&mut Declaration); 5] = [
        |one| one.number.truncate(15),
        |one| one.exporter_cuit = super::super::input::misprinted(&one.exporter_cuit),
        |one| item(one).into_iter().for_each(|item| item.ncm = "0409.00.00".into()),
        |one| item(one).into_iter().for_each(|item| item.statistical_unit = "TNE".into()),
        |one| item(one).into_iter().for_each(|item| item.sku = "NOBODY-OFFERS-IT".into()),
    ];
    let first = rows.first().and_then(|row| row.declaration.clone()).unwrap_or_default();
    let faulty = (1..).zip(change).map(|(row, change)| {
        let mut declaration = first.clone();
        change(&mut declaration);
        DeclarationRow { row, declaration: Some(declaration) }
    });
    let faulty: Vec<_> = faulty.collect();
    let header = RegisterDeclarationsHeader { validate_only: true, ..Default::default() };
    let answer = push_declarations::send(customs, header, &faulty).await?;
    let mut table = Table::new("What would be refused", ["Mistake", "Reason", "Column"]);
    let faults: Vec<_> = answer.rejected_rows.iter().map(push_declarations::fault).collect();
    run.check("rows with a mistake that are refused", MISTAKES.len(), faults.len());
    for (fault, (mistake, reason)) in faults.into_iter().zip(MISTAKES) {
        run.check(mistake, reason, &fault.reason);
        table.row([mistake.to_owned(), fault.reason, fault.column]);
    }
    run.screen.table(table)
}

async fn register(run: &mut Run, customs: &Client, rows: &[DeclarationRow]) -> Outcome {
    let numbers: BTreeSet<_> =
        rows.iter().filter_map(|row| Some(&row.declaration.as_ref()?.number)).collect();
    let header = RegisterDeclarationsHeader::default;
    let answer = push_declarations::send(customs, header(), rows).await?;
    run.check("new declarations", numbers.len(), answer.registered);
    run.check("items declared", rows.len(), answer.items);
    run.check("declarations refused", 0, answer.rejected);
    let again = push_declarations::send(customs, header(), rows).await?;
    run.check("items that stand already, sent again", rows.len(), again.unchanged);
    run.check("an entry for what changes nothing", false, again.receipt.is_some());
    run.screen.say(&format!(
        "{} declarations with {} items are registered from one file; sent again, it changes \
         nothing.",
        numbers.len(),
        rows.len()
    ))
}

/// One more than was declared of the first item.
async fn ship_too_much(
    run: &mut Run,
    customs: &Client,
    rows: &[DeclarationRow],
    table: &mut Table,
) {
    let declaration = rows.first().and_then(|row| row.declaration.clone()).unwrap_or_default();
    let item = declaration.items.first().cloned().unwrap_or_default();
    let quantity = exact(item.declared_quantity.as_ref()) + Decimal::ONE;
    let request = RecordShipmentRequest {
        request_id: customs.request_id(),
        declaration: format!("declarations/{}", declaration.number),
        shipments: vec![ItemShipment {
            item: item.item,
            quantity: Some(Exact { value: quantity.to_string() }),
            shipped_on: declaration.officialised_on,
            ..ItemShipment::default()
        }],
        ..Default::default()
    };
    let answer = call!(customs, DeclarationServiceClient.record_shipment, request);
    let what = "to ship more than was declared";
    refused(run, table, what, "SHIPPED_ABOVE_DECLARED", answer.map(drop));
}

async fn ship(run: &mut Run, customs: &Client, left: &[ShipmentRow]) -> Outcome {
    let answer = push_shipments::send(customs, false, left).await?;
    run.check("shipments recorded", left.len(), answer.recorded);
    run.check("shipments refused", 0, answer.rejected);
    let again = push_shipments::send(customs, false, left).await?;
    run.check("shipments that stand already, sent again", left.len(), again.unchanged);
    Ok(())
}

/// An item of which less left than was declared, which its post-shipment declaration says.
async fn amend_what_left(run: &mut Run, customs: &Client, left: &[ShipmentRow], table: &mut Table) {
    let closed = left.iter().find(|row| row.shipment.as_ref().is_some_and(|s| s.post_shipment));
    let Some((row, last)) = closed.and_then(|row| Some((row, row.shipment.clone()?))) else {
        return;
    };
    let more = ItemShipment { reference: "EJEMPLO-MORE".into(), ..last.clone() };
    let request = RecordShipmentRequest {
        request_id: customs.request_id(),
        declaration: row.declaration.clone(),
        shipments: vec![more],
        ..Default::default()
    };
    let answer = call!(customs, DeclarationServiceClient.record_shipment, request);
    let what = "to ship on after the post-shipment declaration";
    refused(run, table, what, "ILLEGAL_TRANSITION", answer.map(drop));
    let one = Some(Exact { value: "1".into() });
    let request = AmendDeclarationRequest {
        request_id: customs.request_id(),
        name: row.declaration.clone(),
        reason: "Prueba de ejemplo".into(),
        items: vec![ItemAmendment { item: last.item, declared_quantity: one, fob: None }],
        ..Default::default()
    };
    let answer = call!(customs, DeclarationServiceClient.amend_declaration, request);
    let what = "to declare less after that";
    refused(run, table, what, "ILLEGAL_TRANSITION", answer.map(drop));
}

/// What customs and the marketplace see of it all.
async fn read(
    run: &mut Run,
    customs: &Client,
    rows: &[DeclarationRow],
    left: &[ShipmentRow],
) -> Outcome {
    let seen = list(customs).await?;
    let items: usize = seen.iter().map(|one| one.items.len()).sum();
    run.check("items that customs reads", rows.len(), items);
    let shipped: Decimal = seen
        .iter()
        .flat_map(|one| &one.items)
        .map(|item| exact(item.shipped_quantity.as_ref()))
        .sum();
    let sent = left.iter().filter_map(|row| row.shipment.as_ref());
    let sent: Decimal = sent.map(|one| exact(one.quantity.as_ref())).sum();
    run.check("what left, all units together", sent.normalize(), shipped.normalize());
    let above = |item: &&DeclarationItem| {
        exact(item.shipped_quantity.as_ref()) > exact(item.declared_quantity.as_ref())
    };
    let above = seen.iter().flat_map(|one| &one.items).filter(above).count();
    run.check("items of which more left than was declared", 0, above);

    let marketplace = run.client("marketplace")?;
    let own = list(&marketplace).await?;
    let items: usize = own.iter().map(|one| one.items.len()).sum();
    run.check("items of its own that the marketplace reads", rows.len(), items);
    let told = own.iter().filter(|one| !one.declarant_cuit.is_empty() || one.item_count != 0);
    run.check("declarations that tell it who declared, or of others' items", 0, told.count());
    run.screen.table(by_chapter(&seen))
}

/// All declarations that a partner may see.
pub(super) async fn list(client: &Client) -> Outcome<Vec<Declaration>> {
    let mut request = ListDeclarationsRequest { page_size: 100, ..Default::default() };
    let mut all = Vec::new();
    loop {
        let page = call!(client, DeclarationServiceClient.list_declarations, request.clone())?;
        all.extend(page.declarations);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(all);
        }
    }
}

fn by_chapter(declarations: &[Declaration]) -> Table {
    #[derive(Default)]
    struct Sums {
        items: usize,
        declared: Decimal,
        shipped: Decimal,
        fob: Decimal,
    }
    let mut groups: BTreeMap<(&str, &str), Sums> = BTreeMap::new();
    for item in declarations.iter().flat_map(|one| &one.items) {
        let chapter = item.ncm.get(..2).unwrap_or_default();
        let sums = groups.entry((chapter, &item.statistical_unit)).or_default();
        sums.items += 1;
        sums.declared += exact(item.declared_quantity.as_ref());
        sums.shipped += exact(item.shipped_quantity.as_ref());
        sums.fob += exact(item.fob.as_ref());
    }
    let mut table = Table::new(
        "Declared and shipped, by tariff chapter",
        ["Chapter", "#Items", "#Declared", "#Shipped", "Unit", "#FOB, USD"],
    );
    for ((chapter, unit), sums) in groups {
        table.row([
            chapter.to_owned(),
            sums.items.to_string(),
            super::super::screen::grouped(sums.declared.normalize()),
            super::super::screen::grouped(sums.shipped.normalize()),
            unit.to_owned(),
            super::super::screen::grouped(sums.fob.normalize()),
        ]);
    }
    table
}

fn refused(run: &mut Run, table: &mut Table, what: &str, reason: &str, answer: Outcome) {
    run.check_refused(what, reason, &answer);
    let (told, why) = match answer {
        Ok(()) => ("answered".to_owned(), String::new()),
        Err(failure) => (failure.reason, failure.message),
    };
    table.row([what.to_owned(), told, why]);
}

/// A decimal of the contract; zero if it is not there.
pub(super) fn exact(value: Option<&Exact>) -> Decimal {
    value.and_then(|value| value.value.parse().ok()).unwrap_or_default()
}
