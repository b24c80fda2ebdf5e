//! Giving up what a process does not need, and a channel to the process that keeps it.
//!
//! Everything here is about Linux and nothing about telemetry. A process that starts as root becomes an ordinary user
//! ([`account`], [`credentials`]), says which files and ports it will ever use ([`reach`], Landlock) and which system
//! calls ([`calls`], seccomp). What must stay privileged is another process, cut off from the network
//! ([`credentials::leave_network`]), that reads files and writes none ([`view`]) and is asked over a [`channel`] carrying
//! bounded frames and file descriptors. One that died is started again by [`fork`]. [`standing`] tells what a process is
//! left with, as the kernel sees it.

pub mod account;
pub mod calls;
pub mod channel;
pub mod credentials;
pub mod fork;
pub mod reach;
pub mod standing;
pub mod view;
