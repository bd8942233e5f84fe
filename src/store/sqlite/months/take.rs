//! What committed transactions add to sums by month.
//!
//! Enters: what lines have added to cells, and what moved cells later. Leaves: a cube that has it.
//! Groups are looked up while questions go on; these wait only while numbers are added.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::read::Late;
use super::{Held, Loading, MOST, Months, Step, give_up};
use crate::change::{CellKey, Goods, LineListing};
use crate::domain::decimal::Totals;
use crate::domain::listing::listing_key;
use crate::domain::sale::SaleKind;
use crate::store::cube::{About, Coming, Cube, GoodsId, GroupId, GroupKey, Unfit, month_of};
use crate::store::sqlite::rollups::Moved;

/// How many listings may be kept by where they lie.
const KEPT: usize = 50_000;

/// Goods of listings, by where these lie; they are held so that nothing else will lie there.
#[derive(Default)]
pub struct Listed(HashMap<usize, (Arc<LineListing>, GoodsId)>);

/// Where something comes to.
enum Place {
    Known(GroupId),
    /// A new group of known goods.
    Fresh(GroupKey),
    /// A group of goods that may be new; those in the key are still to be filled in.
    Unknown(About<Box<str>>, GroupKey),
}

impl Months {
    /// Takes in what a transaction means.
    pub(super) fn apply(&self, size: u64, steps: &[Step], listed: &mut Listed) {
        let anew = steps.iter().any(|step| match step {
            Step::Anew => true,
            Step::Counted(counts) => self.held().counted.contains(&counts.report),
            Step::Moved(_) | Step::Explained(_) => false,
        });
        if anew && self.held().cube.is_some() {
            return self.read_anew(listed);
        }
        // What was read anew has it already.
        if size <= self.upto.load(Ordering::SeqCst) {
            return;
        }
        let found = self.found(steps, listed);
        let mut held = self.held_to_change();
        let Held { cube: Some(cube), counted, loading, .. } = &mut *held else { return };
        let added = found.and_then(|all| {
            all.into_iter().try_for_each(|(place, coming)| add(cube, loading, size, place, coming))
        });
        for step in steps {
            if let Step::Counted(counts) = step {
                counted.insert(counts.report.clone());
            }
        }
        if added.is_err() || cube.sums() > MOST {
            give_up(&mut held);
        }
        self.upto.store(size, Ordering::SeqCst);
    }

    /// What the steps add, and where.
    fn found(&self, steps: &[Step], listed: &mut Listed) -> Result<Vec<(Place, Coming)>, Unfit> {
        let mut found = Vec::new();
        for step in steps {
            match step {
                Step::Moved(moved) => {
                    let held = self.held();
                    let Some(cube) = &held.cube else { continue };
                    let cells = moved.cells.iter();
                    found.extend(cells.map(|(cell, totals)| {
                        (listed.place(cube, moved, cell), coming(cell, *totals))
                    }));
                }
                Step::Counted(counts) => found.extend(self.repeats(counts)?.into_iter().map(late)),
                Step::Explained(line) => found.extend(self.explained(*line)?.into_iter().map(late)),
                Step::Anew => {}
            }
        }
        Ok(found)
    }
}

impl Listed {
    /// Forgets all, as a new cube has other places.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn place(&mut self, cube: &Cube, moved: &Moved, cell: &CellKey) -> Place {
        let marketplace = moved.marketplace.as_str();
        let key = |goods| GroupKey {
            goods,
            destination: cell.destination,
            currency: cell.currency,
            kind: cell.kind,
        };
        let known = |goods| match cube.known_group(&key(goods)) {
            Some(group) => Place::Known(group),
            None => Place::Fresh(key(goods)),
        };
        let goods = |about: About<&str>| match cube.known_goods(about) {
            Some(goods) => Ok(goods),
            None => Err(Place::Unknown(about.map(Box::from), key(GoodsId::default()))),
        };
        let found = match &cell.goods {
            Goods::Unlisted(sku) => {
                let listing = listing_key(&moved.marketplace, sku.as_str());
                goods([marketplace, &listing, "", "", "", "", ""])
            }
            Goods::Listed(listing) => {
                let lies = Arc::as_ptr(listing).addr();
                if let Some((_, goods)) = self.0.get(&lies) {
                    return known(*goods);
                }
                let LineListing { key, seller, ncm, channel, province, size_class } = &**listing;
                let channel = channel.as_str();
                let found = goods([marketplace, key, seller, ncm, channel, province, size_class]);
                if let Ok(goods) = found {
                    if self.0.len() >= KEPT {
                        self.0.clear();
                    }
                    self.0.insert(lies, (listing.clone(), goods));
                }
                found
            }
        };
        found.map_or_else(|unknown| unknown, known)
    }
}

fn late((about, key, coming): Late) -> (Place, Coming) {
    (Place::Unknown(about, key), coming)
}

fn coming(cell: &CellKey, totals: Totals) -> Coming {
    Coming {
        day: cell.day,
        lines: totals.lines,
        quantity: totals.quantity,
        amount: totals.amount,
        // Until the report is sealed each sale counts as an order.
        orders: match cell.kind {
            SaleKind::Sale => totals.lines.cast_signed(),
            SaleKind::Return | SaleKind::Refund | SaleKind::Cancellation | SaleKind::Adjustment => {
                0
            }
        },
    }
}

fn add(
    cube: &mut Cube,
    loading: &mut [Loading],
    size: u64,
    place: Place,
    coming: Coming,
) -> Result<(), Unfit> {
    let group = match place {
        Place::Known(group) => group,
        Place::Fresh(key) => cube.group(key)?,
        Place::Unknown(about, key) => {
            let goods = cube.goods(about.each_ref().map(|text| &**text))?;
            cube.group(GroupKey { goods, ..key })?
        }
    };
    for loading in loading.iter_mut().filter(|one| one.month == month_of(coming.day)) {
        loading.late.push((size, group, coming));
    }
    cube.add(group, coming, size)
}
