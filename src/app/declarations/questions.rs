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
use crate::domain::partner::PartnerId;
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
        let visibility = caller.visibility();
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

    /// Declarations in the order of their numbers, each with the items that match, and with the
    /// version 0: they are read after their items. A page may hold fewer than asked although more
    /// follow.
    pub async fn list_declarations(
        &self,
        caller: &Caller,
        query: &DeclarationsQuery,
    ) -> Result<Page<Shown>> {
        let visibility = caller.visibility();
        let Some(mut page) = items_query(&visibility, query) else {
            return Ok(Page { items: vec![], next: None });
        };
        let limit = query.limit as usize;
        let mut groups: Vec<(DeclarationNumber, Vec<DeclaredItem>)> = Vec::new();
        let (mut count, mut next) = (0, None);
        'pages: loop {
            let found: Page<Versioned<DeclaredItem>> = self.documents(page.clone()).await?;
            for item in found.items.into_iter().map(|held| held.value) {
                match groups.last_mut() {
                    Some((number, items)) if *number == item.declaration => items.push(item),
                    last => {
                        if groups_end(last.is_some(), groups.len(), limit, count) {
                            next = groups.last().map(|(number, _)| end_of(*number));
                            break 'pages;
                        }
                        groups.push((item.declaration, vec![item]));
                    }
                }
                count += 1;
            }
            match found.next {
                Some(key) => page.after = key,
                None => break,
            }
        }
        let keys = groups.iter().map(|(number, _)| number.to_string()).collect();
        let mut held: HashMap<String, Versioned<Declaration>> = HashMap::new();
        for record in self.records_of(Kind::Declaration, keys).await? {
            held.insert(record.key.clone(), decode(&record)?);
        }
        let items = groups.into_iter().map(|(number, items)| {
            let declaration = held.remove(number.as_str()).ok_or_else(|| headless(number))?;
            Ok(shown(&visibility, Versioned { version: 0, ..declaration }, items))
        });
        Ok(Page { items: items.collect::<Result<_>>()?, next })
    }
}

/// Whether a page with so many declarations and items is full before the next declaration.
fn groups_end(any: bool, declarations: usize, limit: usize, items: usize) -> bool {
    any && (declarations >= limit || items >= ITEMS_ON_A_PAGE)
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
