//! The machine and the kernel that a report is from.

use std::fmt;

/// The first line of a death, taken apart: `Oops: 0002 [#1] PREEMPT SMP NOPTI`.
///
/// ```
/// let report = faults::parse("Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI\nRIP: 0010:example+0x1/0x2\nCall Trace:\n f+0x1/0x2\n");
/// let oops = report.unwrap().oops.unwrap();
/// assert_eq!((oops.counter, oops.error_code), (1, Some(2)));
/// assert_eq!(oops.options, ["PREEMPT", "SMP", "NOPTI"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Oops {
    /// How many times the kernel died since it was booted: `[#1]`.
    pub counter: u32,
    /// The error code of the exception: the page fault bits of x86, ESR of arm64, FSR of arm.
    pub error_code: Option<u64>,
    /// What follows: `PREEMPT`, `SMP`, `KASAN`, `NOPTI`, ...
    pub options: Vec<String>,
}

/// A module that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Module {
    /// Its name.
    pub name: String,
    /// What stands in brackets behind it: letters of [`crate::report::TaintFlag`], `+` while it is loaded, `-` while it is unloaded.
    pub marks: Option<String>,
}

/// The machine, as `Hardware name:` shows it: `Example Inc. Box 9000/0A1B2C, BIOS 1.2 01/02/2026`
/// (`drivers/firmware/dmi_scan.c`, `dmi_format_ids`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Hardware {
    /// The whole as printed.
    pub text: String,
    /// Vendor and product. The kernel puts nothing but a space between them, so that they cannot be told apart.
    pub system: String,
    /// The board.
    pub board: Option<String>,
    /// Version of the firmware.
    pub bios_version: Option<String>,
    /// Date of the firmware as printed: `MM/DD/YYYY`.
    pub bios_date: Option<String>,
}

/// A register.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Register {
    /// The name in upper case.
    pub name: String,
    /// The value as printed, with its segment selector: `0018:ff89c3f74041bbf0`.
    pub value: String,
}

impl Register {
    /// The value as a number, without segment selectors.
    pub fn number(&self) -> Option<u64> {
        let digits = self.value.rsplit(':').next()?.split('(').next()?;
        crate::bytes::hexadecimal(digits.as_bytes())
    }
}

/// The machine code around the instruction pointer.
///
/// ```
/// let report = faults::parse(
///     "divide error: 0000 [#1] SMP\nRIP: 0010:example+0x1/0x2\nCode: 31 d2 <f7> f6 c3\nCall Trace:\n caller+0x1/0x2\n",
/// )
/// .unwrap();
/// let code = report.code.unwrap();
/// assert_eq!((code.width, code.values[2], code.marked), (1, 0xf7, Some(2)));
/// assert_eq!(code.to_string(), "31 d2 <f7> f6 c3");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Code {
    /// Bytes a value has: 1 on x86, 2 on riscv and thumb, 4 where instructions are words.
    pub width: u8,
    /// The values as printed, lowest address first.
    pub values: Vec<u32>,
    /// Index of the value that the instruction pointer points to: printed between `<>` or `()`.
    pub marked: Option<usize>,
    /// Why there are no values, as printed: `Bad RIP value.`, `Unable to access opcode bytes at 0x4276d6.`.
    pub unreadable: Option<String>,
}

/// Hexadecimal numbers with spaces between them, the marked one in `<>`, as x86 prints them.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.width) * 2;
        for (index, value) in self.values.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            if self.marked == Some(index) {
                write!(f, "{space}<{value:0digits$x}>")?;
            } else {
                write!(f, "{space}{value:0digits$x}")?;
            }
        }
        Ok(())
    }
}

/// The values serialise as one text, as [`fmt::Display`] writes it.
#[cfg(feature = "serde")]
impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut code = serializer.serialize_struct("Code", 4)?;
        code.serialize_field("width", &self.width)?;
        code.serialize_field("values", &self.to_string())?;
        code.serialize_field("marked", &self.marked)?;
        code.serialize_field("unreadable", &self.unreadable)?;
        code.end()
    }
}

/// A memory access that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Access {
    /// What was tried.
    pub mode: Option<AccessMode>,
    /// The address.
    pub address: Option<u64>,
    /// Bytes that were accessed.
    pub size: Option<u64>,
    /// Why it failed, as printed: `not-present page`, `level 0 translation fault`.
    pub reason: Option<String>,
}

names! {
    /// What was tried to do with memory.
    AccessMode {
        /// A read.
        Read = "read": "read",
        /// A write.
        Write = "write": "write",
        /// An instruction fetch.
        Execute = "execute": "execute",
    }
}
