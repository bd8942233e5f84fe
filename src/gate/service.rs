//! The gate's steps, in order, on one page.
//!
//! Enters: any HTTP request on a connection whose peer is known. Leaves: a call with a
//! [`Caller`] to the handlers, or a refusal that says why. It knows the access table of
//! the contract, and nothing of messages or of what handlers do.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use tonic::Status;
use tonic::service::Routes;
use tower::service_fn;

use super::answer;
use super::audit::AuditSink;
use super::call::Call;
use super::limits::{Limits, Quota};
use super::metrics::Metrics;
use super::peer::PeerIdentity;
use super::quota::{Admission, Quotas, Sort};
use super::standing::Standing;
use super::token::{Revocations, TokenFault, VerifiedToken, Verifier, bearer};
use super::{deadline, http as wire, metadata};
use crate::app::access::{Directory, Identified};
use crate::clock::Env;
use crate::domain::caller::{self, Caller};
use crate::domain::partner::Partner;
use crate::domain::scope::{Scope, ScopeSet};
use crate::error::Error;
use crate::proto::{MethodAccess, Needs};

/// What the gate works with; all of it lives as long as the gateway.
pub struct GateParts {
    /// Who is who, and which tokens are revoked.
    pub directory: Arc<Directory>,
    /// Checks access tokens.
    pub verifier: Arc<Verifier>,
    /// Every bound.
    pub limits: Arc<Limits>,
    /// How partners' limits are applied.
    pub quota: Quota,
    /// Where every outcome is recorded.
    pub audit: AuditSink,
    /// Where it is counted.
    pub metrics: Metrics,
    /// Time and ids.
    pub env: Env,
}

/// Stands before the handlers of all services.
#[derive(Clone)]
pub struct Gate(Arc<Parts>);

pub(super) struct Parts {
    pub(super) directory: Arc<Directory>,
    pub(super) verifier: Arc<Verifier>,
    pub(super) limits: Arc<Limits>,
    pub(super) audit: AuditSink,
    pub(super) metrics: Metrics,
    pub(super) env: Env,
    quotas: Quotas,
    rules: HashMap<&'static str, Rule>,
}

/// What a method needs, ready to compare.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) access: &'static MethodAccess,
    /// None: a certificate is enough.
    pub(super) any_of: Option<ScopeSet>,
}

/// A call that passed every step.
struct Admitted {
    rule: Rule,
    /// None where a certificate is enough.
    caller: Option<Caller>,
    standing: Standing,
    admission: Admission,
    asked: Option<Duration>,
}

impl Gate {
    /// A gate before nothing yet; see [`protect`](Self::protect).
    pub fn new(parts: GateParts) -> Self {
        Self(Arc::new(Parts {
            quotas: Quotas::new(&parts.limits, &parts.quota),
            rules: rules(),
            directory: parts.directory,
            verifier: parts.verifier,
            limits: parts.limits,
            audit: parts.audit,
            metrics: parts.metrics,
            env: parts.env,
        }))
    }

    /// Routes that let a request through to `services` only past every step. What is not a
    /// method of the contract is refused here, so this may be the fallback of other routes.
    pub fn protect(&self, services: Routes) -> Router {
        let (gate, services) = (self.clone(), services.prepare().into_axum_router());
        Router::new().fallback_service(service_fn(move |request| {
            let (gate, services) = (gate.clone(), services.clone());
            async move { Ok::<_, Infallible>(gate.pass(request, services).await) }
        }))
    }

    async fn pass(&self, request: Request<Body>, services: Router) -> Response<Body> {
        if !wire::is_grpc(&request) || request.method() != Method::POST {
            return not_grpc(&request);
        }
        let mut call = Call::begin(&self.0, &request);
        match self.0.admit(&mut call, &request) {
            Err(error) => refuse(call, error),
            Ok(admitted) => run(call, admitted, request, services).await,
        }
    }
}

impl Parts {
    /// THE steps. Each refuses with its own reason; the first that does is the answer.
    fn admit(&self, call: &mut Call, request: &Request<Body>) -> Result<Admitted, Error> {
        let headers = request.headers();
        metadata::check(headers, self.limits.metadata_bytes)?;

        let peer = request.extensions().get::<PeerIdentity>().ok_or_else(no_certificate)?;
        let partner = self.named(peer)?;
        call.of_partner(&partner.id);
        let_in(&partner)?;

        let path = request.uri().path();
        let rule = *self.rules.get(path).ok_or_else(|| Error::unimplemented(&known_part(path)))?;
        let sort = Sort {
            writes: rule.access.writes,
            streams: rule.access.client_streams || rule.access.server_streams,
        };
        // Before the token: to look at a bad one costs a signature, which counts too.
        let admission = self.quotas.admit(&partner, sort)?;
        let token = match rule.any_of {
            Some(_) => Some(self.token(bearer(headers)?, peer, &partner)?),
            None => None,
        };
        let scopes = self.scope(&rule, &partner, token.as_deref())?;
        let asked = deadline::asked(headers)?;

        let caller = token.as_ref().map(|_| {
            Caller::admitted(caller::Admission {
                partner: partner.id.clone(),
                role: partner.role,
                agency: partner.agency,
                scopes,
                method: rule.access.path.to_owned(),
                client_address: peer.address().to_string(),
                certificate_thumbprint: peer.thumbprint().to_owned(),
                trace_id: call.trace_id(),
            })
        });
        let standing = Standing::new(peer.clone(), partner.id.clone(), rule, token);
        Ok(Admitted { rule, caller, standing, admission, asked })
    }

    /// The active partner whom exactly one attribute of the certificate names.
    pub(super) fn identify(&self, peer: &PeerIdentity) -> Result<Arc<Partner>, Error> {
        let partner = self.named(peer)?;
        let_in(&partner)?;
        Ok(partner)
    }

    /// The partner whom exactly one attribute of the certificate names, suspended or not.
    fn named(&self, peer: &PeerIdentity) -> Result<Arc<Partner>, Error> {
        // A connection outlives the moment its certificate was verified.
        if self.env.now() > peer.not_after() {
            return Err(Error::unauthenticated(
                "CERTIFICATE_EXPIRED",
                "the client certificate has expired since the connection was made",
            ));
        }
        match self.directory.by_identity(peer.identities()) {
            Identified::Partner(partner) => Ok(partner),
            Identified::Unknown => Err(Error::unauthenticated(
                "CERTIFICATE_UNKNOWN",
                "the client certificate belongs to no partner: ask the operator to bind it",
            )),
            Identified::Ambiguous => Err(Error::unauthenticated(
                "CERTIFICATE_AMBIGUOUS",
                "the client certificate has more than one attribute that names a partner: ask \
                 the operator to leave one of them bound",
            )),
        }
    }

    fn token(
        &self,
        token: &str,
        peer: &PeerIdentity,
        partner: &Partner,
    ) -> Result<Arc<VerifiedToken>, TokenFault> {
        self.verifier.verify(token, peer.thumbprint(), partner, self.env.now())
    }

    /// What the token allows and the partner is still granted; at least one scope the method
    /// asks for must be in it.
    pub(super) fn scope(
        &self,
        rule: &Rule,
        partner: &Partner,
        token: Option<&VerifiedToken>,
    ) -> Result<ScopeSet, Error> {
        let held =
            token.map_or(ScopeSet::EMPTY, |token| token.scopes().intersection(partner.scopes));
        let Some(any_of) = rule.any_of else { return Ok(held) };
        if held.intersection(any_of).is_empty() {
            let wanted: Vec<_> = any_of.iter().map(Scope::as_str).collect();
            return Err(Error::permission(
                "SCOPE_MISSING",
                format!("this method needs a token with one of: {}", wanted.join(" ")),
            )
            .with("scope", wanted.join(" ")));
        }
        Ok(held)
    }
}

impl Revocations for Directory {
    fn is_revoked(&self, jti: &str) -> bool {
        Self::is_revoked(self, jti)
    }
}

/// Hands the call to its handler, within its time and for as long as its maker may call.
async fn run(
    call: Call,
    admitted: Admitted,
    mut request: Request<Body>,
    services: Router,
) -> Response<Body> {
    let Admitted { rule, caller, standing, admission, asked } = admitted;
    let streams = rule.access.client_streams || rule.access.server_streams;
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    if !streams {
        let most = super::limits::seconds(call.parts().limits.unary_seconds);
        let within = deadline::unary(asked, most);
        return answer::unary(call, admission, standing, within, request, services).await;
    }
    let sort = Sort { writes: rule.access.writes, streams };
    answer::stream(call, admission, sort, standing, asked, request, services).await
}

/// The answer to a call that may not go on.
pub(super) fn refuse(mut call: Call, error: Error) -> Response<Body> {
    let code = crate::status::code(error.kind);
    call.end(code, error.reason);
    let mut response = Status::from(error).into_http::<Body>();
    call.stamp(response.headers_mut());
    response
}

fn not_grpc(request: &Request<Body>) -> Response<Body> {
    let known = crate::proto::access(request.uri().path()).is_some();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = match (known, request.method()) {
        (false, _) => StatusCode::NOT_FOUND,
        (true, &Method::POST) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        (true, _) => StatusCode::METHOD_NOT_ALLOWED,
    };
    response
}

fn rules() -> HashMap<&'static str, Rule> {
    let rule = |access: &'static MethodAccess| {
        let any_of = match access.needs {
            Needs::Certificate => None,
            // A scope the domain does not know is nobody's: the method stays closed.
            Needs::AnyScope(names) => {
                let known: Vec<Scope> = names.iter().filter_map(|name| name.parse().ok()).collect();
                Some(ScopeSet::of(&known))
            }
        };
        (access.path, Rule { access, any_of })
    };
    crate::proto::ACCESS.iter().map(rule).collect()
}

fn let_in(partner: &Partner) -> Result<(), Error> {
    if partner.is_active() {
        return Ok(());
    }
    Err(Error::permission(
        "PARTNER_SUSPENDED",
        "this partner is suspended: ask the operator why and for how long",
    ))
}

fn no_certificate() -> Error {
    Error::unauthenticated("CERTIFICATE_MISSING", "a client certificate is required")
}

/// An unknown path, fit to be repeated to its sender.
fn known_part(path: &str) -> String {
    super::escape::one_line(path).into_owned()
}

/// The evidence in a call's extensions that it was let in.
///
/// # Errors
/// INTERNAL if there is none, which means that a handler was reached past the gate.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Status> {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Status::from(Error::internal("a handler was reached past the gate")))
}
