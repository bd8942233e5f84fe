//! The sums of one span of days, end to end in memory, so that a question runs through them once.

use std::collections::HashMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Coming, GroupId, Unfit, month_of, place};
use crate::domain::exact::Exact;

/// Which days the sums of a column are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Span {
    /// A year.
    Year(i32),
    /// A month, counted from the year 0.
    Month(i32),
    /// A day.
    Day(Date),
}

/// Sums of a span of days, one for each group that sold anything then.
pub struct Column {
    /// The days.
    pub span: Span,
    slots: Vec<Slot>,
    /// Quantities and amounts of slots that 64 bits do not hold; such a slot has zeros instead.
    wide: HashMap<u32, [i128; 2]>,
}

/// A sum as it is written down: quantity, amount, group, lines, orders, latest day, scales.
pub type SavedSlot = (i64, i64, u32, u32, i32, u16, [u8; 2]);

/// A sum in 32 bytes.
struct Slot {
    quantity: i64,
    amount: i64,
    group: u32,
    lines: u32,
    orders: i32,
    /// The latest day, as month and day of it.
    latest: u16,
    /// Digits after the point of the quantity and the amount.
    scales: [u8; 2],
}

/// Sums on their way.
#[derive(Clone, Copy)]
pub struct Sum {
    /// Net quantity.
    pub quantity: Exact,
    /// Net amount.
    pub amount: Exact,
    /// Lines.
    pub lines: u64,
    /// Orders; below zero only while some are to come.
    pub orders: i64,
}

impl Span {
    /// The year of a day.
    pub fn year_of(day: Date) -> Self {
        Self::Year(day.year().into())
    }

    /// The month of a day.
    pub fn month_of(day: Date) -> Self {
        Self::Month(month_of(day))
    }

    fn year(self) -> i16 {
        let year = match self {
            Self::Year(year) => year,
            Self::Month(month) => month.div_euclid(12),
            Self::Day(day) => day.year().into(),
        };
        // It is that of a day.
        i16::try_from(year).unwrap_or_default()
    }
}

impl Column {
    /// One without sums.
    pub fn of(span: Span) -> Self {
        Self { span, slots: Vec::new(), wide: HashMap::new() }
    }

    /// A column as it was written down.
    ///
    /// # Errors
    /// [`Unfit`] if it never was.
    pub fn restored(
        span: Span,
        slots: Vec<SavedSlot>,
        wide: Vec<(u32, [String; 2])>,
    ) -> Result<Self, Unfit> {
        let slot = |(quantity, amount, group, lines, orders, latest, scales)| Slot {
            quantity,
            amount,
            group,
            lines,
            orders,
            latest,
            scales,
        };
        let slots = slots.into_iter().map(slot).collect();
        let digits = |text: String| text.parse().map_err(|_| Unfit);
        let wide = wide
            .into_iter()
            .map(|(at, [quantity, amount])| Ok((at, [digits(quantity)?, digits(amount)?])));
        Ok(Self { span, slots, wide: wide.collect::<Result<_, Unfit>>()? })
    }

    /// Its sums, to be written down.
    pub fn saved(&self) -> impl Iterator<Item = SavedSlot> {
        self.slots.iter().map(|slot| {
            let Slot { quantity, amount, group, lines, orders, latest, scales } = *slot;
            (quantity, amount, group, lines, orders, latest, scales)
        })
    }

    /// The quantities and amounts that 64 bits do not hold, by place.
    pub fn wide(&self) -> impl Iterator<Item = (u32, [i128; 2])> {
        self.wide.iter().map(|(at, digits)| (*at, *digits))
    }

    /// The most digits after the point that any quantity and any amount has.
    pub fn scales(&self) -> [u8; 2] {
        let most = |[a, b]: [u8; 2], slot: &Slot| [a.max(slot.scales[0]), b.max(slot.scales[1])];
        self.slots.iter().fold([0, 0], most)
    }

    /// How many sums it has.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Gives the groups, by their places now, other places.
    pub fn move_groups(&mut self, to: &[GroupId]) {
        self.slots.iter_mut().for_each(|slot| slot.group = to[slot.group as usize].0);
    }

    /// The group of the sum at each place.
    pub fn groups(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().map(|slot| slot.group as usize)
    }

    /// A new sum; answers its place.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn push(&mut self, group: GroupId, coming: Coming) -> Result<u32, Unfit> {
        let at = place(self.slots.len())?;
        self.slots.push(Slot {
            quantity: 0,
            amount: 0,
            group: group.0,
            lines: 0,
            orders: 0,
            latest: 0,
            scales: [0, 0],
        });
        self.add(at, coming)?;
        Ok(at)
    }

    /// Adds to the sum at a place.
    ///
    /// # Errors
    /// [`Unfit`]; the sum is of no use from then on.
    pub fn add(&mut self, at: u32, coming: Coming) -> Result<(), Unfit> {
        let held = self.values(at as usize);
        let slot = &mut self.slots[at as usize];
        let mut digits = [0; 2];
        for (n, came) in [coming.quantity, coming.amount].into_iter().enumerate() {
            let scale = u32::from(slot.scales[n]).max(came.scale());
            let sum = held[n].plus(Exact::of(came)).map_err(|_| Unfit)?;
            digits[n] = sum.at(scale).map_err(|_| Unfit)?;
            slot.scales[n] = u8::try_from(scale).map_err(|_| Unfit)?;
        }
        match digits.map(i64::try_from) {
            [Ok(quantity), Ok(amount)] => {
                (slot.quantity, slot.amount) = (quantity, amount);
                if !self.wide.is_empty() {
                    self.wide.remove(&at);
                }
            }
            [_, _] => {
                (slot.quantity, slot.amount) = (0, 0);
                self.wide.insert(at, digits);
            }
        }
        let lines = u32::try_from(coming.lines).map_err(|_| Unfit)?;
        let orders = i32::try_from(coming.orders).map_err(|_| Unfit)?;
        slot.lines = slot.lines.checked_add(lines).ok_or(Unfit)?;
        slot.orders = slot.orders.checked_add(orders).ok_or(Unfit)?;
        // What only counts orders is about lines that came before.
        slot.latest = slot.latest.max(packed(coming.day));
        Ok(())
    }

    /// The group and the sum at each place.
    pub fn sums(&self) -> impl Iterator<Item = (usize, Sum)> {
        self.slots.iter().enumerate().map(|(at, slot)| (slot.group as usize, self.sum_of(at, slot)))
    }

    /// The sum at a place.
    pub fn sum(&self, at: u32) -> Sum {
        self.sum_of(at as usize, &self.slots[at as usize])
    }

    /// The latest day of the sum at a place.
    pub fn latest(&self, at: u32) -> Date {
        let packed = self.slots[at as usize].latest;
        let [month, day] = [packed >> 5, packed & 31].map(|part| part as i8);
        // It was that of a day of this year.
        Date::new(self.span.year(), month, day).unwrap_or(Date::MIN)
    }

    fn sum_of(&self, at: usize, slot: &Slot) -> Sum {
        let [quantity, amount] = self.values_of(at, slot);
        Sum { quantity, amount, lines: slot.lines.into(), orders: slot.orders.into() }
    }

    fn values(&self, at: usize) -> [Exact; 2] {
        self.values_of(at, &self.slots[at])
    }

    fn values_of(&self, at: usize, slot: &Slot) -> [Exact; 2] {
        let mut digits = [slot.quantity.into(), slot.amount.into()];
        if !self.wide.is_empty()
            && let Some(wide) = u32::try_from(at).ok().and_then(|at| self.wide.get(&at))
        {
            digits = *wide;
        }
        let [quantity, amount] = digits;
        let [of_quantity, of_amount] = slot.scales.map(u32::from);
        [Exact::new(quantity, of_quantity), Exact::new(amount, of_amount)]
    }
}

/// Month and day, so that later days are greater.
fn packed(day: Date) -> u16 {
    (day.month() as u16) << 5 | day.day() as u16
}
