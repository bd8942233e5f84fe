//! Clearance, part by part.
