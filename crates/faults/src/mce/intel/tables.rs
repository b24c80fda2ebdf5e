//! The words for `MSCOD`, a table a unit.
//!
//! From SDM 3B, "Interpreting Machine-Check Error Codes", a section a processor, as far as it goes; each table names what it
//! was taken from. All were compared with rasdaemon 0.8.4, and what was newer with rasdaemon's current decoders, which Intel wrote.
//! Intel's own names of power-control codes stay as they are: they are what one searches for.

pub(super) mod link;
pub(super) mod memory;
pub(super) mod nehalem;
pub(super) mod power;
