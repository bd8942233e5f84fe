//! What questions about sales are made of: dimensions, measures, and the cells of sums that answer
//! them.
//!
//! Enters: rollup cells, which the write path keeps. Leaves: their values in a dimension. Sums by
//! dimension are made in `summary`, ranked products in `ranking`.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::decimal::Totals;
use super::sale::SaleKind;

named_enum! {
    /// By what sales are summed.
    pub enum Dimension ("a dimension", "INVALID_DIMENSION") {
        /// The kind of the line.
        Kind = "kind",
        /// The currency.
        Currency = "currency",
        /// The marketplace.
        Marketplace = "marketplace",
        /// The seller's CUIT.
        Seller = "seller",
        /// The listing's key.
        Listing = "listing",
        /// The first two digits of the NCM code.
        NcmChapter = "ncm_chapter",
        /// The first four digits of the NCM code.
        NcmHeading = "ncm_heading",
        /// The seller's size.
        SizeClass = "size_class",
        /// The seller's province.
        Province = "province",
        /// Where the buyers are.
        Destination = "destination",
        /// The shop.
        Channel = "channel",
        /// The line's day.
        Day = "day",
        /// The line's ISO week.
        Week = "week",
        /// The line's month.
        Month = "month",
        /// The line's quarter.
        Quarter = "quarter",
        /// The line's year.
        Year = "year",
        /// The country of the buyers, its regions included.
        DestinationCountry = "destination_country",
    }
}

named_enum! {
    /// By what products are ranked.
    pub enum Measure ("a measure", "INVALID_MEASURE") {
        /// The net amount, in one currency.
        Amount = "amount",
        /// The net quantity.
        Quantity = "quantity",
        /// The number of distinct orders.
        Orders = "orders",
    }
}

impl Dimension {
    /// Whether its values are spans of days.
    pub fn is_of_time(self) -> bool {
        use Dimension::*;
        match self {
            Day | Week | Month | Quarter | Year => true,
            Kind | Currency | Marketplace | Seller | Listing | NcmChapter | NcmHeading
            | SizeClass | Province | Destination | DestinationCountry | Channel => false,
        }
    }
}

/// Sums over the lines of one day, listing, destination, currency and kind; signed by the kind.
/// What is not known is empty; where the sku has no listing, so is the seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupCell {
    /// The marketplace's id.
    pub marketplace: String,
    /// The day in the lines' own offset.
    pub day: Date,
    /// The listing's key, known or not.
    pub listing: String,
    /// The seller's CUIT.
    pub seller: String,
    /// The NCM leaf, eight digits.
    pub ncm: String,
    /// The shop.
    pub channel: String,
    /// The seller's province.
    pub province: String,
    /// The seller's size.
    pub size_class: String,
    /// Where the buyers are.
    pub destination: String,
    /// The currency.
    pub currency: String,
    /// The kind.
    pub kind: SaleKind,
    /// Lines.
    pub lines: u64,
    /// Net quantity.
    pub quantity: Decimal,
    /// Net amount.
    pub amount: Decimal,
    /// Distinct orders counted here; until the report is sealed, lines. `None` where no line is
    /// of kind SALE.
    pub orders: Option<u64>,
}

impl RollupCell {
    /// Its value in a dimension; empty where not known.
    pub fn value(&self, dimension: Dimension) -> String {
        let first = |count: usize| self.ncm.get(..count).unwrap_or_default().to_owned();
        match dimension {
            Dimension::Kind => self.kind.to_string(),
            Dimension::Currency => self.currency.clone(),
            Dimension::Marketplace => self.marketplace.clone(),
            Dimension::Seller => self.seller.clone(),
            Dimension::Listing if self.has_listing() => self.listing.clone(),
            Dimension::Listing => String::new(),
            Dimension::NcmChapter => first(2),
            Dimension::NcmHeading => first(4),
            Dimension::SizeClass => self.size_class.clone(),
            Dimension::Province => self.province.clone(),
            Dimension::Destination => self.destination.clone(),
            Dimension::DestinationCountry => {
                self.destination.get(..2).unwrap_or_default().to_owned()
            }
            Dimension::Channel => self.channel.clone(),
            Dimension::Day => self.day.to_string(),
            Dimension::Week => {
                let week = self.day.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Dimension::Month => format!("{:04}-{:02}", self.day.year(), self.day.month()),
            Dimension::Quarter => {
                format!("{:04}-Q{}", self.day.year(), (self.day.month() + 2) / 3)
            }
            Dimension::Year => format!("{:04}", self.day.year()),
        }
    }

    /// Whether the lines' sku has a listing.
    pub fn has_listing(&self) -> bool {
        !self.seller.is_empty()
    }

    /// Its sums.
    pub fn totals(&self) -> Totals {
        Totals { lines: self.lines, quantity: self.quantity, amount: self.amount }
    }
}

#[cfg(test)]
pub mod tests {
    use jiff::civil::date;

    use super::*;

    /// A cell of one line of a wine of Mendoza to Shanghai.
    pub fn cell(
        listing: &str,
        day: Date,
        currency: &str,
        kind: SaleKind,
        amount: i64,
    ) -> RollupCell {
        RollupCell {
            marketplace: "marketplace".to_owned(),
            day,
            listing: listing.to_owned(),
            seller: "30500010912".to_owned(),
            ncm: "22042100".to_owned(),
            channel: "OFFICIAL_STORE".to_owned(),
            province: "AR-M".to_owned(),
            size_class: "MICRO".to_owned(),
            destination: "CN-SH".to_owned(),
            currency: currency.to_owned(),
            kind,
            lines: 1,
            quantity: Decimal::from(amount.signum()),
            amount: Decimal::new(amount, 2),
            orders: (kind == SaleKind::Sale).then_some(1),
        }
    }

    #[test]
    fn days_fall_into_their_spans() {
        let value = |day, dimension| cell("a", day, "CNY", SaleKind::Sale, 1).value(dimension);
        use Dimension::*;
        let last = date(2010, 12, 31);
        let values = [Day, Week, Month, Quarter, Year].map(|span| value(last, span));
        assert_eq!(values, ["2010-12-31", "2010-W52", "2010-12", "2010-Q4", "2010"]);
        // ISO 8601: the week belongs to the year of its Thursday.
        assert_eq!(value(date(2012, 1, 1), Week), "2011-W52");
        assert_eq!(value(date(2019, 12, 30), Week), "2020-W01");
        assert_eq!(value(date(2021, 1, 3), Week), "2020-W53");
        assert_eq!(value(date(2012, 4, 1), Quarter), "2012-Q2");
    }

    #[test]
    fn codes_are_cut_to_what_is_asked() {
        let mut one = cell("a", date(2010, 12, 31), "CNY", SaleKind::Sale, 1);
        let values = |one: &RollupCell| {
            use Dimension::*;
            [NcmChapter, NcmHeading, Destination, DestinationCountry].map(|by| one.value(by))
        };
        assert_eq!(values(&one), ["22", "2204", "CN-SH", "CN"]);
        one.ncm.clear();
        one.destination.clear();
        assert_eq!(values(&one), ["", "", "", ""]);
    }
}
