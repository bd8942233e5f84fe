//! A change as data: what a use case wants written, under which conditions, and
//! what the ledger and the caller are told of it.
//!
//! Enters: nothing; use cases build these values. Leaves: nothing; the store
//! applies them. It knows no SQL and no transport.

mod batch;
mod due;

use std::sync::Arc;

pub use batch::{
    CellKey, Goods, LineBatch, LineListing, LineRow, LineTexts, OrderCounts, ReadyLine,
};
pub use due::{NEVER, due};

use crate::domain::explanation::Explanation;
use crate::domain::partner::PartnerId;
use crate::domain::reconciliation::Rematch;
use crate::domain::request_id::RequestId;
use crate::ledger::{Draft, Receipt};

/// The kinds of documents a store keeps, each in a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A partner; key is its id.
    Partner,
    /// An exporter with its eligibility facts; key is the CUIT.
    Exporter,
    /// A request to verify a seller; key is a UUID.
    Verification,
    /// A listing; key is a UUID derived from marketplace and sku.
    Listing,
    /// An export declaration without its items; key is its number.
    Declaration,
    /// An item of an export declaration; key is `NUMBER/ITEM`, the item in four digits, and its
    /// owner is the marketplace of its listing.
    DeclarationItem,
    /// What an exporter delegated to a broker; key is a UUID, its owner is the broker.
    Delegation,
    /// A fact about an exporter that became known after it took effect; key is a UUID.
    LateFact,
    /// Lines of a report that a late fact bears on; key is `FACT/REPORT/PART`, and its owner is the
    /// report's marketplace.
    Marks,
    /// What customs found about an item, or about a listing's undeclared sales; key is theirs.
    Finding,
    /// What an exporter used of bounded regimes in a year; key is `CUIT/YEAR/CURRENCY`.
    RegimeYear,
    /// The settlement of an item of a declaration; key is that of the item.
    Settlement,
    /// A sales report; key is a UUID derived from marketplace, period and revision.
    Report,
    /// A month that takes no more sale lines; key is `YYYY-MM`.
    ClosedMonth,
    /// A reference table in one version; key is the table's name.
    ReferenceTable,
    /// A revoked token; key is its `jti`.
    Revocation,
}

/// Every kind, for suites and migrations' checks.
pub const KINDS: [Kind; 16] = [
    Kind::Partner,
    Kind::Exporter,
    Kind::Verification,
    Kind::Listing,
    Kind::Declaration,
    Kind::DeclarationItem,
    Kind::Delegation,
    Kind::LateFact,
    Kind::Marks,
    Kind::Finding,
    Kind::RegimeYear,
    Kind::Settlement,
    Kind::Report,
    Kind::ClosedMonth,
    Kind::ReferenceTable,
    Kind::Revocation,
];

impl Kind {
    /// The table that keeps documents of this kind.
    pub fn table(self) -> &'static str {
        match self {
            Kind::Partner => "partners",
            Kind::Exporter => "exporters",
            Kind::Verification => "verifications",
            Kind::Listing => "listings",
            Kind::Declaration => "declarations",
            Kind::DeclarationItem => "declaration_items",
            Kind::Delegation => "delegations",
            Kind::LateFact => "late_facts",
            Kind::Marks => "marks",
            Kind::Finding => "findings",
            Kind::RegimeYear => "regime_years",
            Kind::Settlement => "settlements",
            Kind::Report => "sales_reports",
            Kind::ClosedMonth => "closed_months",
            Kind::ReferenceTable => "reference_tables",
            Kind::Revocation => "revocations",
        }
    }

    /// The collection in the resource names of the API.
    pub fn collection(self) -> &'static str {
        match self {
            Kind::Partner => "partners",
            Kind::Exporter => "exporters",
            Kind::Verification => "verifications",
            Kind::Listing => "listings",
            Kind::Declaration => "declarations",
            Kind::DeclarationItem => "declarationItems",
            Kind::Delegation => "delegations",
            Kind::LateFact => "lateFacts",
            Kind::Marks => "marks",
            Kind::Finding => "findings",
            Kind::RegimeYear => "regimeYears",
            Kind::Settlement => "settlements",
            Kind::Report => "salesReports",
            Kind::ClosedMonth => "closedPeriods",
            Kind::ReferenceTable => "referenceTables",
            Kind::Revocation => "revocations",
        }
    }

    /// Columns by which documents of this kind can be filtered, beside `owner` and `state`.
    /// `due` is the day on which the calendar alone changes something of it, see [`due`].
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Kind::Partner => &["role"],
            Kind::Exporter => &["province", "size_class", "due"],
            Kind::Verification => &["cuit"],
            Kind::Listing => &["sku", "seller_cuit", "ncm", "channel", "due"],
            Kind::DeclarationItem => {
                &["listing", "exporter_cuit", "officialised_on", "year", "office"]
            }
            Kind::Delegation | Kind::LateFact => &["exporter_cuit"],
            Kind::Marks => &["report", "late_fact"],
            Kind::Finding => &["listing"],
            Kind::Report => &["period_start", "period_end"],
            Kind::Settlement => &["exporter_cuit", "due"],
            Kind::Declaration
            | Kind::RegimeYear
            | Kind::ClosedMonth
            | Kind::ReferenceTable
            | Kind::Revocation => &[],
        }
    }
}

/// A document as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: Kind,
    /// Its key within the kind.
    pub key: String,
    /// The partner it belongs to; empty where it belongs to the authorities.
    pub owner: String,
    /// Its state, as the domain spells it.
    pub state: String,
    /// One value for each of [`Kind::columns`], in that order.
    pub columns: Vec<String>,
    /// How often it has been written; the first is 1. Set by the store.
    pub version: u64,
    /// The domain's value as JSON.
    pub body: Vec<u8>,
}

/// A condition that must hold under the ledger head, or the change is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The document has this version; 0 means that it does not exist.
    Version {
        /// What it is.
        kind: Kind,
        /// Its key.
        key: String,
        /// The version it must have.
        version: u64,
    },
    /// The document exists and is in this state.
    State {
        /// What it is.
        kind: Kind,
        /// Its key.
        key: String,
        /// The state it must be in.
        state: &'static str,
    },
    /// The report took no line since its counts were read.
    Progress {
        /// Key of the report.
        report: String,
        /// Lines stored without remark.
        accepted: u64,
        /// Lines stored with a remark.
        warned: u64,
        /// Times a malformed line was sent.
        refused: u64,
        /// Lines that exceed their sale and were explained.
        explained: u64,
    },
    /// The line was not explained.
    Unexplained {
        /// Key of its report.
        report: String,
        /// Its place among all lines.
        line: u64,
    },
    /// The owner has fewer documents of a kind in a state than this.
    Fewer {
        /// What they are.
        kind: Kind,
        /// Whose.
        owner: PartnerId,
        /// The state.
        state: &'static str,
        /// How many there must not be yet.
        than: u32,
    },
    /// The owner has no document of a kind with a value in a column and in one of some states.
    NoneLike {
        /// What they are.
        kind: Kind,
        /// Whose.
        owner: PartnerId,
        /// The column, one of [`Kind::columns`].
        column: &'static str,
        /// The value in it.
        value: String,
        /// The states.
        states: &'static [&'static str],
    },
}

/// One thing to be written.
#[derive(Clone, Debug)]
pub enum Write {
    /// A document, new or in place of its former version.
    Put(Record),
    /// Sale lines of a report; which of them are new is judged under the head.
    Lines(Arc<LineBatch>),
    /// Counts of orders, which were read when the report held what it holds now.
    CountOrders(Arc<OrderCounts>),
    /// Counts a line that exceeds its sale from now on.
    Explain {
        /// Key of its report.
        report: String,
        /// Its place among all lines.
        line: u64,
        /// Why it counts; the entry is the store's to add.
        explanation: Explanation,
    },
    /// Counts a sale (its place among all lines), and what takes it back, as was said by hand.
    Rematch(u64, Rematch),
}

/// What became of one line that was not plainly accepted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LineNote {
    /// Place in the batch, from 0.
    pub position: u32,
    /// The line's id as sent.
    pub line_id: String,
    /// What became of it.
    pub verdict: NoteVerdict,
    /// Fixed words that say why (`UNKNOWN_SKU`, `INVALID_QUANTITY`, ...).
    pub reasons: Vec<String>,
    /// The field at fault, for a refused line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// One sentence for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The ledger entry that first took this line, for a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_entry: Option<u64>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NoteVerdict {
    /// Stored, with something odd about it.
    AcceptedWithWarning,
    /// Known already; not counted again.
    Duplicate,
    /// Malformed; not stored.
    Refused,
}

/// The answer to a batch of lines, kept for replays.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BatchAnswer {
    /// Lines stored without remark.
    pub accepted: u32,
    /// Lines stored with a remark.
    pub warned: u32,
    /// Lines known already.
    pub duplicates: u32,
    /// Lines refused.
    pub refused: u32,
    /// What became of every line that was not plainly accepted, in the order sent.
    pub notes: Vec<LineNote>,
    /// Where the client goes on: lines of its sequence that are settled.
    pub next_line: u64,
}

/// Identifies a request for ever: the same key and digest get the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Who asked.
    pub partner: PartnerId,
    /// The id it gave the request.
    pub request_id: RequestId,
    /// SHA-256 over the method and the body.
    pub digest: [u8; 32],
}

/// Who acts, as the ledger records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// SHA-256 thumbprint of the certificate, base64url; none for the gateway itself.
    pub certificate: Option<String>,
    /// Trace id of the call, 32 hexadecimal digits.
    pub trace_id: Option<String>,
}

/// Everything one write needs, complete before the transaction begins.
#[derive(Clone, Debug)]
pub struct Change {
    /// The request it answers.
    pub request: RequestKey,
    /// Who acts.
    pub actor: Actor,
    /// What must hold.
    pub expect: Vec<Expect>,
    /// What to write.
    pub writes: Vec<Write>,
    /// What the ledger says of it.
    pub draft: Draft,
    /// The answer as JSON, kept for replays; for a batch of lines the store makes it.
    pub answer: Vec<u8>,
}

/// What a caller may be told once a change is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its place in the ledger.
    pub receipt: Receipt,
    /// The answer as JSON.
    pub answer: Vec<u8>,
    /// Whether it is the answer of an earlier request with the same key and digest.
    pub replayed: bool,
}

/// Why a change was not applied; its neighbours in the group were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A document changed since it was read.
    Stale {
        /// What it is.
        kind: Kind,
        /// Its key.
        key: String,
    },
    /// A document is in another state than expected.
    WrongState {
        /// What it is.
        kind: Kind,
        /// Its key.
        key: String,
        /// The state it is in; empty if it does not exist.
        state: String,
    },
    /// The owner has as many documents of a kind in a state as it may have.
    TooMany {
        /// What they are.
        kind: Kind,
        /// How many it may have.
        most: u32,
    },
    /// The owner has a document already that there may be only one of.
    Held {
        /// What it is.
        kind: Kind,
        /// Its key.
        key: String,
    },
    /// The request id was used with another body.
    RequestIdReused,
    /// The draft cannot become an entry, for example because it is too long.
    Unrecordable(String),
}
