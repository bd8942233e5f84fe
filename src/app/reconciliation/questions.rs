//! Where items stand, which of them need somebody, and what was matched to what.
//!
//! Enters: a caller and filters. Leaves: accounts that the caller may see. A marketplace sees those
//! of its own listings, a broker those of exporters that delegated to it; what a caller may not see is
//! as if it were not there.

use std::collections::BTreeSet;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{Account, ListingAccounts};
use crate::app::{App, Page, Versioned, decode};
use crate::change::Kind;
use crate::domain::caller::{Caller, Visibility};
use crate::domain::cuit::Cuit;
use crate::domain::customs_declaration::{DeclaredItem, ItemNumber};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::listing::Listing;
use crate::domain::partner::{PartnerId, Role};
use crate::domain::reconciliation::{ItemKey, ItemState, Share};
use crate::domain::unit::Unit;
use crate::error::{Error, Result};
use crate::store::PageQuery;
use crate::store::stock::{HeldRematch, ListingStock, RematchQuery, StockQuery};

/// Items and listings read at a time.
const READ: u32 = 500;
/// Listings that one page of differences looks at; then it ends, full or not.
const LOOKED_AT: usize = 2_000;
/// Matches by hand that are told, the latest.
const BY_HAND: u32 = 1_000;

/// Which accounts to list: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct DiscrepanciesQuery {
    /// In this state; `None` for those that need somebody.
    pub state: Option<ItemState>,
    /// Of this exporter.
    pub exporter: Option<Cuit>,
    /// Of this listing (its key).
    pub listing: Option<String>,
    /// Of this marketplace's listings.
    pub marketplace: Option<PartnerId>,
    /// Items of this declaration.
    pub declaration: Option<DeclarationNumber>,
    /// The day on which states are told; `None` for today.
    pub on: Option<Date>,
    /// The `next` of the page before; empty for the first page.
    pub after: String,
    /// At most so many.
    pub limit: u32,
}

/// What was sold of a listing and to which items it was matched.
#[derive(Clone, Debug)]
pub struct Matches {
    /// The unit of all quantities.
    pub unit: Unit,
    /// By name, then by item, from the place asked for.
    pub shares: Vec<Share>,
    /// The place after the last of them, if more follow.
    pub next: Option<usize>,
    /// What came back beyond all sales it could belong to.
    pub beyond: Decimal,
    /// Sales that were matched by hand, the latest first.
    pub by_hand: Vec<HeldRematch>,
}

impl App {
    /// Where the items of a declaration stand on a day (today if `None`), or one of them.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is none that the caller may see.
    pub async fn reconciliation(
        &self,
        caller: &Caller,
        number: DeclarationNumber,
        item: Option<ItemNumber>,
        on: Option<Date>,
    ) -> Result<Vec<Account>> {
        let visibility = sight(caller);
        let listings = self.listings_declared(&visibility, number, item).await?;
        let mut found = Vec::new();
        let on = on.unwrap_or_else(|| self.today());
        let stocks = self.store.stock(StockQuery::Keys(listings.into_iter().collect())).await?;
        for stock in self.delegated(caller, stocks).await? {
            let of_declaration = self.accounts(&stock, on)?.items.into_iter().filter(|account| {
                account.item.is_some_and(|key| {
                    key.declaration == number && item.is_none_or(|item| item.get() == key.item)
                })
            });
            found.extend(of_declaration);
        }
        if found.is_empty() {
            return Err(Error::not_found());
        }
        found.sort_by_key(|account| account.item);
        Ok(found)
    }

    /// Accounts that match, listing by listing. A page may hold fewer than asked although more
    /// follow.
    pub async fn list_discrepancies(
        &self,
        caller: &Caller,
        query: &DiscrepanciesQuery,
    ) -> Result<Page<Account>> {
        let nothing = Page { items: Vec::new(), next: None };
        let visibility = sight(caller);
        let asked = query.marketplace.as_ref();
        if asked.is_some_and(|asked| !visibility.allows(asked)) {
            return Ok(nothing);
        }
        let mut listings = PageQuery::all(Kind::Listing, READ);
        listings.owner = asked.or(visibility.owner()).map(ToString::to_string);
        let seller = query.exporter.map(|cuit| ("seller_cuit", cuit.to_string()));
        listings.equal.extend(seller);
        let only = match (query.declaration, &query.listing) {
            (None, None) => None,
            (None, Some(key)) => Some(BTreeSet::from([key.clone()])),
            (Some(number), listing) => {
                let of = self.listings_declared(&visibility, number, None).await?;
                Some(
                    of.into_iter()
                        .filter(|key| listing.as_ref().is_none_or(|l| l == key))
                        .collect(),
                )
            }
        };
        let on = query.on.unwrap_or_else(|| self.today());
        let mut gathered = Gathered { caller, query, on, found: Vec::new(), next: None };
        if let Some(only) = only {
            for key in only {
                if gathered.next.is_some() {
                    break;
                }
                listings.between = vec![("key", key.clone(), key)];
                listings.after.clear();
                self.gather_accounts(&listings, &mut gathered).await?;
            }
        } else {
            listings.after = listing_before(&query.after);
            for _ in 0..LOOKED_AT / READ as usize {
                match self.gather_accounts(&listings, &mut gathered).await? {
                    Some(last) if gathered.next.is_none() => listings.after = last,
                    Some(_) | None => {
                        listings.after.clear();
                        break;
                    }
                }
            }
            if gathered.next.is_none() && !listings.after.is_empty() {
                gathered.next = Some(past(&listings.after));
            }
        }
        Ok(Page { items: gathered.found, next: gathered.next })
    }

    /// Takes in the accounts of one page of listings; answers the last listing if more may follow.
    async fn gather_accounts(
        &self,
        listings: &PageQuery,
        gathered: &mut Gathered<'_>,
    ) -> Result<Option<String>> {
        let page = self.store.stock(StockQuery::Page(listings.clone())).await?;
        let full = page.len() >= listings.limit as usize;
        let last = page.last().map(|stock| stock.listing.key.clone()).filter(|_| full);
        for stock in self.delegated(gathered.caller, page).await? {
            let key = &stock.listing.key;
            if gathered.next.is_some() {
                break;
            }
            if stock.items.is_empty() && stock.net.is_empty() {
                continue;
            }
            match self.accounts(&stock, gathered.on) {
                Ok(accounts) => gathered.take(accounts),
                // Sums of one listing that no decimal holds are no reason to show no other.
                Err(error) => tracing::error!(listing = key, ?error, "left out of differences"),
            }
        }
        Ok(last)
    }

    /// To which items the sales of a listing were matched.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is no such listing that the caller may see.
    pub async fn matches(
        &self,
        caller: &Caller,
        listing: &str,
        from: usize,
        limit: usize,
    ) -> Result<Matches> {
        let visibility = sight(caller);
        let stock = self.store.stock(StockQuery::Keys(vec![listing.to_owned()])).await?;
        let stock = self.delegated(caller, stock).await?.pop().ok_or_else(Error::not_found)?;
        let of = self.accounts(&stock, self.today())?;
        if !visibility.allows(&of.listing.marketplace) {
            return Err(Error::not_found());
        }
        let ListingAccounts { listing: known, shares, beyond, .. } = of;
        let next = (shares.len() > from.saturating_add(limit)).then_some(from + limit);
        let by_hand = match from {
            0 => self.store.rematches(RematchQuery::Listing(listing.to_owned(), BY_HAND)).await?,
            _ => Vec::new(),
        };
        let shares = shares.into_iter().skip(from).take(limit).collect();
        Ok(Matches { unit: known.statistical_unit, shares, next, beyond, by_hand })
    }

    /// Of listings, for a broker, those of exporters that delegated to it; for others all.
    pub(super) async fn delegated(
        &self,
        caller: &Caller,
        mut stocks: Vec<ListingStock>,
    ) -> Result<Vec<ListingStock>> {
        if caller.role() != Role::Broker {
            return Ok(stocks);
        }
        let sellers: Result<Vec<Cuit>> = stocks
            .iter()
            .map(|stock| Ok(decode::<Listing>(&stock.listing)?.value.seller))
            .collect();
        let sellers = sellers?;
        let mandates = self.mandates(caller, sellers.iter().copied()).await?;
        let mut sellers = sellers.into_iter();
        stocks.retain(|_| sellers.next().is_some_and(|seller| mandates.allow(seller)));
        Ok(stocks)
    }

    /// The listings of a declaration's items that the caller may see.
    async fn listings_declared(
        &self,
        visibility: &Visibility,
        number: DeclarationNumber,
        item: Option<ItemNumber>,
    ) -> Result<BTreeSet<String>> {
        let mut query = PageQuery::all(Kind::DeclarationItem, READ);
        query.owner = visibility.owner().map(ToString::to_string);
        query.between.push(match item {
            Some(item) => {
                let key = DeclaredItem::key_of(number, item);
                ("key", key.clone(), key)
            }
            None => ("key", format!("{number}/"), format!("{number}/~")),
        });
        let mut listings = BTreeSet::new();
        loop {
            let page: Page<Versioned<DeclaredItem>> = self.documents(query.clone()).await?;
            listings.extend(page.items.into_iter().map(|held| held.value.listing));
            match page.next {
                Some(next) => query.after = next,
                None => return Ok(listings),
            }
        }
    }
}

/// Accounts of a page under way.
struct Gathered<'q> {
    caller: &'q Caller,
    query: &'q DiscrepanciesQuery,
    on: Date,
    found: Vec<Account>,
    /// Where the next page begins, once this one is full.
    next: Option<String>,
}

impl Gathered<'_> {
    fn take(&mut self, accounts: ListingAccounts) {
        for account in accounts.all().filter(|account| matches(self.query, account)) {
            let place = place(&account);
            if place <= self.query.after {
                continue;
            }
            if self.found.len() >= self.query.limit as usize {
                self.next = self.found.last().map(self::place);
                return;
            }
            self.found.push(account);
        }
    }
}

/// Whose listings the caller may see; which exporters' a broker may is judged one by one.
pub(super) fn sight(caller: &Caller) -> Visibility {
    if caller.role() == Role::Broker { Visibility::All } else { caller.visibility() }
}

fn matches(query: &DiscrepanciesQuery, account: &Account) -> bool {
    let in_state = match query.state {
        Some(state) => account.state == state,
        None => account.state.is_discrepancy(),
    };
    let of_declaration = query.declaration.is_none_or(|number| {
        account.item.is_some_and(|ItemKey { declaration, .. }| declaration == number)
    });
    in_state && of_declaration
}

/// Where an account stands in the list: by listing, then as its items are.
fn place(account: &Account) -> String {
    match (account.item, account.officialised_on) {
        (Some(item), Some(day)) => format!("{} {day} {item}", account.listing),
        (Some(_), None) | (None, _) => past(&account.listing),
    }
}

/// After all items of a listing.
fn past(listing: &str) -> String {
    format!("{listing} ~")
}

/// The key after which a listing is looked at again, as some of it was not shown yet.
fn listing_before(after: &str) -> String {
    match after.split_once(' ') {
        // All of it was shown.
        Some((listing, "~")) => listing.to_owned(),
        // Greater than every key before it, smaller than its own.
        Some((listing, _)) => {
            let mut before = listing.to_owned();
            match before.pop() {
                Some(last) => {
                    before.push(char::from_u32(u32::from(last) - 1).unwrap_or(' '));
                    before.push('~');
                    before
                }
                None => String::new(),
            }
        }
        None => String::new(),
    }
}
