//! `puente push`: what a marketplace or customs sends as a file.

use super::{
    Outcome, push_declarations, push_delegations, push_listings, push_sales, push_shipments,
};

/// Send what a marketplace offers and sold, or what customs registered
#[derive(clap::Subcommand)]
pub enum Push {
    Listings(push_listings::Listings),
    Declarations(push_declarations::Declarations),
    Shipments(push_shipments::Shipments),
    Delegations(push_delegations::Delegations),
    Sales(push_sales::Sales),
}

impl Push {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Listings(listings) => listings.run().await,
            Self::Declarations(declarations) => declarations.run().await,
            Self::Shipments(shipments) => shipments.run().await,
            Self::Delegations(delegations) => delegations.run().await,
            Self::Sales(sales) => sales.run().await,
        }
    }
}
