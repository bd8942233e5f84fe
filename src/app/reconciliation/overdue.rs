//! Stock that was not sold or brought back in time, raised once.
//!
//! Enters: the clock. Leaves: one ledger entry for each item and deadline that has passed with
//! stock left, for whoever follows the ledger. The state itself needs no entry: it follows from
//! the day.

use std::time::Duration;

use super::Account;
use crate::app::App;
use crate::app::declarations::name;
use crate::app::write::{Intent, Plan};
use crate::change::{Expect, Kind};
use crate::domain::consignment::overdue_id;
use crate::domain::partner::Partner;
use crate::domain::reconciliation::ItemKey;
use crate::domain::request_id::RequestId;
use crate::error::{Error, Result};
use crate::ledger::{Draft, EntryKind};
use crate::store::PageQuery;
use crate::store::stock::StockQuery;

/// How often stock is looked at.
const EVERY: Duration = Duration::from_secs(3600);
/// Listings read at a time.
const READ: u32 = 500;

impl App {
    /// Raises what is overdue, now, every hour and when terms are loaded, for ever. Run it beside
    /// the server.
    pub async fn keep_stock(self) {
        loop {
            match self.raise_overdue().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "items with stock past its deadline"),
                Err(reason) => tracing::error!(?reason, "stock could not be looked at"),
            }
            tokio::select! {
                () = self.deadlines.stock() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Raises every item whose deadline has passed with stock left and that was not raised for that
    /// deadline before. Answers how many.
    pub async fn raise_overdue(&self) -> Result<usize> {
        let today = self.today();
        let mut listings = PageQuery::all(Kind::Listing, READ);
        let mut raised = 0;
        loop {
            let page = self.store.stock(StockQuery::Page(listings.clone())).await?;
            let last = page.last().map(|stock| stock.listing.key.clone());
            let full = page.len() >= READ as usize;
            for stock in page.iter().filter(|stock| !stock.items.is_empty()) {
                match self.accounts(stock, today) {
                    Ok(of) => {
                        for account in of.items {
                            raised += usize::from(self.raise(&account).await?);
                        }
                    }
                    Err(error) => {
                        tracing::error!(listing = stock.listing.key, ?error, "not looked at");
                    }
                }
            }
            match last.filter(|_| full) {
                Some(last) => listings.after = last,
                None => return Ok(raised),
            }
        }
    }

    /// Raises an item if it is overdue. Answers whether it was not raised before.
    async fn raise(&self, account: &Account) -> Result<bool> {
        let (Some(item), Some(deadline)) = (account.item, account.sell_by) else {
            return Ok(false);
        };
        if deadline >= self.today() {
            return Ok(false);
        }
        let gateway = Partner::GATEWAY.parse()?;
        let id: RequestId = overdue_id(item, deadline).parse()?;
        if self.store.request(&gateway, &id).await?.is_some() {
            return Ok(false);
        }
        let ItemKey { declaration, item } = item;
        let written = self
            .write(&Intent::internal(gateway, id), || async {
                let draft = Draft::new(EntryKind::ItemOverdue)
                    .about(name(declaration))
                    .fact("item", item)
                    .fact("deadline", deadline)
                    .amount("stock", account.stock);
                let (kind, key) = (Kind::Declaration, declaration.to_string());
                let held = self.store.record(kind, &key).await?;
                let held = held.ok_or_else(|| Error::internal("an item without declaration"))?;
                let version = held.version;
                let expect = vec![Expect::Version { kind, key, version }];
                Ok(Plan { answer: true, expect, writes: Vec::new(), draft })
            })
            .await?;
        Ok(!written.replayed)
    }
}
