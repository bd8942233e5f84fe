//! Many shipments at once, one a row.
//!
//! Enters: rows that parsed, and the faults of those that did not. Leaves: how many shipments were
//! recorded, and the rows that were left out. The good rows are one change, taken in their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::bulk::{Rows, listed, rejected};
use super::{put_declaration, put_item};
use crate::app::App;
use crate::app::sync::Rejected;
use crate::app::write::{Intent, Plan, Written};
use crate::domain::caller::Caller;
use crate::domain::customs_declaration::{
    Declaration, DeclaredItem, ItemNumber, ItemState, NewShipment, unknown_item,
};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::Fault;
use crate::error::Result;
use crate::ledger::{Draft, EntryKind};

/// Goods of one item that left.
#[derive(Clone, Debug)]
pub struct ShipmentRow {
    /// The declaration.
    pub number: DeclarationNumber,
    /// Its item.
    pub item: ItemNumber,
    /// What left.
    pub shipment: NewShipment,
}

/// What many rows of shipments came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// [`Rows::digest`].
    pub content: String,
    /// Shipments taken.
    pub recorded: i64,
    /// Shipments that stood as sent.
    pub unchanged: i64,
    /// Rows left out.
    pub rejected: i64,
    /// The first of them by row number.
    pub rejected_rows: Vec<Rejected>,
}

impl App {
    /// Takes the good rows as one change; no receipt if nothing changes.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `TOO_MANY_EXPORTERS`.
    pub async fn record_shipments(
        &self,
        caller: &Caller,
        intent: &Intent,
        sent: &Rows<ShipmentRow>,
    ) -> Result<Written<Shipped>> {
        let mut by_number: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (row, value) in &sent.rows {
            by_number.entry(value.number).or_default().push((*row, value));
        }
        self.write(intent, || async {
            let items = sent.rows.iter().map(|(_, row)| (row.number, row.item));
            let (mut held, mut known) = self.declared(items).await?;
            let exporters = held.values().map(|held| held.value.terms.exporter);
            let mandates = self.mandates(caller, exporters).await?;
            // Those of others are as if they were not there.
            held.retain(|_, held| mandates.allow(held.value.terms.exporter));
            let (by, at) = (caller.partner(), self.env.now());
            let mut answer = Shipped { content: sent.digest.clone(), ..Shipped::default() };
            let mut left_out = sent.rejected.clone();
            let (mut expect, mut writes) = (Vec::new(), Vec::new());
            let mut shipped_for = BTreeSet::new();
            for (number, rows) in &by_number {
                let mut declaration = held.remove(number);
                let (mut touched, mut opened) = (BTreeSet::new(), BTreeSet::new());
                for (place, row) in rows {
                    let declaration = declaration.as_mut().map(|held| &mut held.value);
                    let key = DeclaredItem::key_of(row.number, row.item);
                    let first =
                        known.get(&key).is_some_and(|item| item.state() == ItemState::Declared);
                    let ship = |declaration: &mut Declaration, item: &mut DeclaredItem| {
                        declaration.ship(item, &row.shipment, by, at)
                    };
                    match on_item(declaration, &mut known, row, ship) {
                        Ok(true) => {
                            answer.recorded += 1;
                            if first {
                                opened.insert(key.clone());
                            }
                            touched.insert(key);
                        }
                        Ok(false) => answer.unchanged += 1,
                        Err(fault) => left_out.push(rejected(*place, fault)),
                    }
                }
                if let Some(held) = declaration.filter(|_| !touched.is_empty()) {
                    let (own, write) = put_declaration(&held.value, held.version)?;
                    expect.push(own);
                    writes.push(write);
                    shipped_for.insert(held.value.terms.exporter);
                }
                for item in opened.iter().filter_map(|key| known.get(key)) {
                    writes.extend(self.open_settlement(None, item)?);
                }
                for item in touched.iter().filter_map(|key| known.get(key)) {
                    writes.push(put_item(item)?);
                }
            }
            (answer.rejected, answer.rejected_rows) = listed(left_out);
            let draft = Draft::new(EntryKind::ShipmentsBatched)
                .fact("recorded", answer.recorded)
                .fact("unchanged", answer.unchanged)
                .fact("rejected", answer.rejected);
            let (stand, draft) = mandates.act(draft, shipped_for);
            expect.extend(stand);
            Ok(Plan { answer, expect, writes, draft })
        })
        .await
    }
}

/// Does `ship` with the declaration and the item of a row, if both are there.
fn on_item(
    declaration: Option<&mut Declaration>,
    known: &mut HashMap<String, DeclaredItem>,
    row: &ShipmentRow,
    ship: impl FnOnce(&mut Declaration, &mut DeclaredItem) -> std::result::Result<bool, Fault>,
) -> std::result::Result<bool, Fault> {
    let declaration = declaration.ok_or_else(|| {
        Fault::illegal_state(
            "UNKNOWN_DECLARATION",
            "the declaration is not registered, or not yet: register it first",
        )
        .at("declaration")
    })?;
    let item = known
        .get_mut(&DeclaredItem::key_of(row.number, row.item))
        .ok_or_else(|| unknown_item(row.item).at("shipment"))?;
    ship(declaration, item).map_err(|fault| match fault.field {
        Some(_) => fault.at("shipment"),
        None => fault,
    })
}
