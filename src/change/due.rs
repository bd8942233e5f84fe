//! The column of documents that the calendar changes by itself.
//!
//! Enters: a day, or none. Leaves: the text of the column, which sorts as days do.

use jiff::civil::Date;

/// The value of a column `due`: the day, or one that never comes.
pub fn due(day: Option<Date>) -> String {
    day.map_or_else(|| NEVER.to_owned(), |day| day.to_string())
}

/// The value of a column `due` where the calendar changes nothing.
pub const NEVER: &str = "9999-12-31";
