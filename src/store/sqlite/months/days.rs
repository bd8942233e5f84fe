//! Days of months, read when a question is about a part of a month.
//!
//! Enters: the months. Leaves: a cube that has their days too, and goes on having them as lines
//! come. The first such question pays for reading a month's cells, the next ones do not.

use std::sync::atomic::Ordering;

use jiff::civil::Date;

use super::{Held, Loading, Months};
use crate::store::cube::{Cube, DaysRead, MOST_DAYS, Reach};
use crate::store::sqlite::{connect, group, read_only};

impl Months {
    /// Sees to it that the days beside whole months are held, if they fit and nobody else is
    /// reading them.
    pub(super) fn hold_days(&self, reach: &Reach) -> rusqlite::Result<()> {
        for month in reach.months_of_days() {
            let Some(number) = self.begin(month, reach) else { continue };
            let read = self.days(month);
            let mut held = self.held_to_change();
            // Where the sums were read anew meanwhile, this attempt is forgotten.
            let Some(at) = held.loading.iter().position(|one| one.number == number) else {
                continue;
            };
            let Loading { late, .. } = held.loading.swap_remove(at);
            let Held { cube: Some(cube), crowded, .. } = &mut *held else { continue };
            let Some((read, days)) = read? else {
                crowded.insert(month);
                continue;
            };
            let adopted = cube.adopt(month, read, days).and_then(|()| {
                let mut late = late.into_iter();
                late.try_for_each(|(size, group, coming)| cube.add_to_days(group, coming, size))
            });
            if adopted.is_err() {
                super::give_up(&mut held);
            }
        }
        Ok(())
    }

    /// Begins to take down what comes to the month; answers the attempt's number, if there is to be
    /// one.
    fn begin(&self, month: i32, reach: &Reach) -> Option<u64> {
        let held = self.held();
        if held.cube.as_ref().is_none_or(|cube| cube.holds(reach)) {
            return None;
        }
        drop(held);
        let mut held = self.held_to_change();
        let Held { cube: Some(cube), loading, crowded, .. } = &mut *held else { return None };
        if cube.holds_month(month)
            || crowded.contains(&month)
            || loading.iter().any(|one| one.month == month)
        {
            return None;
        }
        let number = self.attempts.fetch_add(1, Ordering::SeqCst);
        loading.push(Loading { month, number, late: Vec::new() });
        Some(number)
    }

    /// The days of the month; `None` if there are too many.
    fn days(&self, month: i32) -> rusqlite::Result<Option<(DaysRead, Cube)>> {
        let connection = connect(&self.path, read_only())?;
        let snapshot = connection.unchecked_transaction()?;
        let size = group::tree(&snapshot)?.size();
        // After the look: what it shows was announced before.
        let read = DaysRead { size, settled: self.announced.load(Ordering::SeqCst) };
        let mut days = Cube::default();
        let few = |days: &Cube| days.sums() <= MOST_DAYS / 3;
        let (year, month) = (month.div_euclid(12) as i16, month.rem_euclid(12) as i8 + 1);
        let Ok(first) = Date::new(year, month, 1) else { return Ok(Some((read, days))) };
        let within = Some((first, first.last_of_month()));
        let fits = super::read::all(&snapshot, within, &mut days, |days, group, coming| {
            days.add_day(group, coming)?;
            Ok(few(days) && !self.stopped())
        })?;
        Ok((fits.is_ok() && few(&days) && !self.stopped()).then_some((read, days)))
    }
}
