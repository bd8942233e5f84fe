//! The contract in Rust: generated messages, clients and servers, the
//! descriptors they came from, and the table of who may call what.
//!
//! Enters: what `build.rs` made of `proto/`. Leaves: one module a package,
//! [`FILE_DESCRIPTOR_SET`] for reflection, [`access`] for the gate. It knows
//! none of the domain's types: `rpc` converts.

pub mod codec;

/// Everything `proto/` says, as an encoded `google.protobuf.FileDescriptorSet`:
/// imports, comments and custom options included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// What a caller needs to call one method, and how the method behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodAccess {
    /// The method as HTTP/2 names it, such as `/puente.sales.v1.SalesReportService/GetSalesReport`.
    pub path: &'static str,
    /// What the caller must show.
    pub needs: Needs,
    /// Whether it changes something: its request carries `request_id` and
    /// `validate_only`, its response a receipt.
    pub writes: bool,
    /// Whether the caller sends a stream.
    pub client_streams: bool,
    /// Whether the answer is a stream.
    pub server_streams: bool,
}

/// What a caller must show to call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The client certificate of an active partner, and no token.
    Certificate,
    /// Besides, a token with at least one of these scopes; in alphabetical order.
    AnyScope(&'static [&'static str]),
}

impl MethodAccess {
    /// `package.Service` of the path.
    pub fn service(&self) -> &'static str {
        self.path.rsplit_once('/').map_or("", |(service, _)| service.trim_start_matches('/'))
    }

    /// Whether messages stream in either direction.
    pub fn streams(&self) -> bool {
        self.client_streams || self.server_streams
    }

    /// The method's own name.
    pub fn method(&self) -> &'static str {
        self.path.rsplit_once('/').map_or("", |(_, method)| method)
    }
}

/// The row of a method, by its path. `None`: there is no such method, and
/// nobody may call it.
pub fn access(path: &str) -> Option<&'static MethodAccess> {
    let row = ACCESS.binary_search_by(|row| row.path.cmp(path)).ok()?;
    ACCESS.get(row)
}

/// Every method the gateway can serve, sorted by path.
pub const ACCESS: &[MethodAccess] = generated::ACCESS;

/// Every scope there is, in alphabetical order.
pub const SCOPES: &[&str] = generated::SCOPES;

/// The scopes that some changing method asks for, in alphabetical order.
pub const WRITE_SCOPES: &[&str] = generated::WRITE_SCOPES;

mod generated {
    use super::{MethodAccess, Needs};
    include!(concat!(env!("OUT_DIR"), "/access.rs"));
}

/// Packages of `google` that ours use; error details come from `tonic-types`.
pub mod google {
    /// Dates and decimals.
    #[allow(missing_docs, clippy::all, rustdoc::all, reason = "generated from vendored protos")]
    pub mod r#type {
        include!(concat!(env!("OUT_DIR"), "/google.r#type.rs"));
    }
}

macro_rules! package {
    ($(#[$doc:meta])* $area:ident, $file:literal) => {
        $(#[$doc])*
        pub mod $area {
            /// Version 1.
            #[allow(missing_docs, clippy::all, rustdoc::all, reason = "generated; documented in proto/")]
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/", $file));
            }
        }
    };
}

/// Our own packages, one an area.
pub mod puente {
    package!(
        /// Access rules and partners.
        access, "puente.access.v1.rs"
    );
    package!(
        /// What several areas share: receipts, faults, periods.
        common, "puente.common.v1.rs"
    );
    package!(
        /// The export registry.
        registry, "puente.registry.v1.rs"
    );
    package!(
        /// Verification of sellers.
        sellers, "puente.sellers.v1.rs"
    );
    package!(
        /// Listings of marketplaces.
        listings, "puente.listings.v1.rs"
    );
    package!(
        /// Clearance by customs and agencies.
        clearance, "puente.clearance.v1.rs"
    );
    package!(
        /// Export declarations and shipments.
        customs, "puente.customs.v1.rs"
    );
    package!(
        /// Sales reports and analytics.
        sales, "puente.sales.v1.rs"
    );
    package!(
        /// The ledger.
        ledger, "puente.ledger.v1.rs"
    );
    package!(
        /// Code tables.
        reference, "puente.reference.v1.rs"
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::DescriptorPool;

    use super::*;

    fn pool() -> DescriptorPool {
        DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
    }

    #[test]
    fn every_method_of_the_descriptors_has_a_row_and_no_row_is_left_over() {
        let described: BTreeSet<String> = pool()
            .services()
            .flat_map(|service| {
                service
                    .methods()
                    .map(|method| format!("/{}/{}", service.full_name(), method.name()))
                    .collect::<Vec<_>>()
            })
            .collect();
        let ruled: BTreeSet<String> = ACCESS
            .iter()
            .filter(|row| row.needs != Needs::Certificate)
            .map(|row| row.path.to_owned())
            .collect();
        assert_eq!(described, ruled);
        assert!(described.iter().all(|path| access(path).is_some()));
    }

    #[test]
    fn the_table_is_sorted_so_that_the_search_finds_every_row() {
        assert!(ACCESS.windows(2).all(|pair| pair[0].path < pair[1].path));
        assert!(ACCESS.iter().all(|row| access(row.path) == Some(row)));
        assert_eq!(access("/puente.sales.v1.SalesReportService/Nothing"), None);
    }

    #[test]
    fn only_health_and_reflection_need_no_token() {
        let open: Vec<_> = ACCESS.iter().filter(|row| row.needs == Needs::Certificate).collect();
        assert_eq!(open.len(), 5);
        assert!(open.iter().all(|row| row.path.starts_with("/grpc.")));
    }

    #[test]
    fn rules_stand_in_the_table_as_written_beside_the_method() {
        let seal = access("/puente.sales.v1.SalesReportService/SealSalesReport").unwrap();
        assert_eq!(seal.needs, Needs::AnyScope(&["sales.write"]));
        assert!(seal.writes && !seal.client_streams && !seal.server_streams);
        assert_eq!(
            (seal.service(), seal.method()),
            ("puente.sales.v1.SalesReportService", "SealSalesReport")
        );

        let push = access("/puente.sales.v1.SalesReportService/PushSaleLines").unwrap();
        assert!(push.writes && push.client_streams && push.server_streams);

        let find = access("/puente.ledger.v1.LedgerService/FindReceipt").unwrap();
        assert!(!find.writes);
        let Needs::AnyScope(scopes) = find.needs else { panic!("public: {find:?}") };
        assert!(scopes.contains(&"ledger.read"));
        assert!(WRITE_SCOPES.iter().all(|scope| scopes.contains(scope)));
        assert!(!scopes.contains(&"sales.read"));
    }

    #[test]
    fn descriptors_keep_options_and_comments() {
        let pool = pool();
        let rules = pool.get_extension_by_name("buf.validate.field").unwrap();
        let request = pool.get_message_by_name("puente.sellers.v1.VerifySellerRequest").unwrap();
        assert!(request.get_field_by_name("cuit").unwrap().options().has_extension(&rules));
        let file = request.parent_file();
        assert!(file.file_descriptor_proto().source_code_info.is_some());
        assert!(pool.get_message_by_name("google.rpc.ErrorInfo").is_some());
    }
}
