//! Stand-ins for entities that land next (listing, sale, analytics, reference): whoever lands them deletes
//! this file and its line in mod.rs.
#![allow(missing_docs, clippy::all)]
pub mod listing {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Channel {
        OfficialStore,
        SellerStore,
    }
    impl Channel {
        pub fn as_str(self) -> &'static str {
            ""
        }
    }
    pub fn listing_key(_m: &crate::domain::partner::PartnerId, _s: &str) -> String {
        String::new()
    }
}
pub mod sale {
    use rust_decimal::Decimal;
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum SaleKind {
        Sale,
        Return,
        Refund,
        Cancellation,
        Adjustment,
    }
    impl SaleKind {
        pub fn as_str(self) -> &'static str {
            ""
        }
        pub fn cites_a_sale(self) -> bool {
            true
        }
        pub fn signed(self, q: Decimal, a: Decimal) -> (Decimal, Decimal) {
            (q, a)
        }
    }
    impl std::str::FromStr for SaleKind {
        type Err = String;
        fn from_str(_: &str) -> Result<Self, String> {
            Ok(Self::Sale)
        }
    }
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum WarningReason {
        UnknownOriginal,
        ExceedsOriginal,
    }
    impl std::fmt::Display for WarningReason {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("")
        }
    }
    #[derive(Clone, Debug)]
    pub struct SoldAt;
    impl SoldAt {
        pub fn day(&self) -> jiff::civil::Date {
            jiff::civil::Date::MIN
        }
    }
    impl std::fmt::Display for SoldAt {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("")
        }
    }
    #[derive(Clone, Debug)]
    pub struct SaleLine {
        pub line_id: String,
        pub order_id: String,
        pub kind: SaleKind,
        pub original_line_id: Option<String>,
        pub sku: String,
        pub quantity: Decimal,
        pub unit_price: Decimal,
        pub currency: String,
        pub sold_at: SoldAt,
        pub destination: Option<String>,
        pub declaration: Option<String>,
        pub declaration_item: Option<u32>,
        pub other_amounts: Option<Vec<u8>>,
    }
}
pub mod analytics {
    use rust_decimal::Decimal;
    pub struct RollupCell {
        pub marketplace: String,
        pub day: jiff::civil::Date,
        pub listing: String,
        pub seller: String,
        pub ncm: String,
        pub channel: String,
        pub province: String,
        pub size_class: String,
        pub destination: String,
        pub currency: String,
        pub kind: super::sale::SaleKind,
        pub lines: u64,
        pub quantity: Decimal,
        pub amount: Decimal,
        pub orders: Option<u64>,
    }
}
pub mod reference {
    #[derive(Default)]
    pub struct Nomenclature;
    impl Nomenclature {
        pub fn from_table(_: &ReferenceTable) -> Self {
            Self
        }
    }
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    pub struct ReferenceTable {
        pub id: String,
        pub version: String,
        pub rows: Vec<u8>,
    }
}
