//! The collector, the store, the query APIs and the web view.
//!
//! - [`store`] holds all SQL: delivery in one transaction, lists, pages and the tail.
//! - [`collector`] and [`query`] are the gRPC services on top of it.
//! - [`analysis`] puts what is stored to the tests of `statistics`.
//! - [`admission`] decides which agents may deliver; [`enrolment`] gives them certificates of the own [`authority`].
//! - [`access`] knows the people and programs that ask, and what each may do.
//! - [`alerts`] tells people what they want to be told.
//! - [`ingest`] gathers what many agents send into few transactions.
//! - [`http`] is the REST twin of the query service, the pages, `/healthz` and `/metrics`.
//! - [`export`] writes records as files of any size.
//! - [`old_clients`] takes records of Clear Linux's clients over HTTP.
//! - [`netconsole`] takes in what kernels send over UDP while they die.
//! - [`embedded`] runs a private PostgreSQL where no database is given.
//! - [`simulation`] makes fleets up, to see what the analysis finds of them.
//! - [`backup`] has PostgreSQL's own programs keep a copy.
//! - [`traces`] tells what it does to who watches programs.
//! - [`serve`] puts them together.

pub mod access;
pub mod admission;
pub mod alerts;
pub mod analysis;
pub mod authority;
pub mod backup;
mod class;
pub mod collector;
mod descriptors;
pub mod embedded;
pub mod enrolment;
pub mod export;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod netconsole;
pub mod old_clients;
pub mod query;
pub mod record;
pub mod serve;
mod severity;
pub mod simulation;
pub mod store;
pub mod symbols;
pub mod text;
pub mod traces;
