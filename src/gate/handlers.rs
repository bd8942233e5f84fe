//! The handlers behind the gate, by service.
//!
//! Enters: the servers that the contract's code generates. Leaves: one for each method, found
//! once. It knows nothing of what they do. A router would look the path up again, and box the
//! bodies on both ways.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

use super::asked::Asked;
use crate::proto::MethodAccess;

/// A handler's answer on its way.
pub(super) type Answering = tonic::codegen::BoxFuture<Response<Body>, Infallible>;

/// Something that answers calls.
pub(super) trait Handler: Send + Sync {
    fn call(&self, request: Request<Asked>) -> Answering;
}

impl<S> Handler for S
where
    S: Service<Request<Asked>, Response = Response<Body>, Error = Infallible, Future = Answering>
        + Clone
        + Send
        + Sync,
{
    fn call(&self, request: Request<Asked>) -> Answering {
        // Servers of the generated code are always ready.
        Service::call(&mut self.clone(), request)
    }
}

/// All handlers; made once.
#[derive(Default)]
pub struct Handlers {
    by_service: HashMap<&'static str, Arc<dyn Handler>>,
    /// Answers for services that have none of their own.
    #[cfg(test)]
    all_other: Option<Arc<dyn Handler>>,
}

impl Handlers {
    /// Adds the server of a service, as the contract's code generates it.
    pub fn add<S>(&mut self, server: S) -> &mut Self
    where
        S: NamedService
            + Service<
                Request<Asked>,
                Response = Response<Body>,
                Error = Infallible,
                Future = tonic::codegen::BoxFuture<Response<Body>, Infallible>,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        self.by_service.insert(S::NAME, Arc::new(server));
        self
    }

    /// The handler of a method.
    pub(super) fn of(&self, method: &MethodAccess) -> Option<Arc<dyn Handler>> {
        let own = self.by_service.get(method.service()).cloned();
        #[cfg(test)]
        let own = own.or_else(|| self.all_other.clone());
        own
    }

    /// The answer of a method's handler to a request that comes past the gate.
    #[cfg(test)]
    pub(crate) async fn answer(&self, path: &str, request: Request<Asked>) -> Response<Body> {
        let handler = self.of(crate::proto::access(path).unwrap()).unwrap();
        let Ok(response) = handler.call(request).await;
        response
    }

    /// Lets a router answer for all services.
    #[cfg(test)]
    pub(super) fn of_router(router: axum::Router) -> Self {
        let all_other = Some(Arc::new(OfRouter(router)) as Arc<dyn Handler>);
        Self { all_other, ..Self::default() }
    }
}

#[cfg(test)]
struct OfRouter(axum::Router);

#[cfg(test)]
impl Handler for OfRouter {
    fn call(&self, request: Request<Asked>) -> Answering {
        let mut router = self.0.clone();
        Box::pin(async move {
            let response = router.call(request.map(axum::body::Body::new)).await?;
            Ok(response.map(Body::new))
        })
    }
}
