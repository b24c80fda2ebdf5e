//! Kernel log text and hardware error records to typed faults, titles and fingerprints.
