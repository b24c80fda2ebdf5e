//! Crashes of programs by their core dumps: what the kernel starts when a program dumps core (`kernel.core_pattern`, core(5)).
//!
//! `telemctl crashes enable` writes a [`pattern`] that has the kernel start `telemd-crash`, with the dump on its standard input. That reads
//! the dump in one pass and keeps none of it: it [`pass`]es every byte on to whatever took the dumps before, and tells [`dump`] what it saw on
//! the way. Where a hook tells of the same crash, [`twins`] makes one record of both.

pub mod confine;
pub mod dump;
pub mod pass;
pub mod pattern;
pub mod setting;
pub mod twins;
