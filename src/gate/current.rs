//! The call that this thread works on, for the lines that are logged meanwhile.
//!
//! Enters: which call a handler or an answer is polled for. Leaves: the same to whoever writes
//! the log. A span would do it too, at the price of all that spans can do.

use std::cell::RefCell;

use super::trace::TraceId;
use crate::domain::partner::PartnerId;

/// What a log line says of the call it belongs to.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The method, or `unknown`.
    pub method: &'static str,
    /// Whose call it is, once known.
    pub partner: Option<PartnerId>,
    /// The trace under which the record of calls has it.
    pub trace: TraceId,
}

thread_local! {
    static CURRENT: RefCell<Option<Mark>> = const { RefCell::new(None) };
}

/// What is done for `mark`.
pub(super) fn within<T>(mark: &Mark, work: impl FnOnce() -> T) -> T {
    struct Before(Option<Mark>);
    impl Drop for Before {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _before = Before(CURRENT.replace(Some(mark.clone())));
    work()
}

/// Looks at the mark of the moment.
pub fn look<T>(look: impl FnOnce(Option<&Mark>) -> T) -> T {
    CURRENT.with_borrow(|mark| look(mark.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Env;
    use crate::gate::trace::Trace;

    #[test]
    fn a_mark_holds_while_its_call_is_worked_on_and_not_longer() {
        let trace = Trace::of(&http::HeaderMap::new(), &Env::system());
        let mark = |method| Mark { method, partner: None, trace: trace.id() };
        let method = || look(|mark| mark.map(|mark| mark.method));
        within(&mark("outer"), || {
            within(&mark("inner"), || assert_eq!(method(), Some("inner")));
            assert_eq!(method(), Some("outer"));
            let broken = std::panic::catch_unwind(|| within(&mark("broken"), || panic!("no")));
            assert!(broken.is_err());
            assert_eq!(method(), Some("outer"));
        });
        assert_eq!(method(), None);
    }
}
