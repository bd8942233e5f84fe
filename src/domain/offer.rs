//! What a marketplace says of a product, and which changes of it must be cleared anew.
//!
//! Enters: parsed values. Leaves: an [`Offer`]. It must not know how far clearance is.

use serde::{Deserialize, Serialize};

use super::certificate::Certificate;
use super::currency::Currency;
use super::decimal::{Factor, UnitPrice};
use super::gtin::Gtin;
use super::ncm::NcmCode;
use super::place::Destination;
use super::text::{Name, Title};
use super::unit::Unit;

named_enum! {
    /// Through which shop of the marketplace a product is sold.
    pub enum Channel ("a channel", "INVALID_FIELD") {
        /// The country's own official store on the platform.
        OfficialStore = "OFFICIAL_STORE",
        /// A store of the seller or of its distributor.
        SellerStore = "SELLER_STORE",
    }
}

named_enum! {
    /// How goods sold across the border come to the buyer, as China's customs tells apart.
    pub enum EntryMode ("a mode of entry", "INVALID_FIELD") {
        /// Sold from a bonded warehouse in the country of destination (mode 1210).
        Bonded = "BONDED",
        /// Sent to the buyer one by one from abroad (mode 9610).
        DirectMail = "DIRECT_MAIL",
    }
}

/// What a marketplace says of a product, and can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What buyers read.
    pub title: Title,
    /// The tariff code.
    pub ncm: NcmCode,
    /// The bar code.
    #[serde(default)]
    pub gtin: Option<Gtin>,
    /// Through which shop it is sold.
    pub channel: Channel,
    /// The unit that is sold.
    pub unit: Unit,
    /// The unit that statistics count in.
    pub statistical_unit: Unit,
    /// Statistical units in one unit sold.
    pub statistical_factor: Factor,
    /// The price of one unit, not negative.
    pub price: UnitPrice,
    /// The currency of it.
    pub currency: Currency,
    /// The certificates that the goods carry.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// Where it is meant to be sold.
    #[serde(default)]
    pub destination: Option<Destination>,
    /// Who made it.
    #[serde(default)]
    pub producer: Option<Name>,
    /// Where it was made.
    #[serde(default)]
    pub origin: Option<Destination>,
    /// How the goods come to the buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_mode: Option<EntryMode>,
}

impl Offer {
    /// Whether a change from `self` to `other` must be cleared anew: tariff code, bar code,
    /// producer, origin, country of destination and mode of entry (which ask for certificates of
    /// their own), or certificates other than by a later last day.
    pub fn needs_new_clearance(&self, other: &Self) -> bool {
        let country = |offer: &Self| offer.destination.map(|destination| destination.country());
        self.ncm != other.ncm
            || country(self) != country(other)
            || self.entry_mode != other.entry_mode
            || self.gtin != other.gtin
            || self.producer != other.producer
            || self.origin != other.origin
            || !renewed(&self.certificates, &other.certificates)
    }
}

/// Whether both are the same certificates, each with the same or a later last day.
fn renewed(before: &[Certificate], after: &[Certificate]) -> bool {
    let pairs = |one: &Certificate, other: &Certificate| {
        one.issuer() == other.issuer() && one.number() == other.number()
    };
    before.len() == after.len()
        && before
            .iter()
            .all(|old| after.iter().any(|new| pairs(old, new) && new.valid_to() >= old.valid_to()))
        && after.iter().all(|new| before.iter().any(|old| pairs(old, new)))
}
