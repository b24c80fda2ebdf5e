//! The agent: catches faults, keeps them on disk, ships them.
