//! `puente push`: what a marketplace sends.

use super::{Outcome, push_listings, push_sales};

/// Send what a marketplace offers and sold
#[derive(clap::Subcommand)]
pub enum Push {
    Listings(push_listings::Listings),
    Sales(push_sales::Sales),
}

impl Push {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Listings(listings) => listings.run().await,
            Self::Sales(sales) => sales.run().await,
        }
    }
}
