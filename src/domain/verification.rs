//! Verifications: a marketplace asks the registry to look into a company.
//!
//! Enters: the request, the registry's decisions, and what becomes of the exporter later. Leaves:
//! a changed [`Verification`] or a fault that names the state and where the step may start.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cuit::Cuit;
use super::exporter::EligibilityStatus;
use super::fault::Fault;
use super::partner::PartnerId;
use super::text::Note;

named_enum! {
    /// How far a verification is.
    pub enum VerificationState ("a verification's state", "INVALID_FIELD") {
        /// Waits for the registry.
        Requested = "REQUESTED",
        /// The registry looks into it.
        Checking = "CHECKING",
        /// The registry needs to know more.
        NeedsInfo = "NEEDS_INFO",
        /// The seller is who it says and may sell abroad.
        Verified = "VERIFIED",
        /// It is not or may not; final.
        Rejected = "REJECTED",
        /// Was verified; eligibility has run out.
        Expired = "EXPIRED",
        /// Was verified; the exporter is suspended for now.
        Suspended = "SUSPENDED",
        /// Was verified; the exporter is revoked. Final.
        Revoked = "REVOKED",
    }
}

named_enum! {
    /// What the registry decides.
    pub enum Decision ("a decision", "INVALID_FIELD") {
        /// Looks into it; from REQUESTED or NEEDS_INFO.
        StartChecking = "START_CHECKING",
        /// It is who it says and may; from REQUESTED or CHECKING.
        Verify = "VERIFY",
        /// It is not or may not; from REQUESTED or CHECKING. Needs a note.
        Reject = "REJECT",
        /// More must be known; from REQUESTED or CHECKING. Needs a note.
        NeedsInfo = "NEEDS_INFO",
    }
}

impl Decision {
    /// The states from which it can be taken, and the one it leads to.
    const fn step(self) -> (&'static [VerificationState], VerificationState) {
        use VerificationState::*;
        match self {
            Self::StartChecking => (&[Requested, NeedsInfo], Checking),
            Self::Verify => (&[Requested, Checking], Verified),
            Self::Reject => (&[Requested, Checking], Rejected),
            Self::NeedsInfo => (&[Requested, Checking], NeedsInfo),
        }
    }
}

/// A marketplace's request to the registry to look into a company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Its id.
    pub id: Uuid,
    /// Who asked.
    pub requester: PartnerId,
    /// The company.
    pub cuit: Cuit,
    /// What the requester told the registry.
    #[serde(default)]
    pub message: Option<Note>,
    /// How far it is.
    pub state: VerificationState,
    /// What the registry told the requester.
    #[serde(default)]
    pub note: Option<Note>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Verification {
    /// A request that waits for the registry.
    pub fn request(
        id: Uuid,
        requester: PartnerId,
        cuit: Cuit,
        message: Option<Note>,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            requester,
            cuit,
            message,
            state: VerificationState::Requested,
            note: None,
            created_at: at,
            updated_at: at,
        }
    }

    /// Takes the registry's decision.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` (metadata `state`, `allowed`); `NOTE_REQUIRED` to reject or to ask.
    pub fn decide(
        &mut self,
        decision: Decision,
        note: Option<Note>,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let (allowed, next) = decision.step();
        if !allowed.contains(&self.state) {
            return Err(Fault::illegal_transition(decision.as_str(), self.state, allowed));
        }
        if matches!(decision, Decision::Reject | Decision::NeedsInfo) && note.is_none() {
            return Err(Fault::malformed(
                "NOTE_REQUIRED",
                "to reject or to ask for information, say in the note why or what",
            )
            .at("note"));
        }
        self.state = next;
        self.note = note;
        self.updated_at = at;
        Ok(())
    }

    /// Follows the exporter's status of today (`None`: no fact holds). Only what was verified
    /// once follows; true if the state changed.
    pub fn follow(&mut self, status: Option<EligibilityStatus>) -> bool {
        use VerificationState::*;
        let next = match (self.state, status) {
            (Verified | Expired | Suspended, Some(EligibilityStatus::Eligible)) => Verified,
            (Verified | Expired | Suspended, Some(EligibilityStatus::Suspended)) => Suspended,
            (Verified | Expired | Suspended, Some(EligibilityStatus::Revoked)) => Revoked,
            (Verified | Expired | Suspended, None) => Expired,
            (Requested | Checking | NeedsInfo | Rejected | Revoked, _) => self.state,
        };
        std::mem::replace(&mut self.state, next) != next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verification(state: VerificationState) -> Verification {
        let (requester, cuit) = ("marketplace".parse().unwrap(), "30500010912".parse().unwrap());
        let mut one =
            Verification::request(Uuid::nil(), requester, cuit, None, Timestamp::UNIX_EPOCH);
        one.state = state;
        one
    }

    #[test]
    fn every_step_is_possible_from_its_states_and_no_other() {
        for decision in Decision::ALL {
            let (allowed, next) = decision.step();
            for state in VerificationState::ALL {
                let mut one = verification(*state);
                let note = Some("because".parse().unwrap());
                let taken = one.decide(*decision, note, Timestamp::UNIX_EPOCH);
                if allowed.contains(state) {
                    taken.unwrap();
                    assert_eq!(one.state, next);
                } else {
                    let fault = taken.unwrap_err();
                    assert_eq!(fault.reason, "ILLEGAL_TRANSITION");
                    assert!(fault.metadata.contains(&("state", state.to_string())));
                    assert_eq!(one.state, *state);
                }
            }
        }
    }

    #[test]
    fn a_refusal_needs_a_note() {
        let mut one = verification(VerificationState::Requested);
        let fault = one.decide(Decision::Reject, None, Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(fault.reason, "NOTE_REQUIRED");
    }

    #[test]
    fn what_was_verified_follows_the_exporter() {
        use EligibilityStatus::*;
        let mut one = verification(VerificationState::Verified);
        assert!(!one.follow(Some(Eligible)));
        assert!(one.follow(Some(Suspended)));
        assert!(one.follow(None));
        assert_eq!(one.state, VerificationState::Expired);
        assert!(one.follow(Some(Eligible)) && one.state == VerificationState::Verified);
        assert!(one.follow(Some(Revoked)));
        assert!(!one.follow(Some(Eligible)), "final");
        assert!(!verification(VerificationState::Requested).follow(Some(Revoked)));
    }
}
