//! The gate's steps, in order, on one page.
//!
//! Enters: a gRPC request on a connection whose peer is known. Leaves: a call with a
//! [`Caller`] to its handler, or a refusal that says why. It knows the access table of
//! the contract, and nothing of messages or of what handlers do.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Method as Verb, Request, Response, StatusCode};
use hyper::body::Incoming;
use tonic::Status;

use super::answer::{self, Answer, Unary};
use super::audit::AuditSink;
use super::call::Call;
use super::guest::{Guest, Known, let_in};
use super::handlers::{Handler, Handlers};
use super::limits::{Limits, Quota};
use super::metrics::{MethodMetrics, Metrics};
use super::quota::{Admission, Quotas, Sort};
use super::standing::Standing;
use super::token::{Revocations, VerifiedToken, Verifier};
use super::{deadline, http as wire, metadata};
use crate::app::access::Directory;
use crate::clock::Env;
use crate::domain::caller::{self, Caller};
use crate::domain::partner::Partner;
use crate::domain::scope::{Scope, ScopeSet};
use crate::error::Error;
use crate::proto::{ACCESS, MethodAccess, Needs};

/// What the gate works with; all of it lives as long as the gateway.
pub struct GateParts {
    /// What stands behind it.
    pub handlers: Handlers,
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
    pub(super) quotas: Quotas,
    /// In the order of [`ACCESS`], and one more for what is no method of the contract.
    methods: Vec<Method>,
    places: HashMap<&'static str, usize>,
}

/// A method of the contract.
pub(super) struct Method {
    name: &'static str,
    /// None: there is no such method, or nobody serves it.
    served: Option<(Rule, Arc<dyn Handler>)>,
    pub(super) metrics: MethodMetrics,
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
    handler: Arc<dyn Handler>,
    /// None where a certificate is enough.
    caller: Option<Caller>,
    standing: Standing,
    admission: Admission,
    asked: Option<Duration>,
}

impl Gate {
    /// A gate before the handlers.
    pub fn new(parts: GateParts) -> Self {
        let method = |access: &'static MethodAccess| Method {
            name: access.path,
            served: parts.handlers.of(access).map(|handler| (rule(access), handler)),
            metrics: parts.metrics.of_method(access.path),
        };
        let unknown =
            Method { name: "unknown", served: None, metrics: parts.metrics.of_method("unknown") };
        Self(Arc::new(Parts {
            methods: ACCESS.iter().map(method).chain([unknown]).collect(),
            places: ACCESS.iter().enumerate().map(|(at, access)| (access.path, at)).collect(),
            quotas: Quotas::new(&parts.limits, &parts.quota),
            directory: parts.directory,
            verifier: parts.verifier,
            limits: parts.limits,
            audit: parts.audit,
            metrics: parts.metrics,
            env: parts.env,
        }))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// Whether a request is for a method of the contract, and which by its place.
    pub(super) fn place<B>(&self, request: &Request<B>) -> Option<usize> {
        self.0.places.get(request.uri().path()).copied()
    }

    /// Whether the call of a method is a stream in either direction.
    pub(super) fn streams(&self, place: Option<usize>) -> bool {
        place.and_then(|at| ACCESS.get(at)).is_some_and(MethodAccess::streams)
    }

    /// Lets a call through to its handler only past every step.
    pub(super) fn pass(
        guest: &Arc<Guest>,
        place: Option<usize>,
        request: Request<Incoming>,
    ) -> Passing {
        // Unwind safety: the call is recorded when it is dropped, and nothing else was shared.
        let steps = AssertUnwindSafe(|| {
            let mut call = Call::begin(guest, place, &request);
            match admit(&mut call, place, &request) {
                Err(error) => Passing::Refused(Some(refuse(call, error))),
                Ok(admitted) => run(call, admitted, request),
            }
        });
        // The connection is many calls' own: none may take it down.
        catch_unwind(steps).unwrap_or_else(|_| {
            guest.parts().metrics.panicked();
            let error = Error::internal("the gate panicked");
            Passing::Refused(Some(Status::from(error).into_http()))
        })
    }
}

impl Gate {
    /// The answer to a call of a method that there is not.
    pub(super) fn turn_away<B>(guest: &Arc<Guest>, request: &Request<B>) -> Response<Answer> {
        let mut call = Call::begin(guest, None, request);
        let unknown = || Error::unimplemented(&known_part(request.uri().path()));
        let error = admit(&mut call, None, request).err().unwrap_or_else(unknown);
        refuse(call, error)
    }
}

impl Parts {
    /// The method of that place, or what stands for those that there are not.
    pub(super) fn method(&self, place: Option<usize>) -> &Method {
        // Unwrap safety: the last one is always there.
        place.and_then(|at| self.methods.get(at)).unwrap_or_else(|| self.methods.last().unwrap())
    }

    pub(super) fn name(&self, place: Option<usize>) -> &'static str {
        self.method(place).name
    }
}

/// THE steps. Each refuses with its own reason; the first that does is the answer.
fn admit<B>(
    call: &mut Call,
    place: Option<usize>,
    request: &Request<B>,
) -> Result<Admitted, Error> {
    let guest = call.guest().clone();
    let (parts, headers, (_, now)) = (guest.parts(), request.headers(), call.began());
    metadata::check(headers, parts.limits.metadata_bytes)?;

    let known = guest.named(now)?;
    call.of_partner(&known);
    let_in(&known.partner)?;

    let path = request.uri().path();
    let Some((rule, handler)) = &parts.method(place).served else {
        return Err(Error::unimplemented(&known_part(path)));
    };
    let sort = Sort { writes: rule.access.writes, streams: rule.access.streams() };
    // Before the token: to look at a bad one costs a signature, which counts too.
    let admission = parts.quotas.admit(&known.share, sort)?;
    let token = match rule.any_of {
        Some(_) => Some(token(&guest, &known, headers, now)?),
        None => None,
    };
    let scopes = scope(rule, &known.partner, token.as_deref())?;
    let asked = deadline::asked(headers)?;

    let caller = token.as_ref().map(|_| {
        Caller::admitted(caller::Admission {
            partner: known.partner.id.clone(),
            role: known.partner.role,
            agency: known.partner.agency,
            scopes,
            method: rule.access.path.into(),
            client_address: guest.address().clone(),
            certificate_thumbprint: guest.thumbprint().clone(),
            trace_id: call.mark().trace.as_str().to_owned(),
        })
    });
    let standing = Standing::new(guest.clone(), known.partner.id.clone(), *rule, token);
    Ok(Admitted { rule: *rule, handler: handler.clone(), caller, standing, admission, asked })
}

fn token(
    guest: &Guest,
    known: &Known,
    headers: &HeaderMap,
    now: jiff::Timestamp,
) -> Result<Arc<VerifiedToken>, Error> {
    let verifier = &guest.parts().verifier;
    let (carried, thumbprint) = (guest.carried(), guest.thumbprint());
    Ok(verifier.verify_call(headers, carried, thumbprint, &known.partner, now)?)
}

/// What the token allows and the partner is still granted; at least one scope the method
/// asks for must be in it.
pub(super) fn scope(
    rule: &Rule,
    partner: &Partner,
    token: Option<&VerifiedToken>,
) -> Result<ScopeSet, Error> {
    let held = token.map_or(ScopeSet::EMPTY, |token| token.scopes().intersection(partner.scopes));
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

impl Revocations for Directory {
    fn is_revoked(&self, jti: &str) -> bool {
        Self::is_revoked(self, jti)
    }
}

/// A call on its way to its answer.
pub(super) enum Passing {
    /// None once it is told.
    Refused(Option<Response<Answer>>),
    One(Unary),
    Many(Pin<Box<dyn Future<Output = Response<Answer>> + Send>>),
}

impl Future for Passing {
    type Output = Response<Answer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Answer>> {
        match &mut *self {
            Self::Refused(told) => told.take().map_or(Poll::Pending, Poll::Ready),
            Self::One(unary) => unary.poll(cx),
            Self::Many(stream) => stream.as_mut().poll(cx),
        }
    }
}

/// Hands the call to its handler, within its time and for as long as its maker may call.
fn run(call: Call, admitted: Admitted, mut request: Request<Incoming>) -> Passing {
    let Admitted { rule, handler, caller, standing, admission, asked } = admitted;
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    if !rule.access.streams() {
        let most = super::limits::seconds(call.parts().limits.unary_seconds);
        let within = deadline::unary(asked, most);
        return Passing::One(Unary::begin(call, admission, standing, within, request, &*handler));
    }
    let sort = Sort { writes: rule.access.writes, streams: true };
    let answering = answer::stream(call, admission, sort, standing, asked, request, handler);
    Passing::Many(Box::pin(answering))
}

/// The answer to a call that may not go on.
pub(super) fn refuse(mut call: Call, error: Error) -> Response<Answer> {
    let code = crate::status::code(error.kind);
    call.end(code, error.reason);
    let mut response = call.within(|| Status::from(error)).into_http();
    call.stamp(response.headers_mut());
    response
}

/// Whether a request is a call at all.
pub(super) fn is_call<B>(request: &Request<B>) -> bool {
    wire::is_grpc(request) && request.method() == Verb::POST
}

/// What a request is told that is no call and for which there is nothing else.
pub(super) fn not_a_call<B>(request: &Request<B>) -> Response<Answer> {
    let known = crate::proto::access(request.uri().path()).is_some();
    let mut response = Response::new(Answer::default());
    *response.status_mut() = match (known, request.method()) {
        (false, _) => StatusCode::NOT_FOUND,
        (true, &Verb::POST) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        (true, _) => StatusCode::METHOD_NOT_ALLOWED,
    };
    response
}

fn rule(access: &'static MethodAccess) -> Rule {
    let any_of = match access.needs {
        Needs::Certificate => None,
        // A scope the domain does not know is nobody's: the method stays closed.
        Needs::AnyScope(names) => {
            let known: Vec<Scope> = names.iter().filter_map(|name| name.parse().ok()).collect();
            Some(ScopeSet::of(&known))
        }
    };
    Rule { access, any_of }
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
