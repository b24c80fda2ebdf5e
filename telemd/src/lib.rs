//! The agent: catches faults, keeps them on disk, ships them.

pub mod clock;
pub mod config;
pub mod consent;
pub mod durable;
pub mod frame;
pub mod host;
pub mod identity;
pub mod keeper;
pub mod kept;
pub mod retry;
pub mod ship;
pub mod storm;
pub mod text;
