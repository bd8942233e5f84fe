//! Customs holds what was declared and shipped against what was sold.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::date;
use rust_decimal::Decimal;

use super::super::Run;
use super::super::screen::Table;
use crate::cli::batches::read_all;
use crate::cli::csv::{CsvFile, declarations, shipments};
use crate::cli::output::{decimal, word};
use crate::cli::parse::proto_date;
use crate::cli::{Client, Outcome};
use crate::proto::google::r#type::{Date, Decimal as Exact};
use crate::proto::puente::customs::v1::reconciliation_service_client::ReconciliationServiceClient;
use crate::proto::puente::customs::v1::{
    DiscrepancyCause, EscalateDiscrepancyRequest, ExplainDiscrepancyRequest,
    GetReconciliationRequest, ItemReconciliation, ListDiscrepanciesRequest, ReconciliationState,
};
use crate::proto::puente::sales::v1::LineKind;

/// An item: the name of its declaration, and its number.
type Item = (String, i32);

/// States, one explained difference of each that was lost, and one handed on.
pub(in super::super) async fn reconcile(run: &mut Run) -> Outcome {
    let Some(expected) = Expected::from_files(run)? else { return Ok(()) };
    run.screen.title("Customs holds it all together: declared, shipped, sold, in stock")?;
    let customs = run.client("customs")?;
    let before = accounts(&customs, &expected).await?;
    run.check("items that customs can account for", expected.stock.len(), before.len());
    for (item, account) in &before {
        let stock = expected.stock.get(item).copied().unwrap_or_default();
        if stock != exact(account.stock_quantity.as_ref()) {
            let found = decimal(account.stock_quantity.as_ref());
            run.check(format!("stock of {} {}", item.0, item.1), stock, found);
        }
    }
    let sums = before.values().filter(|account| balances(account)).count();
    run.check("items of which shipped is sold + stock + the rest", before.len(), sums);

    explain(run, &customs, &expected, &before).await?;
    let undeclared = escalate(run, &customs, &expected).await?;
    let after = accounts(&customs, &expected).await?;
    let mut table = Table::new(
        "How the declared items stand on 31 January 2018",
        ["State", "#Items", "An example", "Article", "#Shipped", "#Sold", "#Stock", "Unit"],
    );
    for (state, count) in expected.states() {
        let mut of_state = after.values().filter(|account| account.state() == state);
        let example = of_state.next().cloned().unwrap_or_default();
        let name = word(state.as_str_name(), "RECONCILIATION_STATE_");
        let found = usize::from(example.item != 0) + of_state.count();
        run.check(format!("items that are {name}"), count, found);
        run.check(format!("whether there is one that is {name}"), true, found > 0);
        table.row(row(name, found, &example));
    }
    for account in undeclared {
        table.row(row("UNDECLARED".into(), 1, &account));
    }
    run.screen.table(table)?;

    let marketplace = run.client("marketplace")?;
    let own = accounts(&marketplace, &expected).await?;
    run.check("items of its own that the marketplace accounts for", after.len(), own.len());
    run.screen.say(
        "Nobody had to ask the marketplace for a spreadsheet: its lines are what is held against \
         the declarations, and they count from the moment they are durable.",
    )
}

/// What the files say, worked out apart from the gateway: the oldest stock goes first.
struct Expected {
    /// What is left of each item, in statistical units.
    stock: BTreeMap<Item, Decimal>,
    /// Items of which two pieces too many left, which are the lost ones.
    lost: Vec<Item>,
    /// Articles that were sold under no declaration.
    undeclared: Vec<String>,
}

impl Expected {
    fn from_files(run: &mut Run) -> Outcome<Option<Self>> {
        let Some((declared, shipped)) = run.input.customs.clone() else { return Ok(None) };
        let path = run.world.file("declarations.csv", &declared)?;
        let (rows, _) = read_all(&CsvFile::open(&path, declarations::LAYOUT)?, declarations::read)?;
        let path = run.world.file("shipments.csv", &shipped)?;
        let (left, _) = read_all(&CsvFile::open(&path, shipments::LAYOUT)?, shipments::read)?;
        let mut stock: BTreeMap<Item, Decimal> = BTreeMap::new();
        for row in left {
            let shipment = row.shipment.unwrap_or_default();
            *stock.entry((row.declaration, shipment.item)).or_default() +=
                exact(shipment.quantity.as_ref());
        }
        let mut of_article: HashMap<String, Vec<(String, Item)>> = HashMap::new();
        for declaration in rows.into_iter().filter_map(|row| row.declaration) {
            let name = format!("declarations/{}", declaration.number);
            for item in declaration.items {
                let key = (name.clone(), item.item);
                stock.entry(key.clone()).or_default();
                let day = crate::cli::output::date(declaration.officialised_on.as_ref());
                of_article.entry(item.sku).or_default().push((day, key));
            }
        }
        let mut expected = Self { stock, lost: Vec::new(), undeclared: Vec::new() };
        let sold = sold(run);
        for listing in &run.listings {
            let factor = exact(listing.statistical_factor.as_ref());
            let pieces = sold.get(&listing.sku).copied().unwrap_or_default();
            let mut items = of_article.remove(&listing.sku).unwrap_or_default();
            items.sort();
            expected.take(&listing.sku, pieces * factor, &items);
            let lost = items.into_iter().map(|(_, item)| item);
            expected.lost.extend(lost.filter(|item| expected.stock[item] == factor * TWO));
        }
        Ok(Some(expected))
    }

    /// Takes what was sold of an article off its items, the oldest first.
    fn take(&mut self, sku: &str, mut sold: Decimal, items: &[(String, Item)]) {
        for (place, (_, item)) in items.iter().enumerate() {
            let Some(stock) = self.stock.get_mut(item) else { continue };
            let last = place + 1 == items.len();
            let part = if last { sold } else { sold.min(*stock) };
            *stock -= part;
            sold -= part;
        }
        if !sold.is_zero() {
            self.undeclared.push(sku.to_owned());
        }
    }

    /// How many items are in each state once the lost ones are explained.
    fn states(&self) -> Vec<(ReconciliationState, usize)> {
        let count = |of: &dyn Fn(&Decimal) -> bool| self.stock.values().filter(|s| of(s)).count();
        vec![
            (ReconciliationState::Balanced, count(&|stock| stock.is_zero())),
            (ReconciliationState::OpenStock, count(&|s| *s > Decimal::ZERO) - self.lost.len()),
            (ReconciliationState::Oversold, count(&|stock| *stock < Decimal::ZERO)),
            (ReconciliationState::Explained, self.lost.len()),
        ]
    }
}

const TWO: Decimal = Decimal::TWO;

/// Pieces sold and not taken back, by article.
fn sold(run: &Run) -> HashMap<String, Decimal> {
    let mut sold: HashMap<String, Decimal> = HashMap::new();
    let batches = run.reports.iter().flat_map(|reported| &reported.batches);
    for line in batches.flat_map(|batch| &batch.lines) {
        let quantity: Decimal = line.quantity.parse().unwrap_or_default();
        let signed = match line.kind() {
            LineKind::Sale | LineKind::Adjustment => quantity,
            LineKind::Return | LineKind::Cancellation => -quantity,
            LineKind::Refund | LineKind::Unspecified => Decimal::ZERO,
        };
        *sold.entry(line.sku.clone()).or_default() += signed;
    }
    sold
}

/// Explains what was lost, and tries what is no explanation.
async fn explain(
    run: &mut Run,
    customs: &Client,
    expected: &Expected,
    accounts: &BTreeMap<Item, ItemReconciliation>,
) -> Outcome {
    let balanced = expected.stock.iter().find(|(_, stock)| stock.is_zero());
    let mut tried: Vec<(&Item, Decimal, &str)> = Vec::new();
    tried.extend(balanced.map(|(item, _)| (item, TWO, "ILLEGAL_TRANSITION")));
    let more = expected.lost.first();
    let beyond = more.map(|item| (item, expected.stock[item] + Decimal::ONE, "EXPLAINS_TOO_MUCH"));
    tried.extend(beyond);
    for (item, quantity, reason) in tried {
        let answer = call!(
            customs,
            ReconciliationServiceClient.explain_discrepancy,
            explanation(customs, item, quantity)
        );
        let state = accounts.get(item).map(|account| account.state().as_str_name());
        let what =
            format!("explaining {quantity} of an item that is {}", state.unwrap_or_default());
        run.check_refused(&what, reason, &answer);
    }
    let mut settled = 0;
    for item in &expected.lost {
        let request = explanation(customs, item, expected.stock[item]);
        let answer = call!(customs, ReconciliationServiceClient.explain_discrepancy, request)?;
        let state = answer.reconciliation.unwrap_or_default().state();
        settled += usize::from(state == ReconciliationState::Explained);
    }
    run.check("losses that are explained, each with its evidence", expected.lost.len(), settled);
    Ok(())
}

fn explanation(customs: &Client, item: &Item, quantity: Decimal) -> ExplainDiscrepancyRequest {
    ExplainDiscrepancyRequest {
        request_id: customs.request_id(),
        declaration: item.0.clone(),
        item: item.1,
        cause: DiscrepancyCause::Loss.into(),
        quantity: Some(Exact { value: quantity.normalize().to_string() }),
        evidence: "Acta de ejemplo 17-0042".into(),
        ..Default::default()
    }
}

/// Hands on what was sold under no declaration.
async fn escalate(
    run: &mut Run,
    customs: &Client,
    expected: &Expected,
) -> Outcome<Vec<ItemReconciliation>> {
    let request = ListDiscrepanciesRequest {
        state: ReconciliationState::Undeclared.into(),
        at: Some(the_day()),
        ..Default::default()
    };
    let answer = call!(customs, ReconciliationServiceClient.list_discrepancies, request)?;
    let found: Vec<&str> = answer.discrepancies.iter().map(|one| one.sku.as_str()).collect();
    run.check("articles sold under no declaration", expected.undeclared.join(" "), found.join(" "));
    for one in &answer.discrepancies {
        let request = EscalateDiscrepancyRequest {
            request_id: customs.request_id(),
            listing: one.listing.clone(),
            reason: "Vendido sin permiso de embarque".into(),
            ..Default::default()
        };
        let answer = call!(customs, ReconciliationServiceClient.escalate_discrepancy, request)?;
        let state = answer.reconciliation.unwrap_or_default().state().as_str_name();
        run.check("what is handed on", "RECONCILIATION_STATE_ESCALATED", state);
    }
    Ok(answer.discrepancies)
}

/// Where all items stand on the day.
async fn accounts(
    client: &Client,
    expected: &Expected,
) -> Outcome<BTreeMap<Item, ItemReconciliation>> {
    let mut declarations: Vec<&String> = expected.stock.keys().map(|(name, _)| name).collect();
    declarations.dedup();
    let mut all = BTreeMap::new();
    for declaration in declarations {
        let request = GetReconciliationRequest {
            declaration: declaration.clone(),
            item: 0,
            at: Some(the_day()),
        };
        let answer = call!(client, ReconciliationServiceClient.get_reconciliation, request)?;
        all.extend(answer.items.into_iter().map(|one| ((one.declaration.clone(), one.item), one)));
    }
    Ok(all)
}

/// Every sale is before it, and every deadline of the last year's goods after it.
fn the_day() -> Date {
    proto_date(date(2018, 1, 31))
}

fn balances(account: &ItemReconciliation) -> bool {
    let [shipped, sold, stock, back, off] = [
        &account.shipped_quantity,
        &account.net_sold_quantity,
        &account.stock_quantity,
        &account.reimported_quantity,
        &account.written_off_quantity,
    ]
    .map(|quantity| exact(quantity.as_ref()));
    shipped == sold + stock + back + off
}

fn row(state: String, count: usize, account: &ItemReconciliation) -> [String; 8] {
    let quantity = |quantity: &Option<Exact>| decimal(quantity.as_ref());
    let item = if account.item == 0 { String::new() } else { format!("/{}", account.item) };
    [
        state,
        count.to_string(),
        format!("{}{item}", word(&account.declaration, "declarations/")),
        account.sku.clone(),
        quantity(&account.shipped_quantity),
        quantity(&account.net_sold_quantity),
        quantity(&account.stock_quantity),
        account.statistical_unit.clone(),
    ]
}

/// A decimal of the contract; zero if it is not there.
fn exact(value: Option<&Exact>) -> Decimal {
    value.and_then(|value| value.value.parse().ok()).unwrap_or_default()
}
