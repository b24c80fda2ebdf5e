#![no_std]
//! The bytes between the eBPF programs and user space.
