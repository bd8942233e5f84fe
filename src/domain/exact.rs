//! Sums and products in the making: exact, and wider than what a decimal holds.
//!
//! Enters: decimals. Leaves: a decimal, either the exact value or one rounded once, at the end.

use rust_decimal::Decimal;

use super::decimal::{build, overflow};
use super::fault::Fault;

/// A value on its way: `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exact {
    mantissa: i128,
    scale: u32,
}

impl Exact {
    /// The value of these digits, the last `scale` of them after the point.
    pub const fn new(mantissa: i128, scale: u32) -> Self {
        Self { mantissa, scale }
    }

    /// The value of a decimal.
    pub fn of(value: Decimal) -> Self {
        Self { mantissa: value.mantissa(), scale: value.scale() }
    }

    /// The exact sum.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` beyond 38 digits.
    pub fn plus(self, other: Self) -> Result<Self, Fault> {
        let scale = self.scale.max(other.scale);
        let (one, another) = (self.at(scale)?, other.at(scale)?);
        let mantissa = one.checked_add(another).ok_or_else(overflow)?;
        Ok(Self { mantissa, scale })
    }

    /// The exact product.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` beyond 38 digits.
    pub fn times(self, factor: Decimal) -> Result<Self, Fault> {
        let mantissa = self.mantissa.checked_mul(factor.mantissa()).ok_or_else(overflow)?;
        Ok(Self { mantissa, scale: self.scale + factor.scale() })
    }

    /// The digits when `scale` of them stand after the point, which must not be fewer than now.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` beyond 38 digits.
    pub fn at(self, scale: u32) -> Result<i128, Fault> {
        self.digits(scale).ok_or_else(overflow)
    }

    /// The same; `None` beyond 38 digits, or where `scale` digits do not hold all of it.
    #[inline]
    pub fn digits(self, scale: u32) -> Option<i128> {
        if scale == self.scale {
            return Some(self.mantissa);
        }
        let widening = 10i128.checked_pow(scale.checked_sub(self.scale)?)?;
        self.mantissa.checked_mul(widening)
    }

    /// How many digits stand after the point.
    pub fn scale(self) -> u32 {
        self.scale
    }

    /// The exact value, without trailing zeros.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` beyond 28 digits.
    pub fn decimal(self) -> Result<Decimal, Fault> {
        build(self.mantissa, self.scale).ok_or_else(overflow)
    }

    /// The value rounded half to even to `decimals`, without trailing zeros.
    ///
    /// # Errors
    /// `AMOUNT_OUT_OF_RANGE` beyond 28 digits.
    pub fn rounded(self, decimals: u32) -> Result<Decimal, Fault> {
        if self.scale <= decimals {
            return self.decimal();
        }
        let Some(unit) = 10i128.checked_pow(self.scale - decimals) else {
            // Fewer digits than places: nothing is left.
            return Ok(Decimal::ZERO);
        };
        let (whole, rest) = (self.mantissa.div_euclid(unit), self.mantissa.rem_euclid(unit));
        let up = match (rest * 2).cmp(&unit) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => whole.rem_euclid(2),
            std::cmp::Ordering::Greater => 1,
        };
        build(whole + up, decimals).ok_or_else(overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::of(text.parse().unwrap())
    }

    #[test]
    fn sums_and_products_are_exact() {
        let product = exact("12345678901234.5678").times("0.1389000001".parse().unwrap()).unwrap();
        let sum = product.plus(exact("0.00005")).unwrap();
        assert_eq!(sum.decimal().unwrap().to_string(), "1714814800616.04940754345678");
        assert!(Exact::new(i128::MAX, 0).plus(exact("1")).is_err());
        assert!(Exact::new(i128::MAX, 0).decimal().is_err());
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        for (value, rounded) in [
            ("0.00005", "0"),
            ("0.00015", "0.0002"),
            ("0.000150001", "0.0002"),
            ("0.00025", "0.0002"),
            ("-0.00005", "0"),
            ("-0.00015", "-0.0002"),
            ("-1.23456", "-1.2346"),
            ("7", "7"),
        ] {
            assert_eq!(exact(value).rounded(4).unwrap().to_string(), rounded, "{value}");
        }
        assert_eq!(Exact::new(5, 60).rounded(4).unwrap(), Decimal::ZERO);
    }
}
