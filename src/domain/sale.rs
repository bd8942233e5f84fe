//! Lines of sale: what was sold, came back, was paid back or corrected.
//!
//! Enters: the text fields of one line. Leaves: a [`SaleLine`], or the first thing that is wrong
//! with it. Millions of lines pass here: nothing is allocated but what the line keeps. What is
//! odd about a line (see [`WarningReason`]) is judged elsewhere: it is stored all the same.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::decimal::{Quantity, Totals, UnitPrice};
use super::declaration::DeclarationNumber;
use super::fault::{Fault, InField};
use super::place::Destination;
use super::sold_at::SoldAt;
use super::text::{LineId, OrderId, Sku};

named_enum! {
    /// What kind of event a line reports. The kind gives the sign.
    pub enum SaleKind ("a kind of line", "INVALID_KIND") {
        /// Goods were sold: plus in quantity and amount.
        Sale = "SALE",
        /// Goods came back: minus in quantity, nothing in amount.
        Return = "RETURN",
        /// Money was given back: minus in amount, nothing in quantity.
        Refund = "REFUND",
        /// A sale was undone before it was fulfilled: minus in both.
        Cancellation = "CANCELLATION",
        /// A correction: as written.
        Adjustment = "ADJUSTMENT",
    }
}

impl SaleKind {
    /// What lines of this kind add to nets, of what they add up to as written.
    pub fn net(self, written: Totals) -> Totals {
        let Totals { lines, quantity, amount } = written;
        let (quantity, amount) = match self {
            Self::Sale | Self::Adjustment => (quantity, amount),
            Self::Return => (negative(quantity), Decimal::ZERO),
            Self::Refund => (Decimal::ZERO, negative(amount)),
            Self::Cancellation => (negative(quantity), negative(amount)),
        };
        Totals { lines, quantity, amount }
    }

    /// Whether such a line takes back a sale and so should name it.
    pub const fn cites_a_sale(self) -> bool {
        match self {
            Self::Return | Self::Refund | Self::Cancellation => true,
            Self::Sale | Self::Adjustment => false,
        }
    }
}

/// Never minus zero.
fn negative(value: Decimal) -> Decimal {
    if value.is_zero() { Decimal::ZERO } else { -value }
}

named_enum! {
    /// Why a line that was stored is remarkable; the authorities see it.
    pub enum WarningReason ("a reason for a warning", "INVALID_FIELD") {
        /// The marketplace has no listing with the sku.
        UnknownSku = "UNKNOWN_SKU",
        /// The listing was not cleared when the line came.
        ListingNotCleared = "LISTING_NOT_CLEARED",
        /// The seller was not eligible on the line's day.
        SellerNotEligible = "SELLER_NOT_ELIGIBLE",
        /// The sale it takes back is not named or not known.
        UnknownOriginal = "UNKNOWN_ORIGINAL",
        /// It takes back more than was sold; left out of net until explained.
        ExceedsOriginal = "EXCEEDS_ORIGINAL",
        /// Its day lies outside the report's period.
        OutsidePeriod = "OUTSIDE_PERIOD",
    }
}

/// Amounts for the whole line that a marketplace may give besides, none below zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherAmounts {
    /// The discount that unit_price already holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<UnitPrice>,
    /// The tax that the buyer paid on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<UnitPrice>,
    /// The shipping that the buyer paid on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<UnitPrice>,
    /// What the platform keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_fee: Option<UnitPrice>,
    /// What the seller is paid, in [`settlement_currency`](Self::settlement_currency).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_amount: Option<UnitPrice>,
    /// Given exactly when the settlement amount is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_currency: Option<Currency>,
}

/// One line, well formed: the sign fits the kind, and the amount is exact and in range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleLine {
    /// The marketplace's number of the line, unique for ever.
    pub line_id: LineId,
    /// The order.
    pub order_id: OrderId,
    /// What happened.
    pub kind: SaleKind,
    /// The sale it is about, if not a sale itself and if known.
    #[serde(default)]
    pub original_line_id: Option<LineId>,
    /// The article.
    pub sku: Sku,
    /// Units of the listing, as written.
    pub quantity: Quantity,
    /// What the buyer paid for one, as written.
    pub unit_price: UnitPrice,
    /// The currency of it.
    pub currency: Currency,
    /// When it happened.
    pub sold_at: SoldAt,
    /// Where the buyer is, if known.
    #[serde(default)]
    pub destination: Option<Destination>,
    /// The export declaration the goods left under, if known.
    #[serde(default)]
    pub declaration: Option<DeclarationNumber>,
    /// The item of it, from 1, if known.
    #[serde(default)]
    pub declaration_item: Option<u32>,
    /// Boxed, as most lines have none.
    #[serde(default)]
    pub other_amounts: Option<Box<OtherAmounts>>,
}

/// The fields of a line as text; empty where not given.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "named as the contract's fields, which say what they are")]
pub struct RawLine<'a> {
    pub line_id: &'a str,
    pub order_id: &'a str,
    pub kind: &'a str,
    pub original_line_id: &'a str,
    pub sku: &'a str,
    pub quantity: &'a str,
    pub unit_price: &'a str,
    pub currency: &'a str,
    pub sold_at: &'a str,
    pub destination: &'a str,
    pub declaration: &'a str,
    /// 0 where not given.
    pub declaration_item: i32,
    pub discount: &'a str,
    pub tax: &'a str,
    pub shipping: &'a str,
    pub platform_fee: &'a str,
    pub settlement_amount: &'a str,
    pub settlement_currency: &'a str,
}

impl SaleLine {
    /// Parses a line; the fault names the first field that is wrong.
    ///
    /// A quantity or price of 0 is legitimate in every kind: such lines are in real data, and add
    /// nothing.
    ///
    /// # Errors
    /// `INVALID_LINE_ID`, `INVALID_KIND`, `INVALID_SKU`, `INVALID_QUANTITY`, `INVALID_PRICE`,
    /// `INVALID_CURRENCY`, `INVALID_SOLD_AT`, `INVALID_DESTINATION`, `INVALID_DECLARATION`,
    /// `AMOUNT_OUT_OF_RANGE`, else `INVALID_FIELD`.
    pub fn parse(raw: &RawLine<'_>) -> Result<Self, Fault> {
        let line_id = raw.line_id.parse().at("line_id")?;
        let order_id = raw.order_id.parse().at("order_id")?;
        let kind: SaleKind = raw.kind.parse().at("kind")?;
        let original_line_id = optional(raw.original_line_id, "original_line_id")?;
        if kind == SaleKind::Sale && original_line_id.is_some() {
            let message = "a SALE has no original_line_id; leave it empty, or give another kind";
            return Err(Fault::malformed("INVALID_FIELD", message).at("original_line_id"));
        }
        let sku = raw.sku.parse().at("sku")?;
        let quantity: Quantity = raw.quantity.parse().at("quantity")?;
        let unit_price: UnitPrice = raw.unit_price.parse().at("unit_price")?;
        if kind != SaleKind::Adjustment {
            // By the text: the contract lets no sign stand there, not even before a zero.
            let signs = [
                (raw.quantity, "INVALID_QUANTITY", "quantity"),
                (raw.unit_price, "INVALID_PRICE", "unit_price"),
            ];
            if let Some((_, reason, field)) = signs.into_iter().find(|sign| sign.0.starts_with('-'))
            {
                let message = format!(
                    "the kind {kind} gives the sign, so {field} carries none; write it without, or \
                     send an ADJUSTMENT"
                );
                return Err(Fault::malformed(reason, message).at(field));
            }
        }
        quantity.times(unit_price).at("unit_price")?;
        let currency = raw.currency.parse().at("currency")?;
        let sold_at = raw.sold_at.parse().at("sold_at")?;
        let destination = optional(raw.destination, "destination")?;
        let declaration: Option<DeclarationNumber> = optional(raw.declaration, "declaration")?;
        let declaration_item = declaration_item(raw.declaration_item, declaration.is_some())?;
        Ok(Self {
            line_id,
            order_id,
            kind,
            original_line_id,
            sku,
            quantity,
            unit_price,
            currency,
            sold_at,
            destination,
            declaration,
            declaration_item,
            other_amounts: other_amounts(raw)?,
        })
    }

    /// Quantity and amount as written, no sign from the kind: what control totals add up.
    pub fn as_written(&self) -> Totals {
        let amount = self.quantity.priced(self.unit_price);
        Totals { lines: 1, quantity: self.quantity.value(), amount }
    }

    /// Quantity and amount with the sign of the kind: what nets add up.
    pub fn signed(&self) -> Totals {
        self.kind.net(self.as_written())
    }
}

fn optional<T: std::str::FromStr<Err = Fault>>(
    text: &str,
    field: &str,
) -> Result<Option<T>, Fault> {
    if text.is_empty() { Ok(None) } else { text.parse().at(field).map(Some) }
}

fn declaration_item(item: i32, has_declaration: bool) -> Result<Option<u32>, Fault> {
    let message = match (item, has_declaration) {
        (0, _) => return Ok(None),
        (1..=9999, true) => return Ok(Some(item.unsigned_abs())),
        (1..=9999, false) => "an item needs its declaration; give both or none",
        _ => "an item of a declaration is 1 to 9,999, or 0 if not known",
    };
    Err(Fault::malformed("INVALID_DECLARATION", message).at("declaration_item"))
}

fn other_amounts(raw: &RawLine<'_>) -> Result<Option<Box<OtherAmounts>>, Fault> {
    let texts = [
        raw.discount,
        raw.tax,
        raw.shipping,
        raw.platform_fee,
        raw.settlement_amount,
        raw.settlement_currency,
    ];
    if texts.iter().all(|text| text.is_empty()) {
        return Ok(None);
    }
    let money = |text: &str, field: &str| {
        // By the text, as in quantity and price.
        if text.starts_with('-') {
            let message = format!("{field} is never below zero; write it without a sign");
            return Err(Fault::malformed("INVALID_FIELD", message).at(field));
        }
        let parsed: Result<Option<UnitPrice>, Fault> = optional(text, field);
        // The contract has one word for faults in these.
        parsed.map_err(|fault| Fault { reason: "INVALID_FIELD", ..fault })
    };
    let amounts = OtherAmounts {
        discount: money(raw.discount, "discount")?,
        tax: money(raw.tax, "tax")?,
        shipping: money(raw.shipping, "shipping")?,
        platform_fee: money(raw.platform_fee, "platform_fee")?,
        settlement_amount: money(raw.settlement_amount, "settlement_amount")?,
        settlement_currency: optional(raw.settlement_currency, "settlement_currency")?,
    };
    let missing = match (amounts.settlement_amount, amounts.settlement_currency) {
        (Some(_), None) => Some("settlement_currency"),
        (None, Some(_)) => Some("settlement_amount"),
        (Some(_), Some(_)) | (None, None) => None,
    };
    if let Some(field) = missing {
        let message = "settlement_amount and settlement_currency come together; give both or none";
        return Err(Fault::malformed("INVALID_FIELD", message).at(field));
    }
    Ok(Some(Box::new(amounts)))
}

#[cfg(test)]
#[path = "sale_tests.rs"]
mod tests;
