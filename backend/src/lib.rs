//! The collector, the store, the query APIs and the web view.
