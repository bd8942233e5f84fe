//! Ids that follow from what they name, so that one thing cannot get two.
//!
//! Enters: a kind and the parts of a natural key. Leaves: the text of a UUID (version 8, from
//! SHA-256), the same for the same parts for ever.

use aws_lc_rs::digest::{Context, SHA256};
use uuid::Builder;

/// The id of the thing of this kind with these parts. Parts are counted, so none can run over
/// into the next.
pub(super) fn derived_id(kind: &str, parts: &[&str]) -> String {
    let mut hash = Context::new(&SHA256);
    for part in std::iter::once(&kind).chain(parts) {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finish();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(derived_id("listing", &["ab", "c"]), derived_id("listing", &["a", "bc"]));
        assert_eq!(derived_id("listing", &["m", "s"]), derived_id("listing", &["m", "s"]));
        assert_eq!(derived_id("listing", &["m", "s"]).len(), 36);
    }
}
