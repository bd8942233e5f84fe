//! Declarations read: one, or many by what their items say.
//!
//! Enters: a caller and filters. Leaves: declarations with the items that match and that the
//! caller may see; a declaration without any is as if it were not there.

use std::collections::HashMap;

use jiff::civil::Date;

use super::{Shown, name};
use crate::app::{App, Page, Versioned, decode};
use crate::change::Kind;
use crate::domain::caller::{Caller, Visibility};
use crate::domain::cuit::Cuit;
use crate::domain::customs_declaration::{Declaration, DeclaredItem, ItemState};
use crate::domain::declaration::DeclarationNumber;
use crate::domain::listing::Listing;
use crate::domain::partner::{PartnerId, Role};
use crate::error::{Error, Result};
use crate::store::PageQuery;

/// Items read at a time.
const READ: u32 = 1000;
/// Items after which a page ends with the declaration under way.
const ITEMS_ON_A_PAGE: usize = 10_000;

/// Which declarations to list: all that is given must hold for an item.
#[derive(Clone, Debug, Default)]
pub struct DeclarationsQuery {
    /// Of this exporter.
    pub exporter: Option<Cuit>,
    /// Of this listing (its key).
    pub listing: Option<String>,
    /// Of this marketplace's listings.
    pub marketplace: Option<PartnerId>,
    /// Of this customs office; empty for all.
    pub office: String,
    /// With a number of this year, two digits; empty for all.
    pub year: String,
    /// Official from the first to the second day, both included.
    pub officialised: Option<(Date, Date)>,
    /// In this state.
    pub state: Option<ItemState>,
    /// The `next` of the page before; empty for the first page.
    pub after: String,
    /// At most so many declarations.
    pub limit: u32,
}

impl App {
    /// One declaration with all its items that the caller may see.
    ///
    /// # Errors
    /// `NOT_FOUND` if it does not exist, or has no item that the caller may see.
    pub async fn declaration(&self, caller: &Caller, number: DeclarationNumber) -> Result<Shown> {
        // Before its items, so that its version is never newer than what is shown of them.
        let held: Versioned<Declaration> = self
            .document(Kind::Declaration, number.as_str())
            .await?
            .ok_or_else(Error::not_found)?;
        let Some(visibility) = self.items_seen(caller, held.value.terms.exporter).await? else {
            return Err(Error::not_found());
        };
        let mut query = PageQuery::all(Kind::DeclarationItem, READ);
        query.owner = visibility.owner().map(ToString::to_string);
        query.between.push(("key", format!("{number}/"), end_of(number)));
        let mut items: Vec<DeclaredItem> = Vec::new();
        loop {
            let page: Page<Versioned<DeclaredItem>> = self.documents(query.clone()).await?;
            items.extend(page.items.into_iter().map(|held| held.value));
            match page.next {
                Some(next) => query.after = next,
                None => break,
            }
        }
        if items.is_empty() {
            return Err(Error::not_found());
        }
        Ok(shown(&visibility, held, items))
    }

    /// Declarations in the order of their numbers, for a broker exporter by exporter, each with the
    /// items that match, and with the version 0: they are read after their items. A page may hold
    /// fewer than asked although more follow.
    pub async fn list_declarations(
        &self,
        caller: &Caller,
        query: &DeclarationsQuery,
    ) -> Result<Page<Shown>> {
        let mut gathered = Gathered::at_most(query.limit as usize);
        let (visibility, next) = match caller.role() {
            Role::Broker => {
                (Visibility::All, self.gather_delegated(caller, query, &mut gathered).await?)
            }
            Role::Marketplace
            | Role::ExportRegistry
            | Role::Customs
            | Role::Agency
            | Role::Analyst
            | Role::Auditor
            | Role::Operator => {
                let visibility = caller.visibility();
                let next = match items_query(&visibility, query) {
                    Some(page) => self.gather(page, &mut gathered).await?,
                    None => None,
                };
                (visibility, next)
            }
        };
        self.with_declarations(&visibility, gathered.groups, next).await
    }

    /// Which items of an exporter's declarations the caller may see; `None`: not even that there
    /// are any.
    async fn items_seen(&self, caller: &Caller, exporter: Cuit) -> Result<Option<Visibility>> {
        if caller.role() == Role::Broker {
            return Ok(self.mandate(caller, exporter).await?.map(|_| Visibility::All));
        }
        Ok(Some(caller.visibility()))
    }

    /// Items of those that delegated to the caller today, one exporter after the other in the
    /// order of the delegations: each is a look-up of its own, and what others declared is never
    /// touched. The place where the next page begins is a delegation's key and an item's.
    async fn gather_delegated(
        &self,
        caller: &Caller,
        query: &DeclarationsQuery,
        gathered: &mut Gathered,
    ) -> Result<Option<String>> {
        if let Some(exporter) = self.only_exporter(query).await? {
            let one = exporter.filter(|one| query.exporter.is_none_or(|asked| asked == *one));
            let Some(exporter) = one else { return Ok(None) };
            if self.mandate(caller, exporter).await?.is_none() {
                return Ok(None);
            }
            let query = DeclarationsQuery { exporter: Some(exporter), ..query.clone() };
            let page = items_query(&Visibility::All, &query);
            return match page {
                Some(page) => self.gather(page, gathered).await,
                None => Ok(None),
            };
        }
        // The delegation before, the one within which the page before ended, and where in it.
        let mut place = query.after.splitn(3, ' ');
        let mut part = || place.next().unwrap_or_default();
        let (mut before, at, within) = (part().to_owned(), part(), part());
        let page = self.mandates_after(caller, before.clone()).await?;
        for (exporter, mandate) in page.items {
            let after = if mandate.key == at { within } else { "" };
            let query = DeclarationsQuery {
                exporter: Some(exporter),
                after: after.to_owned(),
                ..query.clone()
            };
            let Some(items) = items_query(&Visibility::All, &query) else { continue };
            if let Some(next) = self.gather(items, gathered).await? {
                return Ok(Some(format!("{before} {} {next}", mandate.key)));
            }
            before = mandate.key;
        }
        Ok(page.next)
    }

    /// Where a question is about one exporter's items: that one, or `None` if there is no such
    /// listing.
    async fn only_exporter(&self, query: &DeclarationsQuery) -> Result<Option<Option<Cuit>>> {
        match &query.listing {
            Some(key) => {
                let held: Option<Versioned<Listing>> = self.document(Kind::Listing, key).await?;
                Ok(Some(held.map(|held| held.value.seller)))
            }
            None => Ok(query.exporter.map(Some)),
        }
    }

    /// Adds items that match; the key after which the next page begins if they are too many.
    async fn gather(&self, mut page: PageQuery, to: &mut Gathered) -> Result<Option<String>> {
        let mut settled = page.after.clone();
        loop {
            let found: Page<Versioned<DeclaredItem>> = self.documents(page.clone()).await?;
            for item in found.items.into_iter().map(|held| held.value) {
                let number = item.declaration;
                if !to.take(item) {
                    return Ok(Some(settled));
                }
                settled = end_of(number);
            }
            match found.next {
                Some(key) => page.after = key,
                None => return Ok(None),
            }
        }
    }

    /// The declarations of these items.
    async fn with_declarations(
        &self,
        visibility: &Visibility,
        groups: Vec<(DeclarationNumber, Vec<DeclaredItem>)>,
        next: Option<String>,
    ) -> Result<Page<Shown>> {
        let keys = groups.iter().map(|(number, _)| number.to_string()).collect();
        let mut held: HashMap<String, Versioned<Declaration>> = HashMap::new();
        for record in self.records_of(Kind::Declaration, keys).await? {
            held.insert(record.key.clone(), decode(&record)?);
        }
        let items = groups.into_iter().map(|(number, items)| {
            let declaration = held.remove(number.as_str()).ok_or_else(|| headless(number))?;
            Ok(shown(visibility, Versioned { version: 0, ..declaration }, items))
        });
        Ok(Page { items: items.collect::<Result<_>>()?, next })
    }
}

/// Items of a page, by declaration.
struct Gathered {
    groups: Vec<(DeclarationNumber, Vec<DeclaredItem>)>,
    limit: usize,
    items: usize,
}

impl Gathered {
    fn at_most(limit: usize) -> Self {
        Self { groups: Vec::new(), limit, items: 0 }
    }

    /// Takes an item; false if the page is full before its declaration.
    fn take(&mut self, item: DeclaredItem) -> bool {
        let full = self.groups.len() >= self.limit || self.items >= ITEMS_ON_A_PAGE;
        match self.groups.last_mut() {
            Some((number, items)) if *number == item.declaration => items.push(item),
            Some(_) if full => return false,
            Some(_) | None => self.groups.push((item.declaration, vec![item])),
        }
        self.items += 1;
        true
    }
}

/// Items that match; `None` if the caller asks for what it may not see.
fn items_query(visibility: &Visibility, query: &DeclarationsQuery) -> Option<PageQuery> {
    let asked = query.marketplace.as_ref();
    if asked.is_some_and(|asked| !visibility.allows(asked)) {
        return None;
    }
    let mut page = PageQuery::all(Kind::DeclarationItem, READ);
    page.owner = asked.or(visibility.owner()).map(ToString::to_string);
    page.state = query.state.map(|state| state.to_string());
    page.after.clone_from(&query.after);
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let equal = [
        ("exporter_cuit", query.exporter.map(|cuit| cuit.to_string())),
        ("listing", query.listing.clone()),
        ("office", given(&query.office)),
        ("year", given(&query.year)),
    ];
    page.equal = equal.into_iter().filter_map(|(column, v)| Some((column, v?))).collect();
    if let Some((first, last)) = query.officialised {
        page.between.push(("officialised_on", first.to_string(), last.to_string()));
    }
    Some(page)
}

/// Greater than every key of its items, and smaller than those of the next declaration.
fn end_of(number: DeclarationNumber) -> String {
    format!("{number}/~")
}

fn shown(visibility: &Visibility, held: Versioned<Declaration>, items: Vec<DeclaredItem>) -> Shown {
    let in_part = *visibility != Visibility::All;
    Shown { declaration: held.value, version: held.version, items, in_part }
}

/// Items without their declaration cannot be: both are written in one change.
fn headless(number: DeclarationNumber) -> Error {
    Error::internal(format!("{} has items and is not there", name(number)))
}
