//! What sales say they belong to, as text.
//!
//! Enters: names and their canonical text. Leaves: the other of the two.

use std::fmt;
use std::str::FromStr;

use super::{ItemKey, Named};
use crate::domain::fault::Fault;

/// `NUMBER/ITEM`, the item in four digits: as items of declarations are kept.
impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:04}", self.declaration, self.item)
    }
}

/// An item's key, a declaration's number, or nothing at all.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(key) => fmt::Display::fmt(key, f),
            Self::Declaration(number) => fmt::Display::fmt(number, f),
            Self::Nothing => Ok(()),
        }
    }
}

impl FromStr for Named {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match text.split_once('/') {
            None if text.is_empty() => Ok(Self::Nothing),
            None => text.parse().map(Self::Declaration),
            Some((number, item)) => {
                let item = item.parse().map_err(|_not_a_number| {
                    Fault::malformed("INVALID_FIELD", "an item is a declaration and a number")
                })?;
                Ok(Self::Item(ItemKey { declaration: number.parse()?, item }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for text in ["", "18817EC08028500L", "18817EC08028500L/0007", "18817EC08028500L/9999"] {
            assert_eq!(text.parse::<Named>().unwrap().to_string(), text);
        }
        for text in ["18817", "18817EC08028500L/", "18817EC08028500L/x", "/0001"] {
            assert!(text.parse::<Named>().is_err(), "{text}");
        }
    }
}
