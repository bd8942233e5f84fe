//! Who takes part: certificates, connections, tokens.

use super::super::Run;
use super::super::screen::Table;
use crate::cli::Outcome;
use crate::cli::init::MEMBERS;

/// What every role may.
const EVERYBODYS: [&str; 2] = ["events.read", "reference.read"];

/// Everybody connects and gets a token.
pub(in super::super) async fn meet(run: &mut Run) -> Outcome {
    run.screen.title("Everybody has a certificate, and gets a token bound to it")?;
    let address = run.world.address;
    run.screen.say(&format!(
        "The gateway listens on {address}: TLS 1.3, client certificate required. The authority \
         and all keys were made for this run and end with it."
    ))?;
    for sentence in run.input.said.clone() {
        run.screen.say(&sentence)?;
    }
    let mut table = Table::new("Partners", ["Partner", "Who", "Role", "May"]);
    for member in &MEMBERS {
        let token = run.client(member.id)?.tokens.token().await?;
        run.check(format!("{} got a token", member.id), true, !token.access_token.is_empty());
        let own = token.scope.split(' ').filter(|scope| !EVERYBODYS.contains(scope));
        table.row([
            member.id.to_owned(),
            member.display_name.to_owned(),
            member.role.to_string(),
            own.collect::<Vec<_>>().join(", "),
        ]);
    }
    run.screen.table(table)?;
    run.screen.say("Besides, everybody may read the code tables and the events about its own.")
}
