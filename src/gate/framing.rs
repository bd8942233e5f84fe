//! Where messages begin in the bytes of a call.
//!
//! Enters: a body's bytes, cut anywhere. Leaves: how many messages begin in them. It knows
//! nothing of what they say.

/// Before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// How far the message of the moment is.
#[derive(Default)]
pub(super) struct Framing {
    prefix: [u8; PREFIX],
    known: usize,
    left: usize,
}

impl Framing {
    /// How many messages have their first byte in `data`, which follows what came before.
    pub(super) fn begun(&mut self, mut data: &[u8]) -> u32 {
        let mut begun = 0;
        while let Some((first, rest)) = data.split_first() {
            if self.known < PREFIX {
                begun += u32::from(self.known == 0);
                (self.prefix[self.known], data) = (*first, rest);
                self.known += 1;
                let [_, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length) as usize;
            } else {
                let here = self.left.min(data.len());
                data = &data[here..];
                self.left -= here;
            }
            if self.known == PREFIX && self.left == 0 {
                self.known = 0;
            }
        }
        begun
    }
}

#[cfg(test)]
mod tests {
    use super::Framing;

    #[test]
    fn messages_are_counted_once_however_they_are_cut() {
        let three = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x01z";
        for cut in 0..=three.len() {
            let (head, tail) = three.split_at(cut);
            let mut framing = Framing::default();
            assert_eq!(framing.begun(head) + framing.begun(b"") + framing.begun(tail), 3, "{cut}");
            assert_eq!(framing.begun(b"\0"), 1, "{cut}");
        }
    }
}
