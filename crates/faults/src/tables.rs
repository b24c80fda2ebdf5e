//! What is known about how kernels print, as data.

pub(crate) mod suffix;
