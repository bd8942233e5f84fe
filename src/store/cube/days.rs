//! Days of a few months: those that were asked about beside whole months.
//!
//! They are put together in a cube of their own while what comes goes on, and then adopted. A day
//! may have several sums of a group: what comes is put behind what is there.

use jiff::civil::Date;

use super::column::{Column, Span};
use super::{Coming, Cube, GroupId, GroupKey, Reach, Unfit, month_of};

/// The most sums by day that are held, some 38 MB of them; a month may have a third of that.
pub const MOST_DAYS: usize = 1_200_000;

/// As of when days were read.
#[derive(Clone, Copy, Debug)]
pub struct DaysRead {
    /// The ledger's size: what came with an entry before that is in them.
    pub size: u64,
    /// The months and years fit the days once they have what the ledger up to this size holds.
    pub settled: u64,
}

/// The days of a month.
pub struct HeldDays {
    month: i32,
    read: DaysRead,
    /// One for each day that anything was sold on.
    columns: Vec<Column>,
    sums: usize,
}

impl Cube {
    /// Adds what came to a group, of which this cube keeps the days alone.
    ///
    /// # Errors
    /// [`Unfit`]; the cube is of no use from then on.
    pub fn add_day(&mut self, group: GroupId, coming: Coming) -> Result<(), Unfit> {
        self.put(group, Span::Day(coming.day), coming)
    }

    /// Whether the days beside whole months are held, if there are any.
    pub fn holds(&self, reach: &Reach) -> bool {
        reach.months_of_days().all(|month| self.holds_month(month))
    }

    /// Whether the days of a month are held.
    pub fn holds_month(&self, month: i32) -> bool {
        self.days.iter().any(|held| held.month == month)
    }

    /// How far the ledger must be taken in for an answer by days beside months, if days are held.
    pub fn settled(&self, reach: &Reach) -> u64 {
        let months = reach.months_of_days();
        let held = months.filter_map(|month| self.days.iter().find(|held| held.month == month));
        held.map(|held| held.read.settled).max().unwrap_or(0)
    }

    /// Takes the days of a month from a cube that has them alone.
    ///
    /// # Errors
    /// [`Unfit`]; this cube is of no use from then on.
    pub fn adopt(&mut self, month: i32, read: DaysRead, days: Self) -> Result<(), Unfit> {
        self.widen(days.scales.map(u32::from))?;
        let mut groups = Vec::with_capacity(days.groups.len());
        for group in &days.groups {
            let about = &days.goods[group.key.goods.0 as usize].about;
            let goods = self.goods(about.each_ref().map(|text| &**text))?;
            groups.push(self.group(GroupKey { goods, ..group.key })?);
        }
        let mut columns = days.columns;
        columns.iter_mut().for_each(|column| column.move_groups(&groups));
        let sums = columns.iter().map(Column::len).sum();
        self.days.retain(|held| held.month != month);
        self.days.push(HeldDays { month, read, columns, sums });
        self.trim_days();
        Ok(())
    }

    /// Adds what came to the days of its month alone, if they are held and do not have it: `size` is
    /// the ledger's after it.
    ///
    /// # Errors
    /// [`Unfit`]; the cube is of no use from then on.
    pub fn add_to_days(&mut self, group: GroupId, coming: Coming, size: u64) -> Result<(), Unfit> {
        let month = month_of(coming.day);
        let lacks = |held: &&mut HeldDays| held.month == month && held.read.size < size;
        let Some(held) = self.days.iter_mut().find(lacks) else { return Ok(()) };
        let span = Span::Day(coming.day);
        let place = held.columns.iter().position(|column| column.span == span);
        let place = place.unwrap_or_else(|| {
            held.columns.push(Column::of(span));
            held.columns.len() - 1
        });
        held.columns[place].push(group, coming)?;
        held.sums += 1;
        self.trim_days();
        Ok(())
    }

    /// Lets go of days where there are too many, of the month that came first.
    fn trim_days(&mut self) {
        while self.days.iter().map(|held| held.sums).sum::<usize>() > MOST_DAYS {
            self.days.remove(0);
        }
    }

    /// The columns of days in these spans, both ends included, as far as they are held.
    pub(super) fn columns_of_days(&self, spans: &[(Date, Date)]) -> impl Iterator<Item = &Column> {
        let columns = self.days.iter().flat_map(|held| &held.columns);
        columns.filter(|column| match column.span {
            Span::Day(day) => spans.iter().any(|(from, to)| *from <= day && day <= *to),
            Span::Year(_) | Span::Month(_) => false,
        })
    }
}
