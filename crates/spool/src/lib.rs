//! A durable, ordered queue of records on disk.
