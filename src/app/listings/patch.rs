//! Partial changes of an offer.
//!
//! Enters: the fields that a marketplace names. Leaves: the offer with them in place.

use crate::domain::certificate::Certificate;
use crate::domain::currency::Currency;
use crate::domain::decimal::{Factor, UnitPrice};
use crate::domain::gtin::Gtin;
use crate::domain::listing::{Channel, EntryMode, Offer};
use crate::domain::ncm::NcmCode;
use crate::domain::place::Destination;
use crate::domain::text::{Name, Title};
use crate::domain::unit::Unit;

/// What to change of an offer; `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferPatch {
    /// See [`Offer::title`].
    pub title: Option<Title>,
    /// See [`Offer::ncm`].
    pub ncm: Option<NcmCode>,
    /// See [`Offer::gtin`].
    pub gtin: Option<Option<Gtin>>,
    /// See [`Offer::channel`].
    pub channel: Option<Channel>,
    /// See [`Offer::unit`].
    pub unit: Option<Unit>,
    /// See [`Offer::statistical_unit`].
    pub statistical_unit: Option<Unit>,
    /// See [`Offer::statistical_factor`].
    pub statistical_factor: Option<Factor>,
    /// See [`Offer::price`].
    pub price: Option<UnitPrice>,
    /// See [`Offer::currency`].
    pub currency: Option<Currency>,
    /// See [`Offer::certificates`].
    pub certificates: Option<Vec<Certificate>>,
    /// See [`Offer::destination`].
    pub destination: Option<Option<Destination>>,
    /// See [`Offer::producer`].
    pub producer: Option<Option<Name>>,
    /// See [`Offer::origin`].
    pub origin: Option<Option<Destination>>,
    /// See [`Offer::entry_mode`].
    pub entry_mode: Option<Option<EntryMode>>,
}

impl OfferPatch {
    /// `offer` with what is named here in place.
    pub fn apply(&self, offer: &Offer) -> Offer {
        fn or<T: Clone>(new: &Option<T>, old: &T) -> T {
            new.as_ref().unwrap_or(old).clone()
        }
        Offer {
            title: or(&self.title, &offer.title),
            ncm: or(&self.ncm, &offer.ncm),
            gtin: or(&self.gtin, &offer.gtin),
            channel: or(&self.channel, &offer.channel),
            unit: or(&self.unit, &offer.unit),
            statistical_unit: or(&self.statistical_unit, &offer.statistical_unit),
            statistical_factor: or(&self.statistical_factor, &offer.statistical_factor),
            price: or(&self.price, &offer.price),
            currency: or(&self.currency, &offer.currency),
            certificates: or(&self.certificates, &offer.certificates),
            destination: or(&self.destination, &offer.destination),
            producer: or(&self.producer, &offer.producer),
            origin: or(&self.origin, &offer.origin),
            entry_mode: or(&self.entry_mode, &offer.entry_mode),
        }
    }
}
