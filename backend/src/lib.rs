//! The collector, the store, the query APIs and the web view.
//!
//! - [`store`] holds all SQL: delivery in one transaction, lists, pages and the tail.
//! - `collector` and `query` are the gRPC services on top of it.
//! - [`http`] is the REST twin of the query service, the pages, `/healthz` and `/metrics`.

pub mod http;
pub mod metrics;
pub mod store;
