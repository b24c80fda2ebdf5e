//! The same question for gRPC services: who asks?

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::http::{Request, Response};
use futures::future::BoxFuture;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::Access;
use crate::admission::Peer;
use crate::collector::store_status;

/// A service that only those who may look are let to; their [`Caller`](super::Caller) is among the extensions of the request.
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
            let caller = access
                .caller(request.headers(), peer.map(|address| address.ip()))
                .await;
            match caller {
                Ok(Some(caller)) => {
                    request.extensions_mut().insert(caller);
                    service.call(request).await
                }
                Ok(None) => Ok(unknown().into_http()),
                Err(error) => Ok(store_status(&error).into_http()),
            }
        })
    }
}

fn unknown() -> Status {
    Status::unauthenticated(
        "this collector answers those it knows: send `authorization: Bearer TOKEN` (`backend api-token create`)",
    )
}
