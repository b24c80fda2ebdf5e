//! Whole-system tests: real agent, real PostgreSQL, real kernels.
