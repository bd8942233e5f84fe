//! `puente.reference.v1.ReferenceService`: code tables.
//!
//! Enters: requests that the gate let in. Leaves: tables and their rows; a new
//! version of a table where the operator streams one.

mod load;
mod wire;

use tonic::{Request, Response, Status, Streaming};

use super::page_token::{PageTokens, paged};
use super::wire as common;
use crate::app::App;
use crate::app::reference::RowsQuery;
use crate::proto::puente::reference::v1 as pb;

paged!(pb::ListReferenceTablesRequest, pb::ListReferenceRowsRequest);

/// Reads and loads code tables.
pub struct Reference {
    app: App,
    pages: PageTokens,
}

impl Reference {
    /// Answers from `app`, sealing page tokens with `pages`.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

#[tonic::async_trait]
impl pb::reference_service_server::ReferenceService for Reference {
    async fn list_reference_tables(
        &self,
        request: Request<pb::ListReferenceTablesRequest>,
    ) -> Result<Response<pb::ListReferenceTablesResponse>, Status> {
        let caller = common::caller(&request)?;
        let asked = self.pages.open(&caller, &mut request.into_inner())?;
        let page = self.app.reference_tables(&asked.after, asked.limit);
        Ok(Response::new(pb::ListReferenceTablesResponse {
            tables: page.items.iter().map(|table| wire::table(table)).collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
        }))
    }

    async fn get_reference_table(
        &self,
        request: Request<pb::GetReferenceTableRequest>,
    ) -> Result<Response<pb::GetReferenceTableResponse>, Status> {
        common::caller(&request)?;
        let id = wire::table_id("name", &request.into_inner().name)?;
        let table = self.app.reference_table(&id)?;
        Ok(Response::new(pb::GetReferenceTableResponse { table: Some(wire::table(&table)) }))
    }

    async fn list_reference_rows(
        &self,
        request: Request<pb::ListReferenceRowsRequest>,
    ) -> Result<Response<pb::ListReferenceRowsResponse>, Status> {
        let caller = common::caller(&request)?;
        let mut request = request.into_inner();
        let asked = self.pages.open(&caller, &mut request)?;
        let query = RowsQuery {
            table: wire::table_id("table", &request.table)?,
            prefix: common::sized("code_prefix", request.code_prefix, 0, 64)?,
            on: common::optional_day("on", request.on.as_ref())?,
            after: asked.after.clone(),
            limit: asked.limit,
        };
        let (version, page) = self.app.reference_rows(&query)?;
        Ok(Response::new(pb::ListReferenceRowsResponse {
            rows: page.items.iter().map(wire::row).collect(),
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
            version,
        }))
    }

    async fn load_reference_table(
        &self,
        request: Request<Streaming<pb::LoadReferenceTableRequest>>,
    ) -> Result<Response<pb::LoadReferenceTableResponse>, Status> {
        let caller = common::caller(&request)?;
        let load = load::collect(request.into_inner()).await?;
        let intent = load.intent(&caller)?;
        let written = self.app.load_table(&intent, load.table).await?;
        common::answer(written, wire::loaded)
    }
}
