//! Export declarations: what was declared, how it was amended, and what left under it.
//!
//! Enters: declared terms and goods, wishes to amend, shipments. Leaves: a changed [`Declaration`]
//! with its [`DeclaredItem`]s, or a fault. Whether goods and listing agree is judged here; which
//! listing is meant is for the caller to find. It must not know sales: what became of the goods
//! abroad is another question.

mod item;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::cuit::Cuit;
use super::declaration::DeclarationNumber;
use super::fault::{Fault, InField as _};
use super::partner::PartnerId;
use super::place::Destination;
use super::text::Cause;

pub use item::{
    DeclaredItem, Goods, ItemNumber, ItemStage, ItemState, ItemWish, NewShipment, Shipment,
    ShipmentReference,
};

/// The most amendments of one declaration; a real one has a handful.
const MAX_AMENDMENTS: usize = 1000;

/// The reason of the amendment by which further items of a declaration came.
const IN_PARTS: &str = "registered in parts: these items came later";

named_enum! {
    /// Delivery terms, Incoterms 2020.
    pub enum Incoterm ("one of the eleven Incoterms of 2020", "INVALID_FIELD") {
        /// Ex works.
        Exw = "EXW",
        /// Free carrier.
        Fca = "FCA",
        /// Carriage paid to.
        Cpt = "CPT",
        /// Carriage and insurance paid to.
        Cip = "CIP",
        /// Delivered at place.
        Dap = "DAP",
        /// Delivered at place, unloaded.
        Dpu = "DPU",
        /// Delivered, duty paid.
        Ddp = "DDP",
        /// Free alongside ship.
        Fas = "FAS",
        /// Free on board.
        Fob = "FOB",
        /// Cost and freight.
        Cfr = "CFR",
        /// Cost, insurance and freight.
        Cif = "CIF",
    }
}

/// What a declaration says apart from its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Whose goods they are; never changes.
    pub exporter: Cuit,
    /// Who declared.
    pub declarant: Cuit,
    /// The delivery terms.
    pub incoterm: Incoterm,
    /// Where the goods go.
    #[serde(default)]
    pub destination: Option<Destination>,
    /// The day on which customs made it official; never changes.
    pub officialised_on: Date,
}

impl Terms {
    /// The first field, by its name in the contract, that `other` says differently.
    pub fn differs_in(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            ("exporter_cuit", self.exporter == other.exporter),
            ("declarant_cuit", self.declarant == other.declarant),
            ("incoterm", self.incoterm == other.incoterm),
            ("destination", self.destination == other.destination),
            ("officialised_on", self.officialised_on == other.officialised_on),
        ];
        pairs.into_iter().find_map(|(field, same)| (!same).then_some(field))
    }
}

/// An export declaration without its items, which are kept one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// Its number; never changes.
    pub number: DeclarationNumber,
    /// What it says apart from its items.
    pub terms: Terms,
    /// How many items it has.
    pub items: u32,
    /// Of how many of them something has left.
    pub shipped_items: u32,
    /// What was changed since it was registered, the oldest first.
    #[serde(default)]
    pub amendments: Vec<Amendment>,
    /// Who registered it.
    pub registered_by: PartnerId,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed, shipments included.
    pub updated_at: Timestamp,
}

/// One change of a declaration, with what stood before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// The revision that it made.
    pub revision: u32,
    /// When it was taken.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: PartnerId,
    /// Why.
    pub reason: Cause,
    /// What changed.
    pub fields: Vec<AmendedField>,
}

/// One field that an amendment changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendedField {
    /// The item; `None` for a field of the declaration itself.
    #[serde(default)]
    pub item: Option<ItemNumber>,
    /// The field by its name in the contract.
    pub field: String,
    /// What stood there; empty where nothing did.
    pub before: String,
    /// What stands there from then on.
    pub after: String,
}

impl AmendedField {
    fn of(
        item: Option<ItemNumber>,
        field: &str,
        before: impl ToString,
        after: impl ToString,
    ) -> Self {
        let (before, after) = (before.to_string(), after.to_string());
        Self { item, field: field.to_owned(), before, after }
    }
}

/// What an amendment shall make of a declaration; `None` leaves a field as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Why.
    pub reason: Cause,
    /// Who declared.
    pub declarant: Option<Cuit>,
    /// The delivery terms.
    pub incoterm: Option<Incoterm>,
    /// Where the goods go.
    pub destination: Option<Destination>,
    /// What changes of items, each once.
    pub items: Vec<ItemWish>,
}

impl Declaration {
    /// A declaration as registered by `by`, without items yet.
    pub fn register(number: DeclarationNumber, terms: Terms, by: PartnerId, at: Timestamp) -> Self {
        Self {
            number,
            terms,
            items: 0,
            shipped_items: 0,
            amendments: Vec::new(),
            registered_by: by,
            created_at: at,
            updated_at: at,
        }
    }

    /// Counts what was declared anew: 1 as registered.
    pub fn revision(&self) -> u32 {
        1 + u32::try_from(self.amendments.len()).unwrap_or(u32::MAX - 1)
    }

    /// SHIPPED once something of any item has left.
    pub fn state(&self) -> ItemState {
        if self.shipped_items == 0 { ItemState::Declared } else { ItemState::Shipped }
    }

    /// Takes further items that came after it was registered, which is an amendment.
    ///
    /// # Errors
    /// `TOO_MANY_AMENDMENTS`.
    pub fn extend(&mut self, items: u32, by: &PartnerId, at: Timestamp) -> Result<(), Fault> {
        let after = self.items + items;
        let field = AmendedField::of(None, "items", self.items, after);
        self.note(IN_PARTS.parse()?, vec![field], by, at)?;
        self.items = after;
        Ok(())
    }

    /// Amends it and `items`, which hold at least those that `wish` names and that exist. False,
    /// and nothing touched, if all stands so already. On an error, throw both away.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` and `AMENDED_DOWNWARD` (metadata `state` and `allowed`),
    /// `UNKNOWN_ITEM`, `TOO_MANY_AMENDMENTS`.
    pub fn amend(
        &mut self,
        items: &mut BTreeMap<ItemNumber, DeclaredItem>,
        wish: &Wish,
        by: &PartnerId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let mut fields = self.amend_terms(wish)?;
        for (place, asked) in wish.items.iter().enumerate() {
            let within = format!("items[{place}]");
            let item = items.get_mut(&asked.item);
            let item = item.ok_or_else(|| unknown_item(asked.item)).at(&within)?;
            fields.extend(item.amend(asked).at(&within)?);
        }
        if fields.is_empty() {
            return Ok(false);
        }
        self.note(wish.reason.clone(), fields, by, at)?;
        Ok(true)
    }

    fn amend_terms(&mut self, wish: &Wish) -> Result<Vec<AmendedField>, Fault> {
        let mut terms = self.terms;
        terms.declarant = wish.declarant.unwrap_or(terms.declarant);
        terms.incoterm = wish.incoterm.unwrap_or(terms.incoterm);
        terms.destination = wish.destination.or(terms.destination);
        let Some(first) = self.terms.differs_in(&terms) else { return Ok(Vec::new()) };
        if self.state() != ItemState::Declared {
            let step = format!("changing {first}");
            return Err(
                Fault::illegal_transition(&step, self.state(), &[ItemState::Declared]).at(first)
            );
        }
        let place = |place: Option<Destination>| place.map(|p| p.to_string()).unwrap_or_default();
        let before = std::mem::replace(&mut self.terms, terms);
        let fields = [
            AmendedField::of(None, "declarant_cuit", before.declarant, terms.declarant),
            AmendedField::of(None, "incoterm", before.incoterm, terms.incoterm),
            AmendedField::of(
                None,
                "destination",
                place(before.destination),
                place(terms.destination),
            ),
        ];
        Ok(fields.into_iter().filter(|field| field.before != field.after).collect())
    }

    /// Records that goods of `item`, one of its own, left. False, and nothing touched, if that
    /// shipment is recorded already.
    ///
    /// # Errors
    /// `SHIPPED_ABOVE_DECLARED` (metadata `item`, `declared`, `shipped`, `asked`),
    /// `ILLEGAL_TRANSITION` after its post-shipment declaration, `SHIPMENT_DIFFERS`,
    /// `SHIPPED_BEFORE_OFFICIALISED`, `TOO_MANY_SHIPMENTS`.
    pub fn ship(
        &mut self,
        item: &mut DeclaredItem,
        shipment: &NewShipment,
        by: &PartnerId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let first = item.state() == ItemState::Declared;
        if !item.ship(shipment, by, at)? {
            return Ok(false);
        }
        self.shipped_items += u32::from(first);
        self.updated_at = at;
        Ok(true)
    }

    fn note(
        &mut self,
        reason: Cause,
        fields: Vec<AmendedField>,
        by: &PartnerId,
        at: Timestamp,
    ) -> Result<(), Fault> {
        if self.amendments.len() >= MAX_AMENDMENTS {
            return Err(Fault::illegal_state(
                "TOO_MANY_AMENDMENTS",
                format!("a declaration is amended at most {MAX_AMENDMENTS} times"),
            ));
        }
        let revision = self.revision() + 1;
        self.amendments.push(Amendment { revision, at, by: by.clone(), reason, fields });
        self.updated_at = at;
        Ok(())
    }
}

/// The declaration has no such item.
pub fn unknown_item(item: ItemNumber) -> Fault {
    Fault::illegal_state(
        "UNKNOWN_ITEM",
        format!("the declaration has no item {item}, or not yet: register it first"),
    )
    .with("item", item)
    .at("item")
}

#[cfg(test)]
#[path = "customs_declaration/tests.rs"]
mod tests;
