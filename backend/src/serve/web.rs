//! Connections of browsers and REST clients: HTTP/1.1 in clear.

use std::time::Duration;

use axum::{Extension, Router, extract::ConnectInfo};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tower::Layer as _;

use super::door::{Door, Entered};

/// How long a client may take for the head of a request, and keep a connection that it asks nothing on.
const HEAD: Duration = Duration::from_secs(15);

/// Serves until the door is closed, and then until what was asked is answered.
pub(super) async fn serve(mut door: Door, routes: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let open = GracefulShutdown::new();
    while let Some(Entered {
        stream,
        address,
        place,
    }) = door.next().await
    {
        let routes = Extension(ConnectInfo(address)).layer(routes.clone());
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
        let connection = open.watch(connection);
        tokio::spawn(async move {
            // What goes wrong is the client's: it is late, or gone, or speaks something else.
            connection.await.ok();
            drop(place);
        });
    }
    drop(door);
    open.shutdown().await;
}
