#![no_std]
//! The bytes between the eBPF programs and user space.

/// The most kernel log text one event carries, bytes.
pub const TEXT_MAX: usize = 1024;
