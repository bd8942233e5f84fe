//! Lines as they come, each with what becomes of it: what is wrong with them, or only looks so.

use puente::proto::puente::sales::v1::{LineKind, SaleLine};

/// What there is before a line of the table comes; all of it the line's own, so that no two lines
/// of the table meet.
pub struct Around {
    /// A sale of 10 pieces at 20.00 USD.
    pub sold: String,
    /// Another, that was cancelled whole.
    pub cancelled: String,
    /// Another, of which 6 pieces came back and 120.00 USD were paid back.
    pub partly: String,
    /// The return of those 6 pieces.
    pub returned: String,
    /// A line that was refused.
    pub refused: String,
    /// A sale of another marketplace.
    pub elsewhere: String,
    /// The sound line before it in the same batch.
    pub before: SaleLine,
}

/// What becomes of a line.
#[derive(Clone, Copy)]
pub enum Becomes {
    Accepted,
    Warned(&'static [&'static str]),
    Duplicate,
    Refused { reason: &'static str, field: &'static str },
}

/// What is sent, in words; how it differs from a sound line; what becomes of it.
pub type Row = (&'static str, fn(&mut SaleLine, &Around), Becomes);

use Becomes::{Accepted, Warned};

use super::cites::{AGAIN, ORIGINALS};

const fn refused(reason: &'static str, field: &'static str) -> Becomes {
    Becomes::Refused { reason, field }
}

pub const QUANTITY: Becomes = refused("INVALID_QUANTITY", "quantity");
const PRICE: Becomes = refused("INVALID_PRICE", "unit_price");
const RANGE: Becomes = refused("AMOUNT_OUT_OF_RANGE", "unit_price");
const LINE_ID: Becomes = refused("INVALID_LINE_ID", "line_id");
const ORDER_ID: Becomes = refused("INVALID_FIELD", "order_id");
const SKU: Becomes = refused("INVALID_SKU", "sku");
const KIND: Becomes = refused("INVALID_KIND", "kind");
const CURRENCY: Becomes = refused("INVALID_CURRENCY", "currency");
const SOLD_AT: Becomes = refused("INVALID_SOLD_AT", "sold_at");
const CLOSED: Becomes = refused("PERIOD_CLOSED", "sold_at");
const DESTINATION: Becomes = refused("INVALID_DESTINATION", "destination");
const DECLARATION: Becomes = refused("INVALID_DECLARATION", "declaration");
const ITEM: Becomes = refused("INVALID_DECLARATION", "declaration_item");
const UNKNOWN_SKU: Becomes = Warned(&["UNKNOWN_SKU"]);
const NOT_ELIGIBLE: Becomes = Warned(&["SELLER_NOT_ELIGIBLE"]);
const OUTSIDE: Becomes = Warned(&["OUTSIDE_PERIOD"]);

/// A line of `kind` that takes `quantity` pieces at `price` back from `original`.
pub fn back(line: &mut SaleLine, kind: LineKind, original: &str, quantity: &str, price: &str) {
    line.kind = kind.into();
    line.original_line_id = original.into();
    line.quantity = quantity.into();
    line.unit_price = price.into();
}

/// The whole table, by what a line is wrong in.
pub const TABLE: &[(&str, &[Row])] = &[
    ("Numbers", NUMBERS),
    ("Ids", IDS),
    ("Kind and currency", KINDS),
    ("Moments", MOMENTS),
    ("Places and declarations", PLACES),
    ("Other amounts", AMOUNTS),
    ("Listings and sellers", LISTINGS),
    ("What takes a sale back", ORIGINALS),
    ("The same again", AGAIN),
];

const NUMBERS: &[Row] = &[
    ("no quantity", |l, _| l.quantity.clear(), QUANTITY),
    ("a word", |l, _| l.quantity = "six".into(), QUANTITY),
    ("a comma for the point", |l, _| l.quantity = "1,5".into(), QUANTITY),
    ("separated thousands", |l, _| l.quantity = "80,995".into(), QUANTITY),
    ("an exponent", |l, _| l.quantity = "1e3".into(), QUANTITY),
    ("no number", |l, _| l.quantity = "NaN".into(), QUANTITY),
    ("endless", |l, _| l.quantity = "Infinity".into(), QUANTITY),
    ("a plus sign", |l, _| l.quantity = "+1".into(), QUANTITY),
    ("nothing before the point", |l, _| l.quantity = ".5".into(), QUANTITY),
    ("nothing after the point", |l, _| l.quantity = "5.".into(), QUANTITY),
    ("two points", |l, _| l.quantity = "1.2.3".into(), QUANTITY),
    ("hexadecimal", |l, _| l.quantity = "0x10".into(), QUANTITY),
    ("full-width digits", |l, _| l.quantity = "１２".into(), QUANTITY),
    ("Arabic-Indic digits", |l, _| l.quantity = "٣".into(), QUANTITY),
    ("spaces around", |l, _| l.quantity = " 1 ".into(), QUANTITY),
    ("a space that nobody sees", |l, _| l.quantity = "1\u{200b}0".into(), QUANTITY),
    ("13 digits before the point", |l, _| l.quantity = "1234567890123".into(), QUANTITY),
    ("7 digits after the point", |l, _| l.quantity = "0.1234567".into(), QUANTITY),
    ("a sign in a SALE", |l, _| l.quantity = "-1".into(), QUANTITY),
    ("a sign before zero", |l, _| l.quantity = "-0".into(), QUANTITY),
    (
        "a sign in a RETURN, as if it gave the direction",
        |l, a| back(l, LineKind::Return, &a.sold, "-1", "20.00"),
        QUANTITY,
    ),
    ("nothing was sold", |l, _| l.quantity = "0".into(), Accepted),
    ("zeros in front and behind", |l, _| l.quantity = "007.500".into(), Accepted),
    ("80,995 pieces", |l, _| l.quantity = "80995".into(), Accepted),
    ("6 digits after the point", |l, _| l.quantity = "0.123456".into(), Accepted),
    ("no price", |l, _| l.unit_price.clear(), PRICE),
    ("a sign in the price of a SALE", |l, _| l.unit_price = "-5.00".into(), PRICE),
    ("a currency's sign", |l, _| l.unit_price = "$10.00".into(), PRICE),
    ("a currency in the price", |l, _| l.unit_price = "10.00 USD".into(), PRICE),
    ("an exponent in the price", |l, _| l.unit_price = "1E-3".into(), PRICE),
    ("no number for a price", |l, _| l.unit_price = "NaN".into(), PRICE),
    ("11 digits after the point", |l, _| l.unit_price = "0.12345678901".into(), PRICE),
    ("a gift", |l, _| l.unit_price = "0".into(), Accepted),
    ("three decimals", |l, _| l.unit_price = "0.001".into(), Accepted),
    ("ten decimals", |l, _| l.unit_price = "12.3456789012".into(), Accepted),
    (
        "an amount of 13 decimals: it would have to be rounded",
        |l, _| (l.quantity, l.unit_price) = ("0.000001".into(), "0.0000001".into()),
        RANGE,
    ),
    (
        "an amount of ten million millions",
        |l, _| (l.quantity, l.unit_price) = ("100000000000".into(), "100".into()),
        RANGE,
    ),
    (
        "a correction, which has its signs as written",
        |l, _| {
            l.kind = LineKind::Adjustment.into();
            (l.quantity, l.unit_price) = ("-3".into(), "-0.05".into());
        },
        Accepted,
    ),
];

const IDS: &[Row] = &[
    ("no line id", |l, _| l.line_id.clear(), LINE_ID),
    ("65 characters", |l, _| l.line_id = "X".repeat(65), LINE_ID),
    ("64 characters", |l, _| l.line_id = format!("{:X<64}", l.line_id), Accepted),
    ("a space in front", |l, _| l.line_id.insert(0, ' '), LINE_ID),
    ("a space behind", |l, _| l.line_id.push(' '), LINE_ID),
    ("a space inside", |l, _| l.line_id.push_str(" 2"), Accepted),
    ("a tabulator", |l, _| l.line_id.push_str("\t2"), LINE_ID),
    ("a new line", |l, _| l.line_id.push('\n'), LINE_ID),
    ("a zero byte", |l, _| l.line_id.push('\0'), LINE_ID),
    ("a delete character", |l, _| l.line_id.push('\u{7f}'), LINE_ID),
    ("a letter beyond ASCII", |l, _| l.line_id.push('Ñ'), LINE_ID),
    ("a letter that looks like another", |l, _| l.line_id.push('\u{410}'), LINE_ID),
    ("text turned right to left", |l, _| l.line_id.push_str("\u{202e}1"), LINE_ID),
    ("a joiner that nobody sees", |l, _| l.line_id.push('\u{200d}'), LINE_ID),
    ("what stands for broken bytes", |l, _| l.line_id.push('\u{fffd}'), LINE_ID),
    ("no order", |l, _| l.order_id.clear(), ORDER_ID),
    ("a control character in the order", |l, _| l.order_id = "O\u{1b}[2J".into(), ORDER_ID),
    ("an order of 65 characters", |l, _| l.order_id = "O".repeat(65), ORDER_ID),
    ("no article", |l, _| l.sku.clear(), SKU),
    ("an article's name for its number", |l, _| l.sku = "Viña".into(), SKU),
    ("an article of 65 characters", |l, _| l.sku = "S".repeat(65), SKU),
    (
        "an original that is no id",
        |l, _| back(l, LineKind::Return, "L\u{202e}1", "1", "20.00"),
        refused("INVALID_LINE_ID", "original_line_id"),
    ),
];

const KINDS: &[Row] = &[
    ("no kind", |l, _| l.kind = 0, KIND),
    ("a kind that does not exist", |l, _| l.kind = 99, KIND),
    ("a kind below zero", |l, _| l.kind = -1, KIND),
    (
        "a SALE that names an original",
        |l, a| l.original_line_id = a.sold.clone(),
        refused("INVALID_FIELD", "original_line_id"),
    ),
    ("no currency", |l, _| l.currency.clear(), CURRENCY),
    ("small letters", |l, _| l.currency = "usd".into(), CURRENCY),
    ("a currency that does not exist", |l, _| l.currency = "ZZZ".into(), CURRENCY),
    ("a currency of former days", |l, _| l.currency = "DEM".into(), CURRENCY),
    ("no currency, as ISO 4217 says it", |l, _| l.currency = "XXX".into(), CURRENCY),
    ("ISO 4217's code for tests", |l, _| l.currency = "XTS".into(), CURRENCY),
    ("the tax authority's code", |l, _| l.currency = "DOL".into(), CURRENCY),
    ("ISO 4217's number", |l, _| l.currency = "840".into(), CURRENCY),
    ("a sign for a currency", |l, _| l.currency = "US$".into(), CURRENCY),
    ("a space behind the currency", |l, _| l.currency = "USD ".into(), CURRENCY),
    (
        "decimals in a currency that has no cents",
        |l, _| (l.currency, l.unit_price) = ("JPY".into(), "0.5".into()),
        Accepted,
    ),
];

const MOMENTS: &[Row] = &[
    ("no moment", |l, _| l.sold_at.clear(), SOLD_AT),
    ("no offset", |l, _| l.sold_at = "2025-11-11T10:00:00".into(), SOLD_AT),
    ("a day alone", |l, _| l.sold_at = "2025-11-11".into(), SOLD_AT),
    ("a space for the T", |l, _| l.sold_at = "2025-11-11 10:00:00Z".into(), SOLD_AT),
    ("small t and z", |l, _| l.sold_at = "2025-11-11t10:00:00z".into(), SOLD_AT),
    ("day before month", |l, _| l.sold_at = "11/11/2025 10:00".into(), SOLD_AT),
    ("seconds since 1970", |l, _| l.sold_at = "1762826400".into(), SOLD_AT),
    ("a day that November does not have", |l, _| at(l, "2025-11-31T10:00:00Z"), SOLD_AT),
    ("29 February of 2025", |l, _| at(l, "2025-02-29T10:00:00Z"), SOLD_AT),
    ("a 13th month", |l, _| at(l, "2025-13-01T10:00:00Z"), SOLD_AT),
    ("24 o'clock", |l, _| at(l, "2025-11-11T24:00:00Z"), SOLD_AT),
    ("a leap second", |l, _| at(l, "2016-12-31T23:59:60Z"), SOLD_AT),
    ("10 digits of a second", |l, _| at(l, "2025-11-11T10:00:00.1234567890Z"), SOLD_AT),
    ("an offset of a day", |l, _| at(l, "2025-11-11T10:00:00+24:00"), SOLD_AT),
    ("an offset without its colon", |l, _| at(l, "2025-11-11T10:00:00+0800"), SOLD_AT),
    ("a zone's name", |l, _| at(l, "2025-11-11T10:00:00+08:00[Asia/Shanghai]"), SOLD_AT),
    ("the year 1", |l, _| at(l, "0001-01-01T00:00:00Z"), SOLD_AT),
    ("a year of two digits", |l, _| at(l, "25-11-11T10:00:00Z"), SOLD_AT),
    ("the last second of the year 9999", |l, _| at(l, "9999-12-31T23:59:59Z"), SOLD_AT),
    (
        "nanoseconds, kept to the microsecond",
        |l, _| at(l, "2025-11-11T10:00:00.123456789Z"),
        Accepted,
    ),
    ("a hundred years ahead", |l, _| at(l, "2125-11-11T10:00:00Z"), OUTSIDE),
    ("the month before the report's", |l, _| at(l, "2025-09-30T23:59:59+08:00"), OUTSIDE),
    (
        "the day after the report's last, though not yet in UTC",
        |l, _| at(l, "2025-12-01T07:59:59+08:00"),
        OUTSIDE,
    ),
    (
        "the report's last day, though over in UTC",
        |l, _| at(l, "2025-11-30T23:59:59-03:00"),
        Accepted,
    ),
    ("a month that the ministry has closed", |l, _| at(l, "2025-10-15T10:00:00+08:00"), CLOSED),
    (
        "a correction dated in a closed month",
        |l, _| {
            l.kind = LineKind::Adjustment.into();
            at(l, "2025-10-15T10:00:00+08:00");
        },
        CLOSED,
    ),
];

fn at(line: &mut SaleLine, moment: &str) {
    line.sold_at = moment.into();
}

const PLACES: &[Row] = &[
    ("no destination", |l, _| l.destination.clear(), Accepted),
    ("a region", |l, _| l.destination = "CN-SH".into(), Accepted),
    ("small letters in a destination", |l, _| l.destination = "cn".into(), DESTINATION),
    ("three letters", |l, _| l.destination = "CHN".into(), DESTINATION),
    ("a country's name", |l, _| l.destination = "China".into(), DESTINATION),
    ("a country that does not exist", |l, _| l.destination = "XX".into(), DESTINATION),
    ("what is no code of ISO 3166", |l, _| l.destination = "UK".into(), DESTINATION),
    ("the tax authority's number", |l, _| l.destination = "310".into(), DESTINATION),
    ("a region of nowhere", |l, _| l.destination = "-SH".into(), DESTINATION),
    ("a region too long", |l, _| l.destination = "CN-SHAN".into(), DESTINATION),
    ("a declaration and its item", |l, _| declared(l, "18817EC08028500L", 2), Accepted),
    ("a declaration in small letters", |l, _| declared(l, "18817ec08028500l", 0), DECLARATION),
    ("a declaration of 15 characters", |l, _| declared(l, "18817EC08028500", 0), DECLARATION),
    (
        "a declaration as people write it",
        |l, _| declared(l, "18 817 EC08 028500 L", 0),
        DECLARATION,
    ),
    ("an item without its declaration", |l, _| declared(l, "", 1), ITEM),
    ("an item below zero", |l, _| declared(l, "18817EC08028500L", -1), ITEM),
    ("an item of five digits", |l, _| declared(l, "18817EC08028500L", 10_000), ITEM),
];

fn declared(line: &mut SaleLine, declaration: &str, item: i32) {
    line.declaration = declaration.into();
    line.declaration_item = item;
}

const AMOUNTS: &[Row] = &[
    (
        "a discount in percent",
        |l, _| l.discount = "10%".into(),
        refused("INVALID_FIELD", "discount"),
    ),
    ("a tax below zero", |l, _| l.tax = "-1".into(), refused("INVALID_FIELD", "tax")),
    ("a sign before no tax", |l, _| l.tax = "-0".into(), refused("INVALID_FIELD", "tax")),
    (
        "free shipping in a word",
        |l, _| l.shipping = "free".into(),
        refused("INVALID_FIELD", "shipping"),
    ),
    (
        "an endless fee",
        |l, _| l.platform_fee = "inf".into(),
        refused("INVALID_FIELD", "platform_fee"),
    ),
    (
        "a settlement without its currency",
        |l, _| l.settlement_amount = "17.00".into(),
        refused("INVALID_FIELD", "settlement_currency"),
    ),
    (
        "a settlement's currency alone",
        |l, _| l.settlement_currency = "USD".into(),
        refused("INVALID_FIELD", "settlement_amount"),
    ),
    (
        "a settlement in a currency that does not exist",
        |l, _| (l.settlement_amount, l.settlement_currency) = ("17.00".into(), "RMB".into()),
        refused("INVALID_CURRENCY", "settlement_currency"),
    ),
    (
        "a settlement in another currency than the price",
        |l, _| (l.settlement_amount, l.settlement_currency) = ("121.5".into(), "CNY".into()),
        Accepted,
    ),
];

const LISTINGS: &[Row] = &[
    ("an article that nobody listed", |l, _| l.sku = "NOWHERE".into(), UNKNOWN_SKU),
    ("an article's number in small letters", |l, _| l.sku = "malbec".into(), UNKNOWN_SKU),
    ("an article of another marketplace", |l, _| l.sku = "ELSEWHERE".into(), UNKNOWN_SKU),
    ("a listing not cleared", |l, _| l.sku = "UNCLEARED".into(), Warned(&["LISTING_NOT_CLEARED"])),
    ("a seller suspended on that day", |l, _| l.sku = "SUSPENDED".into(), NOT_ELIGIBLE),
    (
        "the same seller a day after it was lifted",
        |l, _| {
            l.sku = "SUSPENDED".into();
            at(l, "2025-11-13T00:00:00+08:00");
        },
        Accepted,
    ),
    ("a seller not yet eligible on that day", |l, _| l.sku = "YOUNG".into(), NOT_ELIGIBLE),
    (
        "everything at once",
        |l, _| {
            l.sku = "YOUNG-UNCLEARED".into();
            at(l, "2025-09-11T10:00:00+08:00");
        },
        Warned(&["LISTING_NOT_CLEARED", "SELLER_NOT_ELIGIBLE", "OUTSIDE_PERIOD"]),
    ),
];
