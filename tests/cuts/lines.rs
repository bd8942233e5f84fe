//! What is pushed: invented lines of every verdict, or a file of real ones.

use std::fmt::Write as _;
use std::path::PathBuf;

use puente::proto::puente::sales::v1::{LineKind, SaleLine};

use crate::common::goods;
use crate::common::stage::Folder;

/// Lines of an invented report, if not said otherwise.
const LINES: usize = 1_500;

/// The lines of one report.
pub struct Work {
    /// As the command takes it.
    pub period: String,
    pub file: PathBuf,
    pub batch_lines: usize,
    /// About how many bytes go to the gateway.
    pub bytes: usize,
    /// The same lines; empty for a file from outside.
    pub lines: Vec<SaleLine>,
}

impl Work {
    /// The n-th report, about the n-th month of 2025.
    pub fn invented(folder: &Folder, n: usize) -> Self {
        Self::of_size(folder, n, LINES)
    }

    /// The first report with so many lines.
    pub fn long(folder: &Folder, count: usize) -> Self {
        Self { batch_lines: 1000, ..Self::of_size(folder, 0, count) }
    }

    fn of_size(folder: &Folder, n: usize, count: usize) -> Self {
        let day = |place: usize| 1 + place * 28 / count;
        let lines: Vec<SaleLine> = (0..count).map(|place| line(n, place, day(place))).collect();
        let text = csv(&lines);
        let bytes = text.len();
        let file = folder.scratch(&format!("report-{n}.csv"), text);
        let period = format!("2025-{:02}-01..2025-{:02}-28", n + 1, n + 1);
        Self { period, file, batch_lines: 20, bytes, lines }
    }

    /// A file of sales from outside.
    pub fn of_file(file: PathBuf, period: &str) -> Self {
        let bytes = std::fs::metadata(&file).unwrap().len() as usize;
        Self { period: period.to_owned(), file, batch_lines: 1000, bytes, lines: Vec::new() }
    }
}

/// Listings beside those that the stage has.
pub fn listings() -> String {
    let head = "sku,seller_cuit,title,ncm,gtin,channel,unit,statistical_unit,statistical_factor,\
                price,currency,certificates";
    let cuit = goods::CUIT;
    format!(
        "{head}\nBONARDA,{cuit},Bonarda de ejemplo,2204.21.00,,SELLER_STORE,C62,LTR,0.75,9.50,USD,\
         INV:EJEMPLO-0002:2099-01-01\n"
    )
}

/// The line at `place` of the n-th report, on that day of its month.
fn line(n: usize, place: usize, day: usize) -> SaleLine {
    let id = |place: usize| format!("CUT-{n}-{place:07}");
    let mut line = SaleLine {
        line_id: id(place),
        order_id: format!("ORDER-{n}-{:07}", place / 3),
        sku: ["MALBEC", "TORRONTES", "BONARDA"][place % 3].into(),
        quantity: (1 + place % 5).to_string(),
        unit_price: format!("{}.{:03}", 5 + place % 40, place % 1000),
        sold_at: format!("2025-{:02}-{:02}T12:00:00+08:00", n + 1, day),
        destination: ["CN", "CN-SH", "US", ""][place % 4].into(),
        ..goods::sale(0)
    };
    let mut back = |kind: LineKind, original: String| {
        line.kind = kind.into();
        line.original_line_id = original;
    };
    // Warnings of every kind, repeated and malformed lines, far from and near to each other.
    match place {
        _ if place % 7 == 6 => back(LineKind::Return, id(place - 5)),
        _ if place % 31 == 30 => back(LineKind::Refund, id(place - 30)),
        _ if place % 41 == 40 => back(LineKind::Cancellation, "NEVER-CAME".into()),
        _ if place % 59 == 58 => line.sku = "UNLISTED".into(),
        _ if place % 67 == 66 => line.line_id = id(place - 60),
        _ if place % 73 == 72 => line.sold_at = "2024-12-31T23:59:59+08:00".into(),
        _ if place % 199 == 198 => line.currency = "ZZZ".into(),
        _ => {}
    }
    line
}

fn csv(lines: &[SaleLine]) -> String {
    let mut text = String::from(
        "line_id,order_id,kind,original_line_id,sku,quantity,unit_price,currency,sold_at,\
         destination\n",
    );
    for line in lines {
        let kind = line.kind().as_str_name().trim_start_matches("LINE_KIND_");
        let SaleLine { line_id, order_id, original_line_id, sku, quantity, .. } = line;
        let SaleLine { unit_price, currency, sold_at, destination, .. } = line;
        writeln!(
            text,
            "{line_id},{order_id},{kind},{original_line_id},{sku},{quantity},{unit_price},\
             {currency},{sold_at},{destination}"
        )
        .unwrap();
    }
    text
}
