//! What a gateway says of a report in the end.

use std::fmt;

use puente::proto::puente::sales::v1::sales_report_service_client::SalesReportServiceClient;
use puente::proto::puente::sales::v1::{
    ControlTotal, LineCounts, ListSaleLinesRequest, ListSalesReportsRequest, SalesReport,
    SealSalesReportRequest,
};
use serde_json::Value;

use super::lines::Work;
use super::text;
use crate::common::ask;
use crate::common::process::run_beside;
use crate::common::stage::ProcessStage;

/// Which counts must be the same.
#[derive(Clone, Copy)]
pub enum Counting {
    /// All: what was sent again was the same request.
    All,
    /// Of stored lines only: what was sent again counts as sent again.
    Stored,
}

/// Everything that does not depend on when it happened.
#[derive(Debug, PartialEq)]
pub struct Said {
    counts: LineCounts,
    committed_lines: i64,
    totals: Vec<ControlTotal>,
    state: i32,
    orders: i64,
    /// Every stored line with its reasons, in the order they were stored.
    lines: Vec<(String, Vec<String>)>,
    /// What questions are answered, from the rollups.
    answers: Vec<Value>,
}

impl Said {
    /// Seals the report of `work` and reads everything.
    pub async fn of(stage: &ProcessStage, work: &Work, counting: Counting) -> Self {
        let client = stage.client("marketplace");
        let (first, _) = work.period.split_once("..").unwrap();
        let request = ListSalesReportsRequest::default();
        let all = ask!(client, SalesReportServiceClient.list_sales_reports(request)).unwrap();
        let begins = |report: &&SalesReport| {
            let day = report.period.and_then(|period| period.first).unwrap();
            format!("{:04}-{:02}-{:02}", day.year, day.month, day.day) == first
        };
        let name = all.reports.iter().find(begins).unwrap().name.clone();
        let request = SealSalesReportRequest {
            request_id: client.request_id(),
            name: name.clone(),
            ..Default::default()
        };
        let sealed = ask!(client, SalesReportServiceClient.seal_sales_report(request)).unwrap();
        let report = sealed.report.unwrap();
        let mut counts = report.counts.unwrap();
        if matches!(counting, Counting::Stored) {
            (counts.duplicate, counts.refused) = (0, 0);
        }
        let mut answers = Vec::new();
        for question in [
            &["summary", "--by", "kind,currency"][..],
            &["summary", "--by", "listing,destination"],
            &["summary", "--by", "day,channel"],
            &["top-products", "--limit", "100", "--measure", "orders"],
            &["top-products", "--limit", "100", "--measure", "amount", "--currency"],
        ] {
            let mut args = vec!["report"];
            args.extend(question);
            let currency = report.totals.first().map_or("USD", |total| &total.currency);
            args.extend(question.ends_with(&["--currency"]).then_some(currency));
            let profile = stage.folder.profile("marketplace");
            args.extend(["--period", &work.period, "--output", "json"]);
            args.extend(["--profile", text(&profile)]);
            let ran = run_beside(&args).await;
            assert_eq!(ran.code, 0, "{}", ran.err);
            answers.push(serde_json::from_str(&ran.out).unwrap());
        }
        Self {
            counts,
            committed_lines: report.committed_lines,
            totals: report.totals,
            state: report.state,
            orders: report.orders,
            lines: lines(stage, &name).await,
            answers,
        }
    }

    /// Fails where this differs from what is due, by the first thing that does.
    #[track_caller]
    pub fn is(&self, due: &Self, which: &str) {
        assert_eq!(self.counts, due.counts, "{which}");
        assert_eq!(self.committed_lines, due.committed_lines, "{which}");
        assert_eq!(self.lines.len(), due.lines.len(), "{which}: lines");
        for (got, due) in self.lines.iter().zip(&due.lines) {
            assert_eq!(got, due, "{which}");
        }
        for (got, due) in self.answers.iter().zip(&due.answers) {
            assert_eq!(got, due, "{which}");
        }
        assert!(self == due, "{which}: {self}, not {due}");
    }
}

async fn lines(stage: &ProcessStage, report: &str) -> Vec<(String, Vec<String>)> {
    let client = stage.client("marketplace");
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListSaleLinesRequest {
            report: report.to_owned(),
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let page = ask!(client, SalesReportServiceClient.list_sale_lines(request)).unwrap();
        all.extend(page.lines.into_iter().map(|held| (format!("{:?}", held.line), held.reasons)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts, committed_lines, totals, state, orders, .. } = self;
        write!(f, "{committed_lines} lines, {counts:?}, state {state}, {orders} orders")?;
        totals.iter().try_for_each(|total| {
            let amount = total.amount.as_ref().map_or("", |amount| &amount.value);
            write!(f, ", {:?} {} {amount} {}", total.kind(), total.lines, total.currency)
        })
    }
}
