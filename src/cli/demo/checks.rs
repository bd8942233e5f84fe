//! What a run found against what it had to find.
//!
//! Enters: names, expected and found values. Leaves: which held. A run that failed a check goes
//! on, so that all of them are told.

use std::fmt::Display;

use serde_json::{Value, json};

use super::screen::Table;

/// All checks of a run.
#[derive(Default)]
pub struct Checks {
    all: Vec<Check>,
}

struct Check {
    section: String,
    name: String,
    expected: String,
    found: String,
}

impl Check {
    fn held(&self) -> bool {
        self.expected == self.found
    }
}

impl Checks {
    /// Holds if both are written the same.
    pub fn equal(
        &mut self,
        section: &str,
        name: impl Into<String>,
        expected: impl Display,
        found: impl Display,
    ) {
        self.all.push(Check {
            section: section.to_owned(),
            name: name.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        });
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// How many did not hold.
    pub fn failed(&self) -> usize {
        self.all.iter().filter(|check| !check.held()).count()
    }

    /// How many held, by section.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Checks", ["Section", "#Checks", "#Held", "#Failed"]);
        let mut sections: Vec<&str> = Vec::new();
        for check in &self.all {
            if !sections.contains(&check.section.as_str()) {
                sections.push(&check.section);
            }
        }
        for section in sections {
            let of_it = || self.all.iter().filter(|check| check.section == section);
            let held = of_it().filter(|check| check.held()).count();
            let all = of_it().count();
            table.row([
                section.to_owned(),
                all.to_string(),
                held.to_string(),
                (all - held).to_string(),
            ]);
        }
        table
    }

    /// Those that did not hold; `None` if all did.
    pub fn failures(&self) -> Option<Table> {
        let mut table = Table::new("Checks that failed", ["Section", "Check", "Expected", "Found"]);
        for check in self.all.iter().filter(|check| !check.held()) {
            let Check { section, name, expected, found } = check;
            table.row([section.clone(), name.clone(), expected.clone(), found.clone()]);
        }
        (self.failed() > 0).then_some(table)
    }

    /// All of them as JSON.
    pub fn document(&self) -> Value {
        let all = self.all.iter().map(|check| {
            json!({
                "section": check.section,
                "name": check.name,
                "expected": check.expected,
                "found": check.found,
                "held": check.held(),
            })
        });
        Value::Array(all.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_fails_is_told_and_the_others_go_on() {
        let mut checks = Checks::default();
        checks.equal("a", "one", 1, "1");
        checks.equal("b", "two", 2, 3);
        assert_eq!((checks.count(), checks.failed()), (2, 1));
        assert!(checks.failures().is_some());
        assert_eq!(checks.document()[1]["held"], false);
    }
}
