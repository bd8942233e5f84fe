//! Scopes: what a token may be used for, and sets of them.
//!
//! Enters: scope names in their dotted form. Leaves: [`Scope`] and [`ScopeSet`]. Which role may
//! hold which scope stands in [`partner`](super::partner); which method needs which, in the proto.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fault::Fault;

named_enum! {
    /// One permission, as it stands in tokens and in the proto's access rules.
    pub enum Scope ("a scope of this gateway", "UNKNOWN_SCOPE") {
        /// Ask whether a seller is eligible; put a seller into the registry's queue.
        SellersVerify = "sellers.verify",
        /// Read sellers and verifications.
        SellersRead = "sellers.read",
        /// Keep exporters and their eligibility; decide verifications.
        RegistryWrite = "registry.write",
        /// Offer, change, submit and withdraw listings.
        ListingsWrite = "listings.write",
        /// Read listings.
        ListingsRead = "listings.read",
        /// Clear or refuse listings, each authority for its part.
        ClearanceDecide = "clearance.decide",
        /// Register declarations and shipments.
        CustomsWrite = "customs.write",
        /// Read declarations and their reconciliation.
        CustomsRead = "customs.read",
        /// Open, fill and seal sales reports.
        SalesWrite = "sales.write",
        /// Read sales reports and their lines.
        SalesRead = "sales.read",
        /// Close a statistical period.
        PeriodsClose = "periods.close",
        /// Read aggregates.
        AnalyticsRead = "analytics.read",
        /// Load rule and reference tables.
        RulesWrite = "rules.write",
        /// Keep partners, grants and certificates.
        PartnersAdmin = "partners.admin",
        /// Read and prove the whole ledger.
        LedgerRead = "ledger.read",
        /// Watch the entries that concern the caller.
        EventsRead = "events.read",
        /// Read code tables.
        ReferenceRead = "reference.read",
    }
}

impl Scope {
    /// Whether the scope lets its holder change something; such a holder may ask for proofs of
    /// its own entries.
    pub const fn is_write(self) -> bool {
        match self {
            Self::RegistryWrite
            | Self::ListingsWrite
            | Self::ClearanceDecide
            | Self::CustomsWrite
            | Self::SalesWrite
            | Self::PeriodsClose
            | Self::RulesWrite
            | Self::PartnersAdmin => true,
            Self::SellersVerify
            | Self::SellersRead
            | Self::ListingsRead
            | Self::CustomsRead
            | Self::SalesRead
            | Self::AnalyticsRead
            | Self::LedgerRead
            | Self::EventsRead
            | Self::ReferenceRead => false,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of scopes; printed and parsed in OAuth's form, names parted by single spaces.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(u32);

impl ScopeSet {
    /// No scope at all.
    pub const EMPTY: Self = Self(0);

    /// The set of these scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < scopes.len() {
            bits |= scopes[i].bit();
            i += 1;
        }
        Self(bits)
    }

    /// Whether the set holds `scope`.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Adds `scope`; false if it was there already.
    pub fn insert(&mut self, scope: Scope) -> bool {
        let fresh = !self.contains(scope);
        self.0 |= scope.bit();
        fresh
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }

    /// Whether every scope of this set is in `other` too.
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The scopes of this set that `other` lacks.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The scopes in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether any of them lets its holder change something.
    pub fn any_write(self) -> bool {
        self.iter().any(Scope::is_write)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::EMPTY;
        scopes.into_iter().for_each(|scope| {
            set.insert(scope);
        });
        set
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// Reads OAuth's form (RFC 6749, 3.3); unknown and repeated names are refused, the empty text is
/// the empty set.
impl FromStr for ScopeSet {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let mut set = Self::EMPTY;
        if text.is_empty() {
            return Ok(set);
        }
        for name in text.split(' ') {
            if name.is_empty() {
                return Err(Fault::malformed(
                    "MALFORMED_SCOPE",
                    "scopes are parted by exactly one space, with none before or after",
                ));
            }
            let scope: Scope = name.parse()?;
            if !set.insert(scope) {
                return Err(Fault::malformed(
                    "DUPLICATE_SCOPE",
                    format!("the scope {scope} is given twice; give it once"),
                ));
            }
        }
        Ok(set)
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = ScopeSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of scopes, none twice")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ScopeSet, A::Error> {
                let mut set = ScopeSet::EMPTY;
                while let Some(scope) = list.next_element::<Scope>()? {
                    if !set.insert(scope) {
                        return Err(de::Error::custom(format!("the scope {scope} is given twice")));
                    }
                }
                Ok(set)
            }
        }
        from.deserialize_seq(List)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_prints_to_what_it_was_parsed_from(bits in 0u32..(1 << Scope::ALL.len())) {
            let set = ScopeSet(bits);
            prop_assert_eq!(set.to_string().parse::<ScopeSet>().unwrap(), set);
            let json = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(serde_json::from_str::<ScopeSet>(&json).unwrap(), set);
        }
    }

    #[test]
    fn unknown_and_repeated_scopes_are_refused_by_name() {
        let unknown = "sales.read sales.eat".parse::<ScopeSet>().unwrap_err();
        assert_eq!(unknown.reason, "UNKNOWN_SCOPE");
        assert!(unknown.message.contains("sales.eat"), "{unknown}");
        assert_eq!(
            "sales.read sales.read".parse::<ScopeSet>().unwrap_err().reason,
            "DUPLICATE_SCOPE"
        );
        for text in [" ", "sales.read  sales.write", "sales.read "] {
            assert_eq!(text.parse::<ScopeSet>().unwrap_err().reason, "MALFORMED_SCOPE");
        }
    }
}
