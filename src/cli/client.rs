//! Calls to the gateway: gRPC over the profile's certificate, with its token, tried again where
//! that is harmless.
//!
//! Enters: a profile and requests of the contract. Leaves: answers, or a [`Failure`]. A request
//! that changes something carries its own `request_id`, so that trying again never does it twice.
//!
//! tonic's own TLS is not compiled in: one rustls configuration serves gRPC and the token endpoint
//! alike, and an alert of the gateway can be told in words.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use super::access_token::TokenSource;
use super::connection::Connector;
use super::failure::{Failure, Outcome};
use super::profile::Profile;
use crate::clock::Env;

/// How often a call is tried before the failure is told.
const ATTEMPTS: u32 = 6;
/// The pause before the second attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause, also where the gateway asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest a unary call may take.
const CALL: Duration = Duration::from_secs(60);

/// A connection to the gateway as one partner.
pub struct Client {
    /// The profile it was made from.
    pub profile: Arc<Profile>,
    /// Time and identifiers.
    pub env: Env,
    /// Where the token comes from.
    pub tokens: TokenSource,
    connector: Connector,
    channel: Channel,
}

impl Client {
    /// Reads the profile's files; nothing is sent yet.
    pub fn new(profile: Profile, env: Env) -> Outcome<Self> {
        let profile = Arc::new(profile);
        let connector = Connector::new(profile.clone(), env.now())?;
        let channel = channel(&profile, connector.clone())?;
        let tokens = TokenSource::new(profile.clone(), connector.clone(), env.clone());
        Ok(Self { profile, env, tokens, connector, channel })
    }

    /// Reads the profile at `path` and makes its client.
    pub fn load(path: &std::path::Path) -> Outcome<Self> {
        Self::new(Profile::load(path)?, Env::system())
    }

    /// A fresh id for a request that changes something.
    pub fn request_id(&self) -> String {
        self.env.ids.uuid().to_string()
    }

    /// Where calls go, for streams; `call` serves everything else.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// `message` with the token, and without a deadline of its own.
    pub async fn authorized<T>(&self, message: T) -> Outcome<Request<T>> {
        let token = self.tokens.token().await?;
        let mut request = Request::new(message);
        let value = MetadataValue::try_from(format!("Bearer {}", token.access_token))
            .map_err(|_| Failure::new("TOKEN_UNREADABLE", "the token is not ASCII"))?;
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }

    /// Sends `message` by `send`, which is a method of a generated client; again, with a pause,
    /// while the gateway is not available.
    pub async fn call<M, A, F, S>(&self, message: M, send: S) -> Outcome<A>
    where
        M: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
        S: Fn(Channel, Request<M>) -> F,
    {
        let mut pauses = Pauses::default();
        loop {
            let mut request = self.authorized(message.clone()).await?;
            request.set_timeout(CALL);
            match send(self.channel(), request).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => self.pause_or_fail(status, &mut pauses).await?,
            }
        }
    }

    /// Waits before the next attempt, or says why there is none.
    pub async fn pause_or_fail(&self, status: Status, pauses: &mut Pauses) -> Outcome {
        let Some(pause) = pauses.next(&status) else { return Err(self.failure(status)) };
        if status.code() == Code::Unauthenticated {
            self.tokens.forget().await;
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// What to tell a person of `status`.
    pub fn failure(&self, status: Status) -> Failure {
        match std::error::Error::source(&status) {
            // Made on this side: the connection failed, not the call.
            Some(source) if status.get_error_details().error_info().is_none() => {
                self.connector.explain(source)
            }
            Some(_) | None => status.into(),
        }
    }
}

/// How often something was tried, and how long to wait before the next time.
#[derive(Default)]
pub struct Pauses {
    tried: u32,
    renewed: bool,
}

impl Pauses {
    /// Begins anew, after something got through.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// How long to wait before trying again after `status`; `None` if that cannot help.
    fn next(&mut self, status: &Status) -> Option<Duration> {
        self.tried += 1;
        if self.tried >= ATTEMPTS {
            return None;
        }
        let asked = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
        match status.code() {
            // The token ended or was revoked meanwhile; a new one is asked for, once.
            Code::Unauthenticated if !self.renewed => {
                self.renewed = true;
                Some(Duration::ZERO)
            }
            Code::ResourceExhausted => asked.map(|pause| pause.min(LONGEST_PAUSE)),
            Code::Unavailable => {
                let doubled = FIRST_PAUSE * 2_u32.saturating_pow(self.tried - 1);
                Some(asked.unwrap_or(doubled).min(LONGEST_PAUSE))
            }
            // The transport's own way to say that the connection broke.
            Code::Unknown | Code::Cancelled | Code::Internal
                if std::error::Error::source(status).is_some() =>
            {
                Some(FIRST_PAUSE)
            }
            _ => None,
        }
    }
}

fn channel(profile: &Profile, connector: Connector) -> Outcome<Channel> {
    let invalid = |reason: String| Failure::new("INVALID_PROFILE", reason);
    let origin: http::Uri =
        profile.endpoint.parse().map_err(|_| invalid(format!("endpoint {}", profile.endpoint)))?;
    let endpoint = Endpoint::from_shared(profile.endpoint.replacen("https://", "http://", 1))
        .map_err(|reason| invalid(reason.to_string()))?
        .origin(origin)
        .user_agent(concat!("puente/", env!("CARGO_PKG_VERSION")))
        .map_err(|reason| invalid(reason.to_string()))?
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
        let connector = connector.clone();
        async move { connector.grpc().await.map(TokioIo::new) }
    })))
}
