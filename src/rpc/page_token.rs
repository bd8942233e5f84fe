//! Page tokens: where a list goes on, sealed so that they are worth nothing elsewhere.
//!
//! Enters: a list request. Leaves: how many items from which key on, and the token of the next
//! page. A token is AES-256-GCM over the key after which the page begins (keys can be CUITs, so
//! it is encrypted, not only signed), bound to the partner, the method and the question asked.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;

use super::wire::{self, Digest};
use crate::domain::caller::Caller;
use crate::error::{Error, Result};

/// Items on a page when the caller does not say.
const DEFAULT_PAGE: u32 = 100;
/// The most items on a page.
const MAX_PAGE: i32 = 1000;
/// The longest token that is looked at, in characters.
const MAX_TOKEN: usize = 1024;

/// Opens and seals page tokens; clones share the key.
#[derive(Clone)]
pub struct PageTokens(Arc<RandomizedNonceKey>);

/// A request for a page; `paged!` implements it.
pub trait Paged: Message {
    /// Takes page size and page token out, so that what is left is the question itself.
    fn take_page(&mut self) -> (i32, String);
}

/// Says of request messages that they ask for a page (AIP-158).
macro_rules! paged {
    ($($Request:ty),+ $(,)?) => {
        $(impl $crate::rpc::page_token::Paged for $Request {
            fn take_page(&mut self) -> (i32, String) {
                (std::mem::take(&mut self.page_size), std::mem::take(&mut self.page_token))
            }
        })+
    };
}
pub(crate) use paged;

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// At most so many items.
    pub limit: u32,
    /// The key after which the page begins; empty for the first page.
    pub after: String,
    binding: Vec<u8>,
}

impl PageTokens {
    /// Seals with this key; replicas that share it understand each other's tokens.
    ///
    /// # Errors
    /// Never for 32 bytes; the library's signature says otherwise.
    pub fn new(key: &[u8; 32]) -> Result<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key)
            .map_err(|_| Error::internal("page token key"))?;
        Ok(Self(Arc::new(key)))
    }

    /// Reads page size and token off `request`, which keeps the question only.
    ///
    /// # Errors
    /// `INVALID_FIELD` for a page size outside 0 to 1,000; `INVALID_PAGE_TOKEN` for a token that
    /// is not from an answer to this partner, method and question.
    pub fn open<R: Paged>(&self, caller: &Caller, request: &mut R) -> Result<Asked> {
        let (size, token) = request.take_page();
        let limit = match size {
            0 => DEFAULT_PAGE,
            1..=MAX_PAGE => size.unsigned_abs(),
            _ => {
                return Err(wire::invalid("page_size", "a page has 1 to 1,000 items; 0 means 100"));
            }
        };
        let binding = binding(caller, &wire::digest(caller.method(), request));
        let after = if token.is_empty() {
            String::new()
        } else {
            self.unseal(&token, &binding).ok_or_else(|| {
                Error::invalid(
                    "INVALID_PAGE_TOKEN",
                    "page_token",
                    "the token is not from an answer to this question: send next_page_token as \
                     it came, with all other fields as they were, or begin again without it",
                )
            })?
        };
        Ok(Asked { limit, after, binding })
    }

    /// The token of the page after this one; empty at the end.
    pub fn next(&self, asked: &Asked, next: Option<&str>) -> Result<String> {
        next.map_or(Ok(String::new()), |after| self.seal(&asked.binding, after))
    }

    /// What `text` is worth to whoever asks what `binding` is made of, and to nobody else.
    pub(super) fn seal(&self, binding: &[u8], text: &str) -> Result<String> {
        let mut sealed = text.as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(binding), &mut sealed)
            .map_err(|_| Error::internal("page token seal"))?;
        let mut token = nonce.as_ref().to_vec();
        token.append(&mut sealed);
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// The text that was sealed for this binding; none for anything else.
    pub(super) fn unseal(&self, token: &str, binding: &[u8]) -> Option<String> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(binding), &mut sealed).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

/// Partner and question; the method is part of the question's digest.
pub(super) fn binding(caller: &Caller, question: &Digest) -> Vec<u8> {
    let mut binding = question.to_vec();
    binding.extend_from_slice(caller.partner().as_str().as_bytes());
    binding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::caller::Admission;
    use crate::domain::partner::Role;
    use crate::domain::scope::ScopeSet;
    use crate::proto::puente::access::v1::ListPartnersRequest;

    fn caller(partner: &str, method: &str) -> Caller {
        Caller::admitted(Admission {
            partner: partner.parse().unwrap(),
            role: Role::Operator,
            agency: None,
            scopes: ScopeSet::EMPTY,
            method: method.to_owned().into(),
            client_address: "".into(),
            certificate_thumbprint: "".into(),
            trace_id: String::new(),
        })
    }

    fn ask(page_size: i32, page_token: &str, role: i32) -> ListPartnersRequest {
        ListPartnersRequest { page_size, page_token: page_token.to_owned(), role, state: 0 }
    }

    #[test]
    fn a_token_opens_for_its_own_question_only() {
        let pages = PageTokens::new(&[7; 32]).unwrap();
        let me = caller("operator", "/p.S/List");
        let first = pages.open(&me, &mut ask(2, "", 0)).unwrap();
        assert_eq!((first.limit, first.after.as_str()), (2, ""));
        let token = pages.next(&first, Some("30500010912")).unwrap();
        assert!(!token.contains("30500010912"));

        let second = pages.open(&me, &mut ask(5, &token, 0)).unwrap();
        assert_eq!((second.limit, second.after.as_str()), (5, "30500010912"));
        let refused = |pages: &PageTokens, who: &Caller, mut asked: ListPartnersRequest| {
            assert_eq!(pages.open(who, &mut asked).unwrap_err().reason, "INVALID_PAGE_TOKEN");
        };
        refused(&pages, &me, ask(2, &token, 1));
        refused(&pages, &me, ask(2, &token[1..], 0));
        refused(&pages, &me, ask(2, "ñ", 0));
        refused(&pages, &caller("other", "/p.S/List"), ask(2, &token, 0));
        refused(&pages, &caller("operator", "/p.S/Other"), ask(2, &token, 0));
        refused(&PageTokens::new(&[8; 32]).unwrap(), &me, ask(2, &token, 0));
        assert_eq!(pages.next(&second, None).unwrap(), "");
    }

    #[test]
    fn sizes_stay_within_bounds() {
        let pages = PageTokens::new(&[7; 32]).unwrap();
        let me = caller("operator", "/p.S/List");
        assert_eq!(pages.open(&me, &mut ask(0, "", 0)).unwrap().limit, 100);
        assert_eq!(pages.open(&me, &mut ask(1000, "", 0)).unwrap().limit, 1000);
        for size in [-1, 1001, i32::MIN] {
            assert_eq!(pages.open(&me, &mut ask(size, "", 0)).unwrap_err().reason, "INVALID_FIELD");
        }
    }
}
