//! What a call may carry as metadata.
//!
//! Enters: the request's headers. Leaves: nothing, or the refusal of too much or of binary
//! values that are no base64. It knows nothing of what they mean.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;

use crate::error::Error;

/// What HTTP/2 adds to each header in its count (RFC 9113, 6.5.2).
const EACH: usize = 32;

/// The gRPC protocol takes base64 with and without padding.
const BINARY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Refuses metadata of more than `most` bytes and values of `-bin` keys that are no base64.
///
/// # Errors
/// `METADATA_TOO_LARGE`, `METADATA_INVALID`.
pub(super) fn check(headers: &HeaderMap, most: u32) -> Result<(), Error> {
    let mut size = 0;
    for (name, value) in headers {
        size += name.as_str().len() + value.len() + EACH;
        if name.as_str().ends_with("-bin") && !is_binary(value.as_bytes()) {
            return Err(Error::invalid(
                "METADATA_INVALID",
                name.as_str(),
                "the value of a key that ends in -bin must be base64",
            ));
        }
    }
    if size > most as usize {
        return Err(Error::exhausted(
            "METADATA_TOO_LARGE",
            format!("the call's metadata has {size} bytes, at most {most} are taken"),
            // Sending it again does not help; a client that retries all the same waits.
            Duration::from_secs(60),
        ));
    }
    Ok(())
}

/// Several values may stand in one header, parted by commas.
fn is_binary(value: &[u8]) -> bool {
    value.split(|b| *b == b',').all(|one| BINARY.decode(one.trim_ascii()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, value: &str) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        check(&headers, 16 * 1024)
    }

    #[test]
    fn binary_keys_hold_base64_only() {
        for good in ["", "AAE", "AAE=", "AAE,AAE="] {
            of("x-bin", good).unwrap();
        }
        for bad in ["A", "A*==", "AAE=AAE="] {
            assert_eq!(of("x-bin", bad).unwrap_err().reason, "METADATA_INVALID", "{bad}");
        }
        of("x", "A*").unwrap();
    }

    #[test]
    fn seventeen_kib_are_too_much() {
        of("x", &"a".repeat(15 * 1024)).unwrap();
        let refused = of("x", &"a".repeat(17 * 1024)).unwrap_err();
        assert_eq!(refused.reason, "METADATA_TOO_LARGE");
    }
}
