//! Exact decimals: quantities, prices, amounts, factors, totals.
//!
//! Enters: decimal text with a point. Leaves: exact values; a result that does not fit is a
//! fault, never rounded. It must not know currencies or kinds of sale.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::wording::quoted;

/// The most that the amount of one line may come to, exclusive; with ten decimals, sums over
/// millions of such lines stay within the 28 digits of an exact decimal.
const AMOUNT_BOUND: i128 = 10_000_000_000_000;
/// Digits that an amount may have after the point.
const AMOUNT_DECIMALS: u32 = 10;

/// A type that holds an exact decimal, and that prints without trailing zeros.
macro_rules! exact {
    ($(#[$meta:meta])* $Name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Name(Decimal);

        impl $Name {
            /// Zero.
            pub const ZERO: Self = Self(Decimal::ZERO);

            /// The exact value, without trailing zeros.
            pub const fn value(self) -> Decimal {
                self.0
            }

            /// Whether it is below zero.
            pub fn is_negative(self) -> bool {
                self.0 < Decimal::ZERO
            }

            /// Whether it is zero.
            pub fn is_zero(self) -> bool {
                self.0.is_zero()
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_plain(self.0, f)
            }
        }

        serde_as_text!($Name);
    };
}

macro_rules! from_decimal_text {
    ($Name:ident, $reason:literal, $integer_digits:literal, $decimals:literal) => {
        impl FromStr for $Name {
            type Err = Fault;

            fn from_str(text: &str) -> Result<Self, Fault> {
                parse(text, $reason, $integer_digits, $decimals).map(Self)
            }
        }
    };
}

exact! {
    /// How many units of the listing; signed, as an adjustment may take away.
    Quantity
}
from_decimal_text!(Quantity, "INVALID_QUANTITY", 12, 6);

exact! {
    /// What the buyer paid for one unit, tax and shipping apart; signed, as an adjustment may
    /// give back.
    UnitPrice
}
from_decimal_text!(UnitPrice, "INVALID_PRICE", 12, 10);

exact! {
    /// An amount of money in some currency; the exact product or sum of what it came from.
    Amount
}

from_decimal_text!(Amount, "INVALID_FIELD", 18, 10);

exact! {
    /// How many statistical units (litres, kilograms) are in one selling unit; above zero.
    Factor
}

impl FromStr for Factor {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let value = parse(text, "INVALID_FIELD", 12, 10)?;
        if value <= Decimal::ZERO {
            return Err(Fault::malformed(
                "INVALID_FIELD",
                format!(
                    "a factor is above zero, not {value}: say how many statistical units are \
                         in one selling unit, as 0.75"
                ),
            ));
        }
        Ok(Self(value))
    }
}

impl Quantity {
    /// A whole number of units.
    pub fn whole(units: u32) -> Self {
        Self(Decimal::from(units))
    }

    /// From a value computed elsewhere, such as a column of a store; trailing zeros go.
    pub fn of(value: Decimal) -> Self {
        Self(value.normalize())
    }

    /// Exactly this many units at `price`.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if the exact product is 10,000,000,000,000 or more, or has more
    /// than ten decimals.
    pub fn times(self, price: UnitPrice) -> Result<Amount, Fault> {
        multiply(self.0, price.0)
            .filter(|product| {
                product.scale() <= AMOUNT_DECIMALS
                    && product.mantissa().abs() < AMOUNT_BOUND * 10i128.pow(product.scale())
            })
            .map(Amount)
            .ok_or_else(|| {
                Fault::malformed(
                    "AMOUNT_OUT_OF_RANGE",
                    "quantity x unit_price must be below 10,000,000,000,000 and have at most 10 \
                     decimals, as amounts are never rounded; check both, or split the line",
                )
            })
    }

    /// The amount of this many units of a line that was parsed, of which [`times`](Self::times)
    /// has seen that it is exact.
    pub fn priced(self, price: UnitPrice) -> Decimal {
        multiply(self.0, price.0).unwrap_or_else(|| (self.0 * price.0).normalize())
    }

    /// Exactly this many selling units in statistical units.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if the exact product has more than 28 digits.
    pub fn in_statistical_units(self, factor: Factor) -> Result<Quantity, Fault> {
        multiply(self.0, factor.0).map(Self).ok_or_else(overflow)
    }

    /// The exact sum.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if it has more than 28 digits.
    pub fn plus(self, other: Self) -> Result<Self, Fault> {
        add(self.0, other.0).map(Self).ok_or_else(overflow)
    }
}

impl Amount {
    /// From a value computed elsewhere, such as a column of a store; trailing zeros go.
    pub fn of(value: Decimal) -> Self {
        Self(value.normalize())
    }

    /// The exact sum.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if it has more than 28 digits.
    pub fn plus(self, other: Self) -> Result<Self, Fault> {
        add(self.0, other.0).map(Self).ok_or_else(overflow)
    }
}

impl std::ops::Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self(if self.0.is_zero() { self.0 } else { -self.0 })
    }
}

impl std::ops::Neg for Amount {
    type Output = Self;

    fn neg(self) -> Self {
        Self(if self.0.is_zero() { self.0 } else { -self.0 })
    }
}

/// Lines counted, with their quantities and amounts added up exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// How many lines.
    pub lines: u64,
    /// Sum of the quantities.
    pub quantity: Decimal,
    /// Sum of the amounts.
    pub amount: Decimal,
}

impl Totals {
    /// These and `other` together.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` if a sum does not fit 28 digits.
    pub fn plus(self, other: Self) -> Result<Self, Fault> {
        Ok(Self {
            lines: self.lines.checked_add(other.lines).ok_or_else(overflow)?,
            quantity: exact_sum(self.quantity, other.quantity)?,
            amount: exact_sum(self.amount, other.amount)?,
        })
    }
}

/// The exact sum, without trailing zeros. (`Decimal`'s own addition rounds where it does not fit.)
///
/// # Errors
/// `AMOUNT_OUT_OF_RANGE` if it has more than 28 digits.
pub fn exact_sum(a: Decimal, b: Decimal) -> Result<Decimal, Fault> {
    add(a, b).ok_or_else(overflow)
}

/// As `Decimal` prints it. Nearly all fit 64 bits, of which the digits are found much faster.
fn write_plain(value: Decimal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let scale = value.scale() as usize;
    let plain = f.width().is_none() && f.precision().is_none() && !f.sign_plus();
    let mut rest = match i64::try_from(value.mantissa()) {
        Ok(mantissa) if plain && scale <= 20 && !value.is_zero() => mantissa.unsigned_abs(),
        Ok(_) | Err(_) => return fmt::Display::fmt(&value, f),
    };
    let mut text = [b'0'; 44];
    let mut at = text.len();
    let mut digits = 0;
    // All decimals, and at least one digit before the point.
    while rest > 0 || digits <= scale {
        if digits == scale && scale > 0 {
            at -= 1;
            text[at] = b'.';
        }
        at -= 1;
        text[at] += (rest % 10) as u8;
        rest /= 10;
        digits += 1;
    }
    if value.is_sign_negative() {
        at -= 1;
        text[at] = b'-';
    }
    f.write_str(std::str::from_utf8(&text[at..]).unwrap_or_default())
}

/// `-?digits(.digits)?` with at most so many digits on each side, 28 in all.
fn parse(
    text: &str,
    reason: &'static str,
    integer_digits: usize,
    decimals: usize,
) -> Result<Decimal, Fault> {
    let refuse = || Err(malformed(text, reason, integer_digits, decimals));
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.as_bytes()),
        None => (false, text.as_bytes()),
    };
    if digits.len() > integer_digits + 1 + decimals {
        return refuse();
    }
    // At most 29 digits follow: far from the end of an i128.
    let mut mantissa: i128 = 0;
    let mut point = None;
    for (i, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + i128::from(byte - b'0');
            }
            b'.' if point.is_none() && i > 0 => point = Some(i),
            _ => return refuse(),
        }
    }
    let (before, after) = match point {
        Some(at) => (at, digits.len() - at - 1),
        None => (digits.len(), 0),
    };
    let sound = (1..=integer_digits).contains(&before)
        && after <= decimals
        && (point.is_none() || after > 0);
    if !sound {
        return refuse();
    }
    build(if negative { -mantissa } else { mantissa }, after as u32).ok_or_else(overflow)
}

/// The decimal of this mantissa and scale without trailing zeros; `None` beyond 96 bits.
pub(super) fn build(mut mantissa: i128, mut scale: u32) -> Option<Decimal> {
    // Nearly all fit 64 bits, in which dividing is much cheaper.
    if let Ok(mut small) = i64::try_from(mantissa) {
        while scale > 0 && small % 10 == 0 {
            small /= 10;
            scale -= 1;
        }
        mantissa = i128::from(small);
    }
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

/// The exact product; `None` beyond 96 bits.
fn multiply(a: Decimal, b: Decimal) -> Option<Decimal> {
    build(a.mantissa().checked_mul(b.mantissa())?, a.scale() + b.scale())
}

/// The exact sum; `None` beyond 96 bits. (`Decimal`'s own addition would round there.)
fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale().max(b.scale());
    let widen = |x: Decimal| match scale - x.scale() {
        0 => Some(x.mantissa()),
        more => 10i128.checked_pow(more)?.checked_mul(x.mantissa()),
    };
    build(widen(a)?.checked_add(widen(b)?)?, scale)
}

fn malformed(text: &str, reason: &'static str, integer_digits: usize, decimals: usize) -> Fault {
    Fault::malformed(
        reason,
        format!(
            "{} is not a decimal number; write digits with a point, at most {integer_digits} \
             before it and {decimals} after it, no exponent, no separators, as 1234.5",
            quoted(text)
        ),
    )
}

/// A sum or product that no decimal holds.
pub(super) fn overflow() -> Fault {
    Fault::malformed(
        "AMOUNT_OUT_OF_RANGE",
        "the exact sum has more than 28 digits; check the quantities and prices of the lines",
    )
}

#[cfg(test)]
#[path = "decimal_tests.rs"]
mod tests;
