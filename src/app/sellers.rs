//! May this company sell abroad: yes, no and why, unknown, or not known yet.
//!
//! Enters: CUITs and the two clocks of the question. Leaves: the smallest answer there is; no
//! name, no cause.

use jiff::Timestamp;
use jiff::civil::Date;

use super::App;
use crate::domain::caller::Caller;
use crate::domain::cuit::Cuit;
use crate::domain::exporter::{Eligibility, Exporter, IneligibleReason, argentine_day};
use crate::domain::ncm::Chapter;
use crate::error::Result;

/// What is asked about a company.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The moment asked about; `None` is now.
    pub at: Option<Timestamp>,
    /// Facts recorded later are left out; `None` is everything known now.
    pub as_known_at: Option<Timestamp>,
    /// The goods asked about; `None` is any.
    pub chapter: Option<Chapter>,
}

/// What is said about one company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The company.
    pub cuit: Cuit,
    /// The answer.
    pub verdict: Verdict,
    /// When it was given.
    pub checked_at: Timestamp,
}

/// The answers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, without a gap since that day.
    Eligible {
        /// The first day.
        since: Date,
    },
    /// No.
    NotEligible {
        /// Why, in a word.
        reason: IneligibleReason,
    },
    /// The registry never sent this company; says nothing against it.
    Unknown,
    /// The registry has been asked and has not answered.
    Checking,
}

impl App {
    /// Answers about one company.
    pub async fn verify_seller(
        &self,
        caller: &Caller,
        cuit: Cuit,
        question: &Question,
    ) -> Result<Answer> {
        let exporter = self.exporter_of(cuit).await?;
        self.answer(caller, cuit, exporter.as_deref(), question, self.env.now()).await
    }

    /// Answers about each company, in the order asked.
    pub async fn verify_sellers(
        &self,
        caller: &Caller,
        cuits: Vec<Cuit>,
        question: &Question,
    ) -> Result<Vec<Answer>> {
        let now = self.env.now();
        let exporters = self.exporters_of(&cuits).await?;
        let mut answers = Vec::with_capacity(cuits.len());
        for cuit in cuits {
            let exporter = exporters.get(&cuit).and_then(Option::as_deref);
            answers.push(self.answer(caller, cuit, exporter, question, now).await?);
        }
        Ok(answers)
    }

    async fn answer(
        &self,
        caller: &Caller,
        cuit: Cuit,
        exporter: Option<&Exporter>,
        question: &Question,
        now: Timestamp,
    ) -> Result<Answer> {
        let day = argentine_day(question.at.unwrap_or(now));
        let eligibility =
            exporter.map(|one| one.eligibility(day, question.as_known_at, question.chapter));
        let verdict = match eligibility {
            Some(Eligibility::Eligible { since }) => Verdict::Eligible { since },
            Some(Eligibility::NotEligible(reason)) => Verdict::NotEligible { reason },
            // Nothing was known of it at that time.
            Some(Eligibility::Unknown) => Verdict::Unknown,
            None => self.unknown_or_waiting(caller, cuit, question).await?,
        };
        Ok(Answer { cuit, verdict, checked_at: now })
    }

    async fn unknown_or_waiting(
        &self,
        caller: &Caller,
        cuit: Cuit,
        question: &Question,
    ) -> Result<Verdict> {
        if question.as_known_at.is_some() {
            return Ok(Verdict::Unknown);
        }
        let waiting = self.waiting_verification(caller.partner(), cuit).await?;
        Ok(if waiting.is_some() { Verdict::Checking } else { Verdict::Unknown })
    }
}

#[cfg(test)]
#[path = "sellers_tests.rs"]
mod tests;
