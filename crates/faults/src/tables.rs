//! What is known about how kernels print, as data.

pub(crate) mod formats;
pub(crate) mod heads;
pub(crate) mod programs;
pub(crate) mod skip;
pub(crate) mod suffix;

#[cfg(test)]
mod tests;
