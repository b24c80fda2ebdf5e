//! Finds out what this kernel offers, attaches the eBPF programs and decodes what they send.
