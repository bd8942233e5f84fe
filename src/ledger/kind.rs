//! The kinds of thing the ledger records.
//!
//! Enters and leaves: the dotted text of a kind (`listing.cleared`), which is part of the
//! leaf and so never changes its meaning once used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What kind of thing an entry records.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum EntryKind {
            $($(#[$doc])* $variant,)*
        }

        impl EntryKind {
            /// Every kind, in the order of this list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text that stands in the leaf.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl FromStr for EntryKind {
            type Err = UnknownKind;

            fn from_str(text: &str) -> Result<Self, UnknownKind> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(UnknownKind),
                }
            }
        }
    };
}

kinds! {
    /// The first entry: this ledger begins here.
    LedgerOrigin = "ledger.origin",
    /// A partner was registered.
    PartnerCreated = "partner.created",
    /// A partner's record was changed.
    PartnerUpdated = "partner.updated",
    /// A partner may no longer call.
    PartnerSuspended = "partner.suspended",
    /// A suspended partner may call again.
    PartnerReinstated = "partner.reinstated",
    /// A certificate's attribute now names this partner.
    PartnerIdentityBound = "partner.identity_bound",
    /// A certificate's attribute no longer names this partner.
    PartnerIdentityUnbound = "partner.identity_unbound",
    /// A partner's scopes were set.
    PartnerGranted = "partner.granted",
    /// The registry sent its list of exporters, whole or in part.
    ExportersSynced = "exporters.synced",
    /// The registry recorded one exporter's eligibility.
    EligibilityRecorded = "eligibility.recorded",
    /// A seller was put before the registry.
    VerificationRequested = "verification.requested",
    /// The registry answered about a seller.
    VerificationDecided = "verification.decided",
    /// A listing was written for the first time.
    ListingCreated = "listing.created",
    /// A listing got a new revision.
    ListingUpdated = "listing.updated",
    /// A marketplace sent many listings at once; counts say what became of them.
    ListingsBatched = "listings.batched",
    /// A listing was put before the authorities.
    ListingSubmitted = "listing.submitted",
    /// An authority cleared a listing for its part.
    ListingCleared = "listing.cleared",
    /// An authority refused a listing.
    ListingRefused = "listing.refused",
    /// An authority asked for more about a listing.
    ListingInfoRequested = "listing.info_requested",
    /// A listing may not be sold for now.
    ListingSuspended = "listing.suspended",
    /// A suspended listing may be sold again.
    ListingReinstated = "listing.reinstated",
    /// Listings were judged anew, because a certificate of theirs ended or other rules hold; the
    /// entry names those that changed.
    ListingsJudged = "listings.judged",
    /// The marketplace took a listing back.
    ListingWithdrawn = "listing.withdrawn",
    /// Customs registered an export declaration.
    DeclarationRegistered = "declaration.registered",
    /// Customs sent many export declarations at once; counts say what became of them.
    DeclarationsBatched = "declarations.batched",
    /// What an export declaration says was changed.
    DeclarationAmended = "declaration.amended",
    /// Goods left under an export declaration.
    ShipmentRecorded = "shipment.recorded",
    /// Customs sent many shipments at once; counts say what became of them.
    ShipmentsBatched = "shipments.batched",
    /// An exporter delegated to a broker.
    DelegationRecorded = "delegation.recorded",
    /// An exporter took a delegation back.
    DelegationRevoked = "delegation.revoked",
    /// Customs explained part of where an item of a declaration stands.
    DiscrepancyExplained = "discrepancy.explained",
    /// Customs handed a difference on to be looked into.
    DiscrepancyEscalated = "discrepancy.escalated",
    /// Sales were matched by hand to an item of a declaration, or given back.
    SalesRematched = "sales.rematched",
    /// Stock of an item was not sold or brought back in time.
    ItemOverdue = "item.overdue",
    /// Proceeds of an exported item were reported to be settled.
    SettlementRecorded = "settlement.recorded",
    /// The time to settle the proceeds of an exported item is over.
    SettlementOverdue = "settlement.overdue",
    /// Other terms hold for settlements that are open, or ones of before got theirs; the entry names
    /// them.
    SettlementsJudged = "settlements.judged",
    /// A sales report was opened.
    ReportOpened = "report.opened",
    /// A sales report was sealed with its control totals.
    ReportSealed = "report.sealed",
    /// A revision of a sealed sales report was opened.
    ReportRevised = "report.revised",
    /// A sales report was left open for too long: nothing of it counts.
    ReportAbandoned = "report.abandoned",
    /// Sale lines were taken into a report.
    LinesAppended = "lines.appended",
    /// A line that exceeds its sale was explained, and counts from then on.
    LineExplained = "line.explained",
    /// Stored lines are marked: their seller was not eligible, as is known since a late fact.
    LinesMarked = "lines.marked",
    /// Every line that some late facts bear on is marked.
    LateFactsSettled = "late_facts.settled",
    /// Months were closed: they take no more sale lines.
    PeriodClosed = "period.closed",
    /// A certificate's issuer lets it hold for longer; the entry names the listings that carry it.
    CertificateExtended = "certificate.extended",
    /// The calendar changed what an exporter is: a fact of its eligibility began or ended.
    EligibilityTurned = "eligibility.turned",
    /// A reference table got a new version.
    RulesLoaded = "rules.loaded",
    /// Everything that was decided before has been judged by the table as loaded.
    RulesApplied = "rules.applied",
    /// A token was revoked.
    TokenRevoked = "token.revoked",
    /// A key that signs tokens was made.
    SigningKeyCreated = "signing_key.created",
    /// A key that signs tokens is no longer accepted.
    SigningKeyRetired = "signing_key.retired",
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for EntryKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EntryKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The text names no kind this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of ledger entry")]
pub struct UnknownKind;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back() {
        for kind in EntryKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(*kind));
        }
        assert_eq!("listing.vanished".parse::<EntryKind>(), Err(UnknownKind));
    }
}
