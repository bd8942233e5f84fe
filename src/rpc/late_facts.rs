//! `puente.sales.v1.LateFactService`: lines that stand in another light since they were stored.
//!
//! Enters: questions that the gate let in. Leaves: marked lines, each with why it is marked.

use tonic::{Request, Response, Status};

use super::page_token::{PageTokens, paged};
use super::wire as common;
use crate::app::App;
use crate::app::late_facts::{Marked, MarksQuery};
use crate::error::Result;
use crate::proto::puente::common::v1 as shared;
use crate::proto::puente::sales::v1 as pb;

paged!(pb::ListMarkedLinesRequest);

/// Serves those who read what was learnt later.
pub struct LateFacts {
    app: App,
    pages: PageTokens,
}

impl LateFacts {
    /// Answers from `app`, sealing page tokens with `pages`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl pb::late_fact_service_server::LateFactService for LateFacts {
    async fn list_marked_lines(
        &self,
        request: Request<pb::ListMarkedLinesRequest>,
    ) -> Result<Response<pb::ListMarkedLinesResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query = MarksQuery {
            report: key("report", &request.report, "salesReports")?,
            late_fact: key("late_fact", &request.late_fact, "lateFacts")?,
            after: asked.after.clone(),
            limit: asked.limit,
        };
        let page = self.app.marked_lines(&caller.visibility(), &query).await?;
        Ok(Response::new(pb::ListMarkedLinesResponse {
            lines: page.items.into_iter().map(message).collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
        }))
    }
}

/// The key of a resource that may be left out.
fn key(field: &str, name: &str, collection: &str) -> Result<Option<String>> {
    if name.is_empty() { Ok(None) } else { common::uuid_name(field, name, collection).map(Some) }
}

fn message(marked: Marked) -> pb::MarkedLine {
    let Marked { line, by } = marked;
    pb::MarkedLine {
        line_id: line.line_id.to_string(),
        report: format!("salesReports/{}", by.report),
        marketplace: format!("partners/{}", by.marketplace),
        sold_on: Some(common::date(line.day)),
        late_fact: Some(pb::LateFact {
            name: format!("lateFacts/{}", by.late_fact),
            status: shared::EligibilityStatus::from(by.said.status).into(),
            valid_from: Some(common::date(by.said.valid_from)),
            valid_to: by.said.valid_to.map(common::date),
            recorded_at: Some(common::timestamp(by.said.recorded_at)),
        }),
        mark_time: Some(common::timestamp(by.marked_at)),
    }
}
