//! What the tests from outside share: a gateway on a stage of its own, clients, example goods.
//!
//! A stage is a folder made by the real `puente init`, and a gateway started from it on ports that
//! the system chose, in this process or as one of its own. No test shares a stage with another.

pub mod goods;
pub mod process;
pub mod proxy;
pub mod push;
pub mod random;
pub mod stage;
pub mod wire;

use std::time::{Duration, Instant};

use tonic::Status;
use tonic_types::StatusExt as _;

/// One call, once: no retry hides what the gateway answered.
macro_rules! ask {
    ($client:expr, $service:ident.$method:ident($request:expr)) => {{
        let request = $client.authorized($request).await.unwrap();
        $service::new($client.channel()).$method(request).await.map(tonic::Response::into_inner)
    }};
}
pub(crate) use ask;

/// `CODE:REASON` as the API's errors have them; the code alone where no reason is given.
pub fn verdict(status: &Status) -> String {
    let code = code_name(status.code());
    match status.get_error_details().error_info() {
        Some(info) => format!("{code}:{}", info.reason),
        None => code,
    }
}

/// The reason of `google.rpc.ErrorInfo`.
pub fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// SCREAMING_SNAKE, as `google.rpc.Code` spells it.
fn code_name(code: tonic::Code) -> String {
    let camel = format!("{code:?}");
    let mut name = String::new();
    for (at, c) in camel.char_indices() {
        if at > 0 && c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// Asks again and again until `wanted` answers with something, at most for `patience`.
pub async fn within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    mut wanted: impl FnMut() -> F,
) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = wanted().await {
            return Some(found);
        }
        if began.elapsed() > patience {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
