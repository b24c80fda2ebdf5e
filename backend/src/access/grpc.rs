//! The same question for gRPC services: who asks?

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::http::{Request, Response};
use futures::future::BoxFuture;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::{Access, Credentials};
use crate::admission::Peer;
use crate::collector::store_status;

/// A service that only those who may look are let to; their [`Caller`](super::Caller) is among the extensions of the request, as are
/// their [`Credentials`].
#[derive(Debug, Clone)]
pub(crate) struct Guard<S> {
    access: Access,
    service: S,
}

impl<S> Guard<S> {
    pub(crate) fn new(access: Access, service: S) -> Self {
        Self { access, service }
    }
}

impl<S: NamedService> NamedService for Guard<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> <Self as Service<Request<Body>>>::Future {
        // The one that is ready is used, its copy waits for the next request.
        let copy = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, copy);
        let access = self.access.clone();
        Box::pin(async move {
            let peer = request.extensions().get::<Peer>().and_then(|peer| peer.address);
            let peer = peer.map(|address| address.ip());
            let credentials = Credentials::new(access, request.headers().clone(), peer);
            match credentials.caller().await {
                Ok(Some(caller)) => {
                    request.extensions_mut().insert(caller);
                    request.extensions_mut().insert(credentials);
                    service.call(request).await
                }
                Ok(None) => Ok(unknown().into_http()),
                Err(error) => Ok(store_status(&error).into_http()),
            }
        })
    }
}

/// Nobody who may look.
pub(crate) fn unknown() -> Status {
    Status::unauthenticated(
        "this collector answers those it knows: send `authorization: Bearer TOKEN` (`backend api-token create`)",
    )
}
