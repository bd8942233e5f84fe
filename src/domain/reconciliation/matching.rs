//! The fold itself: nets each sale, then gives it to the oldest stock.
//!
//! Enters: items and movements in any order. Leaves: positions and matches in canonical order.

use std::collections::HashMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::state;
use super::{
    Folded, ItemKey, ItemState, Match, Movement, Named, NetByName, Position, Share, Standing,
    StockItem, Sums, plus,
};
use crate::domain::fault::Fault;
use crate::domain::text::LineId;

/// Where a listing stands on `today`, and which sale went where, from all its items and movements.
///
/// # Errors
/// `AMOUNT_OUT_OF_RANGE` if a sum does not fit 28 digits.
pub fn fold(
    items: Vec<StockItem>,
    mut movements: Vec<Movement>,
    today: Date,
) -> Result<Folded, Fault> {
    movements.sort_by(|a, b| (a.at, &a.line).cmp(&(b.at, &b.line)));
    let (mut sales, beyond) = net(&movements)?;
    sales.retain(|sale| !sale.left.is_zero());
    // Stable: by moment within each name.
    sales.sort_by_key(|sale| sale.named);
    let mut shelves = Shelves::of(items)?;
    let mut matches: Vec<Match> = Vec::with_capacity(sales.len());
    for sale in sales {
        shelves.fill(sale.named, sale.left, |item, quantity| match matches.last_mut() {
            // What is sold above stock stays with an item that may have had some.
            Some(last) if last.line == *sale.line && last.item == item => last.quantity += quantity,
            Some(_) | None => matches.push(Match { line: sale.line.clone(), item, quantity }),
        })?;
    }
    Ok(Folded { standing: shelves.standing(beyond, today)?, matches })
}

/// Where a listing stands on `today`, from all its items and one sum for each name: as [`fold`]
/// says, without looking at a single sale.
///
/// # Errors
/// `AMOUNT_OUT_OF_RANGE` if a sum does not fit 28 digits.
pub fn stand(items: Vec<StockItem>, net: &NetByName, today: Date) -> Result<Standing, Fault> {
    let (standing, _shares) = shares(items, net, today)?;
    Ok(standing)
}

/// As [`stand`], with how much of each sum went to which item: by name, then by item.
///
/// # Errors
/// Those of [`stand`].
pub fn shares(
    items: Vec<StockItem>,
    net: &NetByName,
    today: Date,
) -> Result<(Standing, Vec<Share>), Fault> {
    let mut shelves = Shelves::of(items)?;
    let mut beyond = Decimal::ZERO;
    let mut shares: Vec<Share> = Vec::with_capacity(net.len());
    for (named, sum) in net {
        if sum.is_sign_negative() {
            beyond = plus(beyond, -*sum)?;
        } else {
            let named = *named;
            shelves.fill(named, *sum, |item, quantity| match shares.last_mut() {
                // What is sold above stock stays with an item that may have had some.
                Some(last) if last.named == named && last.item == item => last.quantity += quantity,
                Some(_) | None => shares.push(Share { named, item, quantity }),
            })?;
        }
    }
    Ok((shelves.standing(beyond, today)?, shares))
}

/// The items of a listing while sales are given to them, oldest first.
struct Shelves {
    items: Vec<(StockItem, Shelf)>,
    undeclared: Decimal,
    /// All before this place are sold out.
    first_open: usize,
}

impl Shelves {
    fn of(mut items: Vec<StockItem>) -> Result<Self, Fault> {
        items.sort_by_key(|item| (item.officialised_on, item.key));
        let shelved = items.into_iter().map(|item| {
            let shelf = Shelf::of(&item)?;
            Ok((item, shelf))
        });
        Ok(Self {
            items: shelved.collect::<Result<_, Fault>>()?,
            undeclared: Decimal::ZERO,
            first_open: 0,
        })
    }

    /// Gives a net quantity to the items that its name allows, and says which took how much.
    fn fill(
        &mut self,
        named: Named,
        mut left: Decimal,
        mut took: impl FnMut(Option<ItemKey>, Decimal),
    ) -> Result<(), Fault> {
        while self.items.get(self.first_open).is_some_and(|(_, shelf)| shelf.room <= Decimal::ZERO)
        {
            self.first_open += 1;
        }
        for (item, shelf) in self.items.iter_mut().skip(self.first_open) {
            let part = shelf.room.min(left);
            if part > Decimal::ZERO && named.allows(item.key) {
                shelf.take(part)?;
                took(Some(item.key), part);
                left -= part;
            }
            if left.is_zero() {
                break;
            }
        }
        if left.is_zero() {
            return Ok(());
        }
        match self.items.iter_mut().rfind(|(item, _)| named.allows(item.key)) {
            Some((item, shelf)) => {
                shelf.take(left)?;
                took(Some(item.key), left);
            }
            None => {
                self.undeclared = plus(self.undeclared, left)?;
                took(None, left);
            }
        }
        Ok(())
    }

    fn standing(self, beyond: Decimal, today: Date) -> Result<Standing, Fault> {
        let positions = self.items.iter().map(|(item, shelf)| shelf.position(item, today));
        Ok(Standing {
            positions: positions.collect::<Result<_, _>>()?,
            undeclared: self.undeclared,
            beyond,
        })
    }
}

/// A sale with what is left of it once all that came back is taken off.
struct Sale<'m> {
    line: &'m LineId,
    named: Named,
    left: Decimal,
}

impl Sale<'_> {
    /// Takes off up to `quantity`; answers how much.
    fn give_back(&mut self, quantity: Decimal) -> Decimal {
        let part = self.left.min(quantity);
        self.left -= part;
        part
    }
}

/// Sales in canonical order, net; and what came back beyond all of them.
fn net(movements: &[Movement]) -> Result<(Vec<Sale<'_>>, Decimal), Fault> {
    let mut sales: Vec<Sale<'_>> = movements
        .iter()
        .filter(|movement| movement.quantity.value() > Decimal::ZERO)
        .map(|one| Sale { line: &one.line, named: one.named, left: one.quantity.value() })
        .collect();
    let places: HashMap<_, _> =
        sales.iter().enumerate().map(|(place, sale)| (sale.line, place)).collect();
    let mut uncited: HashMap<Named, Decimal> = HashMap::new();
    for back in movements.iter().filter(|movement| movement.quantity.is_negative()) {
        let quantity = -back.quantity.value();
        let (named, left) = match back.original.as_ref().and_then(|line| places.get(line)) {
            Some(place) => {
                let sale = &mut sales[*place];
                (sale.named, quantity - sale.give_back(quantity))
            }
            None => (back.named, quantity),
        };
        let sum = uncited.entry(named).or_default();
        *sum = plus(*sum, left)?;
    }
    for sale in sales.iter_mut().rev() {
        if let Some(sum) = uncited.get_mut(&sale.named) {
            *sum -= sale.give_back(*sum);
        }
    }
    let beyond = uncited.values().try_fold(Decimal::ZERO, |sum, left| plus(sum, *left))?;
    Ok((sales, beyond))
}

/// An item while sales are given to it.
struct Shelf {
    sums: Sums,
    sold: Decimal,
    room: Decimal,
}

impl Shelf {
    fn of(item: &StockItem) -> Result<Self, Fault> {
        let sums = item.sums()?;
        Ok(Self { sums, sold: Decimal::ZERO, room: sums.to_sell()? })
    }

    fn take(&mut self, quantity: Decimal) -> Result<(), Fault> {
        self.sold = plus(self.sold, quantity)?;
        self.room = plus(self.room, -quantity)?;
        Ok(())
    }

    fn position(&self, item: &StockItem, today: Date) -> Result<Position, Fault> {
        let Sums { shipped, reimported, written_off } = self.sums;
        let stock = plus(self.sums.to_sell()?, -self.sold)?;
        let mut position = Position {
            key: item.key,
            declared: item.declared.value(),
            shipped,
            net_sold: self.sold,
            reimported,
            written_off,
            stock,
            sell_by: item.sell_by(stock),
            state: ItemState::Declared,
        };
        position.state = state::of(item, &position, today);
        Ok(position)
    }
}
