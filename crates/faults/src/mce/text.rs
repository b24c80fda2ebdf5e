//! Machine checks that the kernel printed.

use super::MachineCheck;
use crate::bytes::{decimal, hexadecimal};

impl MachineCheck {
    /// Reads `[Hardware Error]: CPU 0: Machine Check: 0 Bank 4: 9c00400001010091` and the lines that follow it.
    pub(crate) fn from_text(lines: &[&str]) -> Option<Self> {
        let mut check = Self::default();
        let mut found = false;
        for line in lines {
            let mut words = line.split([' ', ',']).filter(|word| !word.is_empty());
            while let Some(word) = words.next() {
                let mut number = || {
                    words
                        .next()
                        .and_then(|word| hexadecimal(word.trim_end_matches(':').as_bytes()))
                };
                match word {
                    "Bank" if !found => {
                        check.bank = number()
                            .and_then(|bank| u8::try_from(bank).ok())
                            .unwrap_or_default();
                        check.status = number()?;
                        found = true;
                    }
                    "ADDR" => check.addr = number().unwrap_or_default(),
                    "MISC" => check.misc = number().unwrap_or_default(),
                    "SYND" => check.synd = number().unwrap_or_default(),
                    "IPID" => check.ipid = number().unwrap_or_default(),
                    "PROCESSOR" => {
                        let (vendor, cpuid) = words
                            .next()
                            .and_then(|word| word.split_once(':'))
                            .unwrap_or_default();
                        check.vendor = decimal(vendor.as_bytes())
                            .and_then(|v| u8::try_from(v).ok())
                            .unwrap_or_default();
                        check.cpuid = hexadecimal(cpuid.as_bytes())
                            .and_then(|v| u32::try_from(v).ok())
                            .unwrap_or_default();
                    }
                    _ => {}
                }
            }
        }
        found.then_some(check)
    }
}
