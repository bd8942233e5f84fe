//! Whether what is kept of sums is what the stored lines add up to.
//!
//! Enters: nothing. Leaves: how much was looked at, and each number that differs.

/// What a check of all sums has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SumsCheck {
    /// Lines read.
    pub lines: u64,
    /// Rollup cells compared.
    pub cells: u64,
    /// Reports compared.
    pub reports: u64,
    /// What differs, up to the number asked for.
    pub differences: Vec<Difference>,
    /// How many differences there are in all.
    pub found: u64,
}

/// A number that is not what the lines add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Which row of it.
    pub row: String,
    /// Which number of that.
    pub what: &'static str,
    /// As it is kept; empty if the row is missing.
    pub kept: String,
    /// As the lines say; empty if the row should not be there.
    pub lines: String,
}
