//! Who takes part: certificates, connections, tokens.

use super::super::Run;
use super::super::screen::Table;
use crate::cli::Outcome;
use crate::cli::init::MEMBERS;

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
        table.row([
            member.id.to_owned(),
            member.display_name.to_owned(),
            member.role.to_string(),
            token.scope.replace(' ', ", "),
        ]);
    }
    run.screen.table(table)
}
