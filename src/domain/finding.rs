//! What customs found about a difference: explanations of an item, and that it was handed on.
//!
//! Enters: where an item or a listing stands, and what customs says. Leaves: [`Findings`], or why
//! there is nothing to say. An explanation brings stock nearer to nothing and never beyond it.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::decimal::Quantity;
use super::fault::Fault;
use super::partner::PartnerId;
use super::reconciliation::{Cause, Explained, ItemState, Position};
use super::text::Note;

/// The most explanations of one item; a real one has a few.
const MAX_EXPLANATIONS: usize = 1000;

/// Why stock is missing, or sales are above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemExplanation {
    /// The cause.
    pub cause: Cause,
    /// How much, in statistical units; below zero only for a unit error that takes away.
    pub quantity: Quantity,
    /// What that rests on.
    pub evidence: Note,
    /// Who explained it.
    pub by: PartnerId,
    /// When.
    pub at: Timestamp,
}

/// That a difference was handed on to be looked into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Why.
    pub reason: Note,
    /// Who did it.
    pub by: PartnerId,
    /// When.
    pub at: Timestamp,
}

/// What customs found about an item of a declaration, or about what was sold of a listing under no
/// declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Explanations, the oldest first.
    #[serde(default)]
    pub explanations: Vec<ItemExplanation>,
    /// The last escalation.
    #[serde(default)]
    pub escalation: Option<Escalation>,
}

impl Findings {
    /// The explanations as the fold takes them.
    pub fn explained(&self) -> Vec<Explained> {
        let explanations = self.explanations.iter();
        explanations.map(|one| Explained { cause: one.cause, quantity: one.quantity }).collect()
    }

    /// Explains part of where the item stands.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` (metadata `state`, `allowed`) where there is nothing of that kind to
    /// explain; `EXPLAINS_TOO_MUCH` (metadata `state`, `allowed`, `stock`, `asked`);
    /// `TOO_MANY_EXPLANATIONS`; `INVALID_QUANTITY` for a quantity that the cause does not take.
    pub fn explain(
        &mut self,
        position: &Position,
        explanation: ItemExplanation,
    ) -> Result<(), Fault> {
        let ItemExplanation { cause, quantity, .. } = &explanation;
        let may_take_away = *cause == Cause::UnitError;
        if quantity.is_zero() || (quantity.is_negative() && !may_take_away) {
            let message = "a quantity is above zero; below zero it corrects what was shipped, \
                           which is a UNIT_ERROR";
            return Err(Fault::malformed("INVALID_QUANTITY", message).at("quantity"));
        }
        // What it does to the stock that is left.
        let change = if may_take_away { quantity.value() } else { -quantity.value() };
        let takes_away = change < Decimal::ZERO;
        let allowed: &[ItemState] = match takes_away {
            true => &[
                ItemState::Shipped,
                ItemState::OpenStock,
                ItemState::Overdue,
                ItemState::Escalated,
            ],
            false => &[ItemState::Oversold, ItemState::Escalated],
        };
        let there = if takes_away { position.stock } else { -position.stock };
        if !allowed.contains(&position.state) || there <= Decimal::ZERO {
            let step = format!("explaining a difference by {cause}");
            return Err(Fault::illegal_transition(&step, position.state, allowed));
        }
        if change.abs() > there {
            let message = format!(
                "{} are to be explained at most: more would be a new difference",
                there.normalize()
            );
            let states = allowed.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Fault::illegal_state("EXPLAINS_TOO_MUCH", message)
                .with("state", position.state)
                .with("allowed", states)
                .with("stock", position.stock.normalize())
                .with("asked", quantity)
                .at("quantity"));
        }
        if self.explanations.len() >= MAX_EXPLANATIONS {
            return Err(Fault::illegal_state(
                "TOO_MANY_EXPLANATIONS",
                format!("an item is explained at most {MAX_EXPLANATIONS} times"),
            ));
        }
        self.explanations.push(explanation);
        Ok(())
    }

    /// Hands on a difference.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` (metadata `state`, `allowed`) where there is none, or where it was
    /// handed on before.
    pub fn escalate(&mut self, state: ItemState, escalation: Escalation) -> Result<(), Fault> {
        const ALLOWED: [ItemState; 3] =
            [ItemState::Oversold, ItemState::Overdue, ItemState::Undeclared];
        if !ALLOWED.contains(&state) {
            return Err(Fault::illegal_transition("escalating a difference", state, &ALLOWED));
        }
        self.escalation = Some(escalation);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reconciliation::ItemKey;

    fn position(state: ItemState, stock: &str) -> Position {
        Position {
            key: ItemKey { declaration: "26001EC01000001A".parse().unwrap(), item: 1 },
            declared: Decimal::ONE_HUNDRED,
            shipped: Decimal::ONE_HUNDRED,
            net_sold: Decimal::ONE_HUNDRED - stock.parse::<Decimal>().unwrap(),
            reimported: Decimal::ZERO,
            written_off: Decimal::ZERO,
            stock: stock.parse().unwrap(),
            sell_by: None,
            state,
        }
    }

    fn explanation(cause: Cause, quantity: &str) -> ItemExplanation {
        ItemExplanation {
            cause,
            quantity: quantity.parse().unwrap(),
            evidence: "survey report 7".parse().unwrap(),
            by: "customs".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn explain(state: ItemState, stock: &str, cause: Cause, quantity: &str) -> Result<(), Fault> {
        Findings::default().explain(&position(state, stock), explanation(cause, quantity))
    }

    #[test]
    fn an_explanation_brings_stock_to_nothing_and_not_beyond() {
        use ItemState::{Balanced, Declared, Escalated, Explained, OpenStock, Overdue, Oversold};
        for (state, stock, cause, quantity) in [
            (OpenStock, "40", Cause::Loss, "40"),
            (ItemState::Shipped, "100", Cause::Damage, "0.5"),
            (Overdue, "40", Cause::Reimport, "40"),
            (Escalated, "40", Cause::Sample, "1"),
            (Escalated, "-5", Cause::UnitError, "5"),
            (Oversold, "-5", Cause::UnitError, "5"),
            (OpenStock, "40", Cause::UnitError, "-40"),
        ] {
            assert_eq!(explain(state, stock, cause, quantity), Ok(()), "{state} {cause}");
        }
        for (state, stock, cause, quantity, reason) in [
            (OpenStock, "40", Cause::Loss, "40.1", "EXPLAINS_TOO_MUCH"),
            (Oversold, "-5", Cause::UnitError, "6", "EXPLAINS_TOO_MUCH"),
            (Oversold, "-5", Cause::Loss, "5", "ILLEGAL_TRANSITION"),
            (Escalated, "-5", Cause::Loss, "5", "ILLEGAL_TRANSITION"),
            (OpenStock, "40", Cause::UnitError, "1", "ILLEGAL_TRANSITION"),
            (Balanced, "0", Cause::Loss, "1", "ILLEGAL_TRANSITION"),
            (Explained, "0", Cause::UnitError, "-1", "ILLEGAL_TRANSITION"),
            (Declared, "0", Cause::Sample, "1", "ILLEGAL_TRANSITION"),
            (OpenStock, "40", Cause::Loss, "-1", "INVALID_QUANTITY"),
            (OpenStock, "40", Cause::UnitError, "0", "INVALID_QUANTITY"),
        ] {
            let fault = explain(state, stock, cause, quantity).unwrap_err();
            assert_eq!(fault.reason, reason, "{state} {cause} {quantity}");
            if reason != "INVALID_QUANTITY" {
                assert_eq!(fault.metadata[0], ("state", state.to_string()));
                assert_eq!(fault.metadata[1].0, "allowed");
            }
        }
    }

    #[test]
    fn only_a_difference_is_handed_on_and_once() {
        let escalation = || Escalation {
            reason: "nobody answers".parse().unwrap(),
            by: "customs".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
        };
        for state in ItemState::ALL.iter().copied() {
            let judged = Findings::default().escalate(state, escalation());
            let open = state.is_discrepancy() && state != ItemState::Escalated;
            match judged {
                Ok(()) => assert!(open, "{state}"),
                Err(fault) => {
                    assert!(!open, "{state}");
                    assert_eq!(fault.reason, "ILLEGAL_TRANSITION");
                    let allowed = ("allowed", "OVERSOLD, OVERDUE, UNDECLARED".to_owned());
                    assert_eq!(fault.metadata, [("state", state.to_string()), allowed]);
                }
            }
        }
    }
}
