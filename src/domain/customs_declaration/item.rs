//! Items of export declarations: goods of one listing, and what of them left.
//!
//! Enters: declared goods, shipments, wishes to amend. Leaves: changed items, or a fault. The one
//! rule that everything here keeps: of no item more has left than was declared.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{AmendedField, Terms};
use crate::domain::cuit::Cuit;
use crate::domain::currency::Currency;
use crate::domain::decimal::{Amount, Quantity};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::fault::Fault;
use crate::domain::listing::Listing;
use crate::domain::ncm::NcmCode;
use crate::domain::partner::PartnerId;
use crate::domain::text::Sku;
use crate::domain::unit::Unit;

/// The most shipments of one item; a real one has a few.
const MAX_SHIPMENTS: usize = 1000;

/// A shipment's own number, such as that of a transport document.
pub type ShipmentReference = crate::domain::text::Reference;

/// An item's number within its declaration, 1 to 9,999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct ItemNumber(u16);

impl ItemNumber {
    /// The number.
    pub fn get(self) -> u32 {
        self.0.into()
    }
}

impl TryFrom<i64> for ItemNumber {
    type Error = Fault;

    fn try_from(number: i64) -> Result<Self, Fault> {
        match u16::try_from(number) {
            Ok(number @ 1..=9999) => Ok(Self(number)),
            _ => Err(Fault::malformed("INVALID_FIELD", "an item's number is from 1 to 9999")),
        }
    }
}

impl From<ItemNumber> for i64 {
    fn from(number: ItemNumber) -> Self {
        number.0.into()
    }
}

impl fmt::Display for ItemNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

named_enum! {
    /// How far an item is, apart from sales.
    pub enum ItemState ("a state of a declared item", "INVALID_FIELD") {
        /// Nothing of it has left.
        Declared = "DECLARED",
        /// Something of it has left.
        Shipped = "SHIPPED",
    }
}

named_enum! {
    /// How far an item is, as refusals name it.
    pub enum ItemStage ("a stage of a declared item", "INVALID_FIELD") {
        /// Nothing of it has left.
        Declared = "DECLARED",
        /// Something of it has left, and more may.
        Shipped = "SHIPPED",
        /// Its post-shipment declaration came: nothing more leaves.
        ShippingClosed = "SHIPPING_CLOSED",
    }
}

/// What is declared of the goods of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goods {
    /// The tariff code.
    pub ncm: NcmCode,
    /// How much, in the statistical unit.
    pub quantity: Quantity,
    /// The statistical unit.
    pub unit: Unit,
    /// The value of all of it, free on board.
    pub fob: Amount,
    /// The currency of the value.
    pub currency: Currency,
}

/// Goods that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// What was reported.
    #[serde(flatten)]
    pub reported: NewShipment,
    /// When.
    pub recorded_at: Timestamp,
    /// By whom.
    pub recorded_by: PartnerId,
}

/// Goods that are reported to have left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewShipment {
    /// How much, in the statistical unit.
    pub quantity: Quantity,
    /// When they left.
    pub shipped_on: Date,
    /// Tells shipments of one day apart.
    #[serde(default)]
    pub reference: Option<ShipmentReference>,
    /// Whether it is the item's post-shipment declaration: nothing more leaves.
    #[serde(default)]
    pub post_shipment: bool,
}

/// What an amendment shall make of an item; `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemWish {
    /// Which item.
    pub item: ItemNumber,
    /// How much is declared.
    pub quantity: Option<Quantity>,
    /// The value of all of it, free on board.
    pub fob: Option<Amount>,
}

/// An item of a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredItem {
    /// The declaration.
    pub declaration: DeclarationNumber,
    /// Its number within it.
    pub item: ItemNumber,
    /// The declaration's exporter.
    pub exporter: Cuit,
    /// The day on which the declaration became official.
    pub officialised_on: Date,
    /// The marketplace of its listing.
    pub marketplace: PartnerId,
    /// Key of its listing.
    pub listing: String,
    /// The listing's article number.
    pub sku: Sku,
    /// What is declared of it.
    pub goods: Goods,
    /// How much has left so far.
    pub shipped: Quantity,
    /// What left, in the order it became known.
    #[serde(default)]
    pub shipments: Vec<Shipment>,
    /// Whether nothing more leaves.
    #[serde(default)]
    pub shipping_closed: bool,
}

impl DeclaredItem {
    /// Goods of `listing`, declared under these terms.
    ///
    /// # Errors
    /// `LISTING_MISMATCH` (metadata `differs`) if exporter or tariff code are not the listing's,
    /// or not `sku` where one is given; `UNIT_MISMATCH` (metadata `given`, `statistical_unit`).
    pub fn declare(
        declaration: DeclarationNumber,
        terms: &Terms,
        item: ItemNumber,
        goods: Goods,
        listing: &Listing,
        sku: Option<&Sku>,
    ) -> Result<Self, Fault> {
        let differs: Vec<&str> = [
            ("exporter_cuit", terms.exporter == listing.seller),
            ("ncm", goods.ncm == listing.ncm),
            ("sku", sku.is_none_or(|sku| *sku == listing.sku)),
        ]
        .into_iter()
        .filter_map(|(field, same)| (!same).then_some(field))
        .collect();
        if let Some(first) = differs.first() {
            let all = differs.join(",");
            let words = format!(
                "{all} of item {item} are not those of the listing of {}, whose NCM code is {}; \
                 give the listing under which the goods are sold, or mend them",
                listing.sku, listing.ncm
            );
            // The exporter stands with the declaration, not with the item.
            let field = if *first == "exporter_cuit" { "listing" } else { first };
            return Err(Fault::illegal_state("LISTING_MISMATCH", words)
                .with("differs", all)
                .at(field));
        }
        if goods.unit != listing.statistical_unit {
            return Err(Fault::illegal_state(
                "UNIT_MISMATCH",
                format!(
                    "item {item} is declared in {}, and the statistical unit of its listing is \
                     {}; give the quantity in that unit",
                    goods.unit, listing.statistical_unit
                ),
            )
            .with("given", goods.unit)
            .with("statistical_unit", listing.statistical_unit)
            .at("statistical_unit"));
        }
        Ok(Self {
            declaration,
            item,
            exporter: terms.exporter,
            officialised_on: terms.officialised_on,
            marketplace: listing.marketplace.clone(),
            listing: listing.key(),
            sku: listing.sku.clone(),
            goods,
            shipped: Quantity::ZERO,
            shipments: Vec::new(),
            shipping_closed: false,
        })
    }

    /// The key of the item with this number: those of a declaration stand together, in order.
    pub fn key_of(declaration: DeclarationNumber, item: ItemNumber) -> String {
        format!("{declaration}/{:04}", item.0)
    }

    /// Its key, see [`DeclaredItem::key_of`].
    pub fn key(&self) -> String {
        Self::key_of(self.declaration, self.item)
    }

    /// How far it is.
    pub fn state(&self) -> ItemState {
        if self.shipments.is_empty() { ItemState::Declared } else { ItemState::Shipped }
    }

    /// How far it is, as refusals name it.
    pub fn stage(&self) -> ItemStage {
        match self.state() {
            ItemState::Declared => ItemStage::Declared,
            ItemState::Shipped if self.shipping_closed => ItemStage::ShippingClosed,
            ItemState::Shipped => ItemStage::Shipped,
        }
    }

    /// Whether `other` declares the same; what left is not compared.
    pub fn declares_the_same(&self, other: &Self) -> bool {
        self.listing == other.listing && self.goods == other.goods
    }

    /// Changes what is declared; the fields that change. See [`super::Declaration::amend`].
    pub(super) fn amend(&mut self, wish: &ItemWish) -> Result<Vec<AmendedField>, Fault> {
        let (quantity, fob) = (self.goods.quantity, self.goods.fob);
        let (new_quantity, new_fob) = (wish.quantity.unwrap_or(quantity), wish.fob.unwrap_or(fob));
        self.may_amend("declared_quantity", quantity, new_quantity)?;
        self.may_amend("fob", fob, new_fob)?;
        (self.goods.quantity, self.goods.fob) = (new_quantity, new_fob);
        let item = Some(self.item);
        let fields = [
            AmendedField::of(item, "declared_quantity", quantity, new_quantity),
            AmendedField::of(item, "fob", fob, new_fob),
        ];
        Ok(fields.into_iter().filter(|field| field.before != field.after).collect())
    }

    fn may_amend<T: Ord + fmt::Display>(&self, field: &str, from: T, to: T) -> Result<(), Fault> {
        let stage = self.stage();
        match stage {
            ItemStage::Declared => Ok(()),
            ItemStage::Shipped if to >= from => Ok(()),
            ItemStage::ShippingClosed if to == from => Ok(()),
            ItemStage::Shipped => Err(Fault::illegal_state(
                "AMENDED_DOWNWARD",
                format!(
                    "something of item {} has left, so {field} can only rise from {from}, not \
                     fall to {to}; that less left than was declared is said by its post-shipment \
                     declaration",
                    self.item
                ),
            )
            .with("item", self.item)
            .with("state", stage)
            .with("allowed", ItemStage::Declared)
            .with("standing", from)
            .with("asked", to)
            .at(field)),
            ItemStage::ShippingClosed => Err(Fault::illegal_transition(
                &format!("changing {field} of item {}", self.item),
                stage,
                &[ItemStage::Declared, ItemStage::Shipped],
            )
            .with("item", self.item)
            .at(field)),
        }
    }

    /// Records that goods left. See [`super::Declaration::ship`].
    pub(super) fn ship(
        &mut self,
        new: &NewShipment,
        by: &PartnerId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let same = |one: &&Shipment| {
            one.reported.shipped_on == new.shipped_on && one.reported.reference == new.reference
        };
        if let Some(known) = self.shipments.iter().find(same) {
            return if known.reported == *new { Ok(false) } else { Err(self.differs(known, new)) };
        }
        if self.stage() == ItemStage::ShippingClosed {
            return Err(Fault::illegal_transition(
                &format!("shipping of item {}", self.item),
                self.stage(),
                &[ItemStage::Declared, ItemStage::Shipped],
            )
            .with("item", self.item));
        }
        if new.shipped_on < self.officialised_on {
            return Err(Fault::illegal_state(
                "SHIPPED_BEFORE_OFFICIALISED",
                format!(
                    "the declaration became official on {}, and nothing leaves before that: check \
                     the day {}",
                    self.officialised_on, new.shipped_on
                ),
            )
            .with("officialised_on", self.officialised_on)
            .at("shipped_on"));
        }
        let shipped = self.shipped.plus(new.quantity).map_err(|fault| fault.at("quantity"))?;
        if shipped > self.goods.quantity {
            return Err(self.above_declared(new.quantity));
        }
        if self.shipments.len() >= MAX_SHIPMENTS {
            return Err(Fault::illegal_state(
                "TOO_MANY_SHIPMENTS",
                format!("an item has at most {MAX_SHIPMENTS} shipments"),
            ));
        }
        self.shipped = shipped;
        self.shipping_closed = new.post_shipment;
        self.shipments.push(Shipment {
            reported: new.clone(),
            recorded_at: at,
            recorded_by: by.clone(),
        });
        Ok(true)
    }

    fn differs(&self, known: &Shipment, new: &NewShipment) -> Fault {
        Fault::conflict(
            "SHIPMENT_DIFFERS",
            format!(
                "a shipment of item {} on {} with this reference is recorded with the quantity {}; \
                 give another one a reference of its own",
                self.item, new.shipped_on, known.reported.quantity
            ),
        )
        .with("item", self.item)
        .with("recorded", known.reported.quantity)
        .with("asked", new.quantity)
        .at("quantity")
    }

    fn above_declared(&self, asked: Quantity) -> Fault {
        let (declared, shipped, unit) = (self.goods.quantity, self.shipped, self.goods.unit);
        Fault::illegal_state(
            "SHIPPED_ABOVE_DECLARED",
            format!(
                "of item {} {declared} {unit} are declared and {shipped} have left: {asked} more \
                 would be above what was declared; check the quantity, or amend the declaration \
                 upward first",
                self.item
            ),
        )
        .with("item", self.item)
        .with("declared", declared)
        .with("shipped", shipped)
        .with("asked", asked)
        .at("quantity")
    }
}
