//! Listings from draft to withdrawal.
