//! Numbers that look random and are the same for the same seed.

/// xorshift64.
pub struct Random(u64);

impl Random {
    /// Any seed, zero too.
    pub fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ seed)
    }

    /// A number from 0 to `bound`, itself not included.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
