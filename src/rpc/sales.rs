//! Sales reports over gRPC: open, fill, seal, revise, read.
//!
//! Enters: requests of `SalesReportService`. Leaves: its answers.

mod explain;
mod export;
mod lines;
pub mod wire;

use std::pin::Pin;

use futures_util::Stream;
use tonic::{Request, Response, Status, Streaming};

use self::wire as convert;
use super::page_token::{PageTokens, paged};
use super::push::push;
use super::wire::{self as shared, writes};
use crate::app::App;
use crate::app::write::Written;
use crate::proto::puente::sales::v1::sales_report_service_server::SalesReportService;
use crate::proto::puente::sales::v1::{
    AppendSaleLinesRequest, AppendSaleLinesResponse, ExplainSaleLineRequest,
    ExplainSaleLineResponse, ExportSaleLinesRequest, ExportSaleLinesResponse,
    GetSalesReportRequest, GetSalesReportResponse, ListSaleLinesRequest, ListSaleLinesResponse,
    ListSalesReportsRequest, ListSalesReportsResponse, OpenSalesReportRequest,
    OpenSalesReportResponse, PushSaleLinesRequest, PushSaleLinesResponse, ReviseSalesReportRequest,
    ReviseSalesReportResponse, SealSalesReportRequest, SealSalesReportResponse,
};

/// Serves sales reports.
pub struct SalesReports {
    app: App,
    pages: PageTokens,
}

impl SalesReports {
    /// Serves `app`'s reports; `pages` seals page tokens.
    pub fn new(app: App, pages: PageTokens) -> Self {
        Self { app, pages }
    }
}

writes!(
    OpenSalesReportRequest,
    SealSalesReportRequest,
    ReviseSalesReportRequest,
    ExplainSaleLineRequest,
);
paged!(ListSalesReportsRequest, ListSaleLinesRequest);

#[tonic::async_trait]
impl SalesReportService for SalesReports {
    type PushSaleLinesStream =
        Pin<Box<dyn Stream<Item = Result<PushSaleLinesResponse, Status>> + Send>>;

    type ExportSaleLinesStream =
        Pin<Box<dyn Stream<Item = Result<ExportSaleLinesResponse, Status>> + Send>>;

    async fn open_sales_report(
        &self,
        request: Request<OpenSalesReportRequest>,
    ) -> Result<Response<OpenSalesReportResponse>, Status> {
        let caller = shared::caller(&request)?;
        let mut message = request.into_inner();
        let intent = shared::intent(&caller, &mut message)?;
        let period = shared::span("period", message.period.as_ref())?;
        let opened = self.app.open_report(&intent, caller.partner(), period).await?;
        shared::answer(opened, |report, receipt| OpenSalesReportResponse {
            limits: Some(convert::limits(&self.app, &report.report.value.marketplace)),
            report: Some(convert::report(report)),
            receipt,
        })
    }

    async fn push_sale_lines(
        &self,
        request: Request<Streaming<PushSaleLinesRequest>>,
    ) -> Result<Response<Self::PushSaleLinesStream>, Status> {
        let caller = shared::caller(&request)?;
        Ok(Response::new(Box::pin(push(self.app.clone(), caller, request.into_inner()))))
    }

    async fn append_sale_lines(
        &self,
        request: Request<AppendSaleLinesRequest>,
    ) -> Result<Response<AppendSaleLinesResponse>, Status> {
        let caller = shared::caller(&request)?;
        let AppendSaleLinesRequest { report, batch, validate_only } = request.into_inner();
        let key = convert::report_key("report", &report)?;
        let batch = shared::required("batch", batch)?;
        let request_id = batch.request_id.clone();
        let (intent, sent) =
            convert::batch(&caller, &key, batch).map_err(|error| error.within("batch"))?;
        let (target, _) = self.app.push_target(&caller.visibility(), &key).await?;
        let written = if validate_only {
            let value = self.app.preview_lines(&target, sent).await?;
            Written { value, receipt: None, replayed: false }
        } else {
            self.app.append_lines(&intent, &target, sent).await?
        };
        let replayed = Written { value: (), receipt: None, replayed: written.replayed };
        let result = convert::result(request_id, written);
        shared::answer(replayed, |(), _| AppendSaleLinesResponse { result: Some(result) })
    }

    async fn seal_sales_report(
        &self,
        request: Request<SealSalesReportRequest>,
    ) -> Result<Response<SealSalesReportResponse>, Status> {
        let caller = shared::caller(&request)?;
        let mut message = request.into_inner();
        let intent = shared::intent(&caller, &mut message)?;
        let key = convert::report_key("name", &message.name)?;
        let expected = convert::totals("expected_totals", &message.expected_totals)?;
        let etag = shared::sent_etag(message.etag)?;
        let sealed =
            self.app.seal_report(&intent, &caller.visibility(), &key, &expected, &etag).await?;
        shared::answer(sealed, |report, receipt| SealSalesReportResponse {
            report: Some(convert::report(report)),
            receipt,
        })
    }

    async fn revise_sales_report(
        &self,
        request: Request<ReviseSalesReportRequest>,
    ) -> Result<Response<ReviseSalesReportResponse>, Status> {
        let caller = shared::caller(&request)?;
        let mut message = request.into_inner();
        let intent = shared::intent(&caller, &mut message)?;
        let key = convert::report_key("name", &message.name)?;
        let reason = shared::text("reason", message.reason, 1, 500)?;
        let etag = shared::sent_etag(message.etag)?;
        let opened =
            self.app.revise_report(&intent, &caller.visibility(), &key, &reason, &etag).await?;
        shared::answer(opened, |report, receipt| ReviseSalesReportResponse {
            limits: Some(convert::limits(&self.app, &report.report.value.marketplace)),
            report: Some(convert::report(report)),
            receipt,
        })
    }

    async fn get_sales_report(
        &self,
        request: Request<GetSalesReportRequest>,
    ) -> Result<Response<GetSalesReportResponse>, Status> {
        let caller = shared::caller(&request)?;
        let key = convert::report_key("name", &request.get_ref().name)?;
        let report = self.app.report(&caller.visibility(), &key).await?;
        Ok(Response::new(GetSalesReportResponse {
            limits: Some(convert::limits(&self.app, &report.report.value.marketplace)),
            report: Some(convert::report(report)),
        }))
    }

    async fn list_sale_lines(
        &self,
        request: Request<ListSaleLinesRequest>,
    ) -> Result<Response<ListSaleLinesResponse>, Status> {
        let caller = shared::caller(&request)?;
        let mut message = request.into_inner();
        let asked = self.pages.open(&caller, &mut message)?;
        let query = lines::query(&message, &asked)?;
        let page = self.app.stored_lines(&caller.visibility(), query).await?;
        Ok(Response::new(ListSaleLinesResponse {
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
            lines: page.items.into_iter().map(lines::stored).collect(),
        }))
    }

    async fn export_sale_lines(
        &self,
        request: Request<ExportSaleLinesRequest>,
    ) -> Result<Response<Self::ExportSaleLinesStream>, Status> {
        let caller = shared::caller(&request)?;
        let asked = export::open(&self.pages, &caller, request.into_inner())?;
        let begun = self.app.export(&caller.visibility(), asked.question, asked.from).await?;
        let sealing = export::Sealing { pages: self.pages.clone(), binding: asked.binding };
        Ok(Response::new(Box::pin(export::messages(begun, asked.limit, sealing))))
    }

    async fn explain_sale_line(
        &self,
        request: Request<ExplainSaleLineRequest>,
    ) -> Result<Response<ExplainSaleLineResponse>, Status> {
        let caller = shared::caller(&request)?;
        let mut message = request.into_inner();
        let intent = shared::intent(&caller, &mut message)?;
        let ExplainSaleLineRequest { marketplace, line_id, cause, evidence, .. } = message;
        let marketplace = shared::partner_name("marketplace", &marketplace)?;
        let line_id = shared::parsed("line_id", &line_id)?;
        let finding = explain::finding(cause, evidence)?;
        let visibility = caller.visibility();
        let explained =
            self.app.explain_line(&intent, &visibility, &marketplace, &line_id, &finding).await?;
        shared::answer(explained, |line, receipt| ExplainSaleLineResponse {
            line: Some(lines::stored(line)),
            receipt,
        })
    }

    async fn list_sales_reports(
        &self,
        request: Request<ListSalesReportsRequest>,
    ) -> Result<Response<ListSalesReportsResponse>, Status> {
        let caller = shared::caller(&request)?;
        let mut message = request.into_inner();
        let asked = self.pages.open(&caller, &mut message)?;
        let question = convert::question(&caller, &message)?;
        let page = self.app.reports(&question, &asked.after, asked.limit).await?;
        Ok(Response::new(ListSalesReportsResponse {
            next_page_token: self.pages.next(&asked, page.next.as_deref())?,
            reports: page.items.into_iter().map(convert::report).collect(),
        }))
    }
}
