//! What happens in a run, step by step.
//!
//! Enters: a run. Leaves: what each partner sent, saw and checked. Each step is a file.

/// Calls a method of the contract as the partner of a client.
macro_rules! call {
    ($client:expr, $service:ident.$method:ident, $request:expr) => {
        $client
            .call($request, |channel, request| async move {
                $service::new(channel).max_decoding_message_size(64 << 20).$method(request).await
            })
            .await
    };
}

mod analytics;
mod broker;
mod customs;
mod identities;
mod late_fact;
mod ledger;
mod listings;
mod pushing;
mod reconciliation;
mod registry;
mod sellers;
mod settlements;
mod strangers;
mod suspension;
mod tomorrow;

use jiff::civil::Date;

use super::{Input, Run};
use crate::cli::parse::proto_date;
use crate::cli::{Failure, Outcome};
use crate::proto::puente::common::v1::Period;

/// Everything, in order.
pub(super) async fn all(run: &mut Run) -> Outcome {
    identities::meet(run).await?;
    registry::load_nomenclature(run).await?;
    registry::sync(run).await?;
    sellers::verify(run).await?;
    sellers::ask_the_registry(run).await?;
    listings::offer(run).await?;
    listings::clear(run).await?;
    customs::declare_and_ship(run).await?;
    pushing::report(run).await?;
    analytics::read(run).await?;
    pushing::again(run).await?;
    suspension::suspend_and_lift(run).await?;
    ledger::prove(run).await?;
    broker::declare_for_another(run).await?;
    strangers::see_nothing(run).await?;
    reconciliation::reconcile(run).await?;
    settlements::follow(run).await?;
    late_fact::mark(run).await?;
    tomorrow::comes(run).await
}

/// The days of all reports together.
pub(super) fn whole_period(input: &Input) -> Outcome<(Date, Date)> {
    let first = input.reports.iter().map(|file| file.first).min();
    let last = input.reports.iter().map(|file| file.last).max();
    first.zip(last).ok_or_else(|| Failure::new("DEMO_INPUT", "there is no report"))
}

fn period((first, last): (Date, Date)) -> Period {
    Period { first: Some(proto_date(first)), last: Some(proto_date(last)) }
}
