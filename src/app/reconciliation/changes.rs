//! Differences explained and handed on.
//!
//! Enters: which difference, and what customs found. Leaves: the account as it is from then on.
//! What is judged is the account as it stands; sales that come meanwhile are new facts.

use super::{Account, customs_only};
use crate::app::App;
use crate::app::declarations::name;
use crate::app::write::{Intent, Plan, Written, check_etag, put};
use crate::change::{Expect, Kind, Write};
use crate::domain::caller::Caller;
use crate::domain::customs_declaration::{DeclaredItem, ItemNumber};
use crate::domain::decimal::Quantity;
use crate::domain::declaration::DeclarationNumber;
use crate::domain::finding::{Escalation, Findings, ItemExplanation};
use crate::domain::reconciliation::{Cause, ItemKey, ItemState, Position};
use crate::domain::text::Note;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::stock::StockQuery;

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Of an item of a declaration.
    Item(DeclarationNumber, ItemNumber),
    /// What was sold of a listing (its key) under no declaration.
    Undeclared(String),
}

/// What customs found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The cause.
    pub cause: Cause,
    /// How much, in statistical units.
    pub quantity: Quantity,
    /// What that rests on.
    pub evidence: Note,
}

impl App {
    /// Explains part of where an item stands.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `NOT_FOUND`, `STALE_ETAG`, and those of [`Findings::explain`].
    pub async fn explain_discrepancy(
        &self,
        caller: &Caller,
        intent: &Intent,
        (number, item): (DeclarationNumber, ItemNumber),
        etag: &str,
        found: &Found,
    ) -> Result<Written<Account>> {
        customs_only(caller)?;
        self.write(intent, || async {
            let difference = Difference::Item(number, item);
            let mut account = self.account(&difference, etag).await?;
            let explanation = ItemExplanation {
                cause: found.cause,
                quantity: found.quantity,
                evidence: found.evidence.clone(),
                by: caller.partner().clone(),
                at: self.env.now(),
            };
            account.findings.explain(&position(&account)?, explanation)?;
            let draft = Draft::new(EntryKind::DiscrepancyExplained)
                .about(name(number))
                .fact("item", item)
                .fact("cause", found.cause)
                .amount("quantity", found.quantity.value());
            self.found(account, draft).await
        })
        .await
    }

    /// Hands a difference on to be looked into.
    ///
    /// # Errors
    /// `NOT_CUSTOMS`, `NOT_FOUND`, `STALE_ETAG`, and those of [`Findings::escalate`].
    pub async fn escalate_discrepancy(
        &self,
        caller: &Caller,
        intent: &Intent,
        difference: &Difference,
        etag: &str,
        reason: &Note,
    ) -> Result<Written<Account>> {
        customs_only(caller)?;
        self.write(intent, || async {
            let mut account = self.account(difference, etag).await?;
            let state = account.state;
            let (reason, by) = (reason.clone(), caller.partner().clone());
            account.findings.escalate(state, Escalation { reason, by, at: self.env.now() })?;
            let draft = Draft::new(EntryKind::DiscrepancyEscalated).fact("state", state);
            let draft = match difference {
                Difference::Item(number, item) => draft.about(name(*number)).fact("item", *item),
                Difference::Undeclared(key) => draft.about(listing_name(key)),
            };
            self.found(account, draft).await
        })
        .await
    }

    /// The account of a difference today.
    async fn account(&self, difference: &Difference, etag: &str) -> Result<Account> {
        let listing = match difference {
            Difference::Undeclared(key) => key.clone(),
            Difference::Item(number, item) => {
                let key = DeclaredItem::key_of(*number, *item);
                let held = self.document::<DeclaredItem>(Kind::DeclarationItem, &key).await?;
                held.ok_or_else(Error::not_found)?.value.listing
            }
        };
        let mut stock = self.store.stock(StockQuery::Keys(vec![listing])).await?;
        let of = self.accounts(&stock.pop().ok_or_else(Error::not_found)?, self.today())?;
        let account = match difference {
            Difference::Undeclared(_) => of.undeclared,
            Difference::Item(declaration, item) => {
                let key = ItemKey { declaration: *declaration, item: item.get() };
                of.items.into_iter().find(|account| account.item == Some(key))
            }
        };
        let account = account.ok_or_else(Error::not_found)?;
        check_etag(etag, account.version)?;
        Ok(account)
    }

    /// Keeps what was found, and answers the account that follows from it.
    async fn found(&self, account: Account, draft: Draft) -> Result<Plan<Account>> {
        let (expect, write) = put_findings(&account)?;
        let mut stock = self.store.stock(StockQuery::Keys(vec![account.listing.clone()])).await?;
        let mut stock = stock.pop().ok_or_else(Error::not_found)?;
        let Write::Put(mut record) = write.clone() else {
            return Err(Error::internal("findings are a document"));
        };
        record.version = account.version + 1;
        stock.findings.retain(|held| held.key != record.key);
        stock.findings.push(record);
        let then = self.accounts(&stock, self.today())?.all().find(|one| one.item == account.item);
        let answer = then.ok_or_else(Error::contended)?;
        Ok(Plan { answer, expect: vec![expect], writes: vec![write], draft })
    }
}

/// What customs found, as the store keeps it in place of the version that was read.
fn put_findings(account: &Account) -> Result<(Expect, Write)> {
    let key = account.item.map_or_else(|| account.listing.clone(), |item| item.to_string());
    let owner = account.marketplace.as_str();
    let state = match &account.findings {
        Findings { escalation: Some(_), .. } => ItemState::Escalated,
        Findings { escalation: None, .. } => ItemState::Explained,
    };
    let columns = vec![account.listing.clone()];
    let (findings, version) = (&account.findings, account.version);
    put(Kind::Finding, &key, owner, state.as_str(), columns, findings, version)
}

/// The position that an account tells.
fn position(account: &Account) -> Result<Position> {
    Ok(Position {
        key: account.item.ok_or_else(Error::not_found)?,
        declared: account.declared,
        shipped: account.shipped,
        net_sold: account.net_sold,
        reimported: account.reimported,
        written_off: account.written_off,
        stock: account.stock,
        sell_by: account.sell_by,
        state: account.state,
    })
}

pub(super) fn listing_name(key: &str) -> String {
    format!("{}/{key}", Kind::Listing.collection())
}
