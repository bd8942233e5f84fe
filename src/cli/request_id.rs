//! Request ids that come out the same when the same file is sent again.
//!
//! Enters: what a request is about. Leaves: a UUID of version 8 (RFC 9562) made of its SHA-256,
//! so that running a command again repeats its requests instead of making new ones.

use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 of a file's content.
pub type ContentHash = [u8; 32];

/// The id of the request that these parts describe; the order and the borders of parts count.
pub fn derived(parts: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_same_parts_give_the_same_id_and_others_another() {
        assert_eq!(derived(&[b"a", b"b"]), derived(&[b"a", b"b"]));
        assert_ne!(derived(&[b"a", b"b"]), derived(&[b"ab"]));
        let id: Uuid = derived(&[b"a"]).parse().unwrap();
        assert_eq!(id.get_version_num(), 8);
    }
}
