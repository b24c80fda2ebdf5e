//! What taints a kernel.

/// The taint state that a report shows.
///
/// ```
/// let report = faults::parse(
///     "WARNING: CPU: 1 PID: 77 at fs/a.c:1 example+0x1/0x2\n\
///      CPU: 1 PID: 77 Comm: a Tainted: G        W  OE      6.1.0 #1\n",
/// )
/// .unwrap();
/// let taint = report.taint.unwrap();
/// assert_eq!(taint.text, "G        W  OE");
/// let names: Vec<&str> = taint.flags.iter().map(|flag| flag.name).collect();
/// assert_eq!(names, ["WARN", "OOT_MODULE", "UNSIGNED_MODULE"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Taint {
    /// The letters as printed (`G    B D W  OE`), or `Not tainted`.
    pub text: String,
    /// The letters spelled out, in the order of their bits. `G` stands for no flag.
    pub flags: Vec<TaintFlag>,
}

impl Taint {
    /// The state that letters mean, or `Not tainted`.
    pub fn new(text: &str) -> Self {
        let letters = if text == "Not tainted" { "" } else { text };
        let flags = TaintFlag::ALL
            .into_iter()
            .filter(|flag| letters.contains(flag.letter))
            .collect();
        Self {
            text: text.to_owned(),
            flags,
        }
    }
}

/// One reason for which a kernel is tainted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TaintFlag {
    /// The letter that reports show.
    pub letter: char,
    /// The bit of `/proc/sys/kernel/tainted`.
    pub bit: u8,
    /// The name that kernels since 6.12 print (`[W]=WARN`).
    pub name: &'static str,
    /// What happened.
    pub meaning: &'static str,
}

const fn flag(bit: u8, letter: char, name: &'static str, meaning: &'static str) -> TaintFlag {
    TaintFlag {
        letter,
        bit,
        name,
        meaning,
    }
}

impl TaintFlag {
    /// All flags by bit: Documentation/admin-guide/tainted-kernels.rst; names from `taint_flags` in kernel/panic.c (6.18).
    pub const ALL: [Self; 20] = [
        flag(0, 'P', "PROPRIETARY_MODULE", "a proprietary module was loaded"),
        flag(1, 'F', "FORCED_MODULE", "a module was force loaded"),
        flag(
            2,
            'S',
            "CPU_OUT_OF_SPEC",
            "the hardware is used out of specification",
        ),
        flag(3, 'R', "FORCED_RMMOD", "a module was force unloaded"),
        flag(4, 'M', "MACHINE_CHECK", "a processor reported a machine check"),
        flag(
            5,
            'B',
            "BAD_PAGE",
            "a bad page or unexpected page flags were found",
        ),
        flag(6, 'U', "USER", "a user or a program asked for the mark"),
        flag(
            7,
            'D',
            "DIE",
            "the kernel died recently: an oops or BUG before this report",
        ),
        flag(8, 'A', "OVERRIDDEN_ACPI_TABLE", "an ACPI table was overridden"),
        flag(9, 'W', "WARN", "the kernel warned before this report"),
        flag(10, 'C', "CRAP", "a staging driver was loaded"),
        flag(
            11,
            'I',
            "FIRMWARE_WORKAROUND",
            "a bug of the firmware is worked around",
        ),
        flag(
            12,
            'O',
            "OOT_MODULE",
            "a module from outside of the kernel's tree was loaded",
        ),
        flag(13, 'E', "UNSIGNED_MODULE", "an unsigned module was loaded"),
        flag(14, 'L', "SOFTLOCKUP", "a soft lockup occurred"),
        flag(15, 'K', "LIVEPATCH", "the kernel was live patched"),
        flag(16, 'X', "AUX", "a mark of the distribution"),
        flag(17, 'T', "RANDSTRUCT", "structures have a randomised layout"),
        flag(18, 'N', "TEST", "an in-kernel test was run"),
        flag(19, 'J', "FWCTL", "userspace made a change through fwctl"),
    ];
}
