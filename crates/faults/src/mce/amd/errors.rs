//! The extended error codes of each block, bits 21:16 of the status, indexed by code. Empty words are reserved codes.
//!
//! From the PPRs, "Machine Check Architecture Banks", families 17h, 19h and 1Ah; which codes exist was compared with
//! `mce-amd-smca.c` of rasdaemon 0.8.4 and its current version.

pub(super) mod core;
pub(super) mod fabric;
pub(super) mod io;
pub(super) mod link;
pub(super) mod memory;
