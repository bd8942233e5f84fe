//! Text from outside, made fit for one line of a log.
//!
//! Enters: any string. Leaves: the same, with what could break or disguise a line
//! written as `\u{...}`, and cut to a length. It knows nothing of logs.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Longest text kept, in characters.
const LONGEST: usize = 256;

/// `text` on one line: control characters, ANSI escapes, line and paragraph separators and
/// bidirectional controls (Trojan Source, CVE-2021-42574) are written as `\u{...}`; what is
/// longer than 256 characters is cut and ends in `...`.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.chars().any(disguises) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(LONGEST) + 16);
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST {
            out.push_str("...");
            break;
        }
        if disguises(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn disguises(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn what_breaks_or_disguises_a_line_is_spelled_out() {
        assert_eq!(one_line("a\r\nb"), "a\\u{d}\\u{a}b");
        assert_eq!(one_line("\x1b[31mred"), "\\u{1b}[31mred");
        assert_eq!(one_line("pay\u{202e}em"), "pay\\u{202e}em");
        assert_eq!(one_line("Ñandú 出口"), "Ñandú 出口");
        assert_eq!(one_line(&"x".repeat(300)).len(), 259);
    }
}
