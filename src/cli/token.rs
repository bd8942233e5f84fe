//! `puente token`: an access token for other tools.

use super::output::{print, print_json};
use super::{Connect, Outcome, Output};

/// Print an access token, for use with other tools
///
/// The token is bound to the profile's certificate and lives a few minutes. Example:
///
///   buf curl --cert C --key K --cacert CA -H "Authorization: Bearer $(puente token --profile P)"
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Token {
    #[command(flatten)]
    connect: Connect,
    /// Ask for these scopes only, parted by spaces, such as "sellers.verify"
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
}

impl Token {
    pub(super) async fn run(self) -> Outcome {
        let client = self.connect.client()?;
        let token = match &self.scope {
            Some(scope) => client.tokens.ask(Some(scope)).await?,
            None => client.tokens.token().await?,
        };
        match self.connect.output() {
            Output::Table => print(&token.access_token),
            Output::Json => print_json(&serde_json::json!({
                "access_token": token.access_token,
                "token_type": "Bearer",
                "expires_at": token.expires_at.to_string(),
                "expires_in": (token.expires_at - client.env.now()).as_secs(),
                "scope": token.scope,
            })),
        }
    }
}
