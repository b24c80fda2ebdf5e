//! Machine checks as the kernel and its tools print them.
//!
//! Read are the lines of `print_mce` (`arch/x86/kernel/cpu/mce/core.c`) from Linux 2.6 to 7.2, those of AMD's decoder
//! (`drivers/edac/mce_amd.c`), of Intel's EDAC drivers, and what mcelog prints.

use super::{MachineCheck, outcome};
use crate::bytes::{decimal, hexadecimal};

/// The most machine checks that are read from one text; a storm prints thousands.
pub const TEXT_CHECKS_MAX: usize = 1024;
/// The words of a line that are looked at; the longest line that is known has 14.
const LINE_WORDS_MAX: usize = 48;

/// `MCA_CONFIG`: the syndrome registers hold a text.
const TEXT_IN_SYNDROME: u64 = 1 << 9;
const AMD: u8 = 2;

/// Reads every machine check that a log shows, at most [`TEXT_CHECKS_MAX`].
///
/// ```
/// let log = "[   21.1] mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 7: 8c00004000010091\n\
///            [   21.1] mce: [Hardware Error]: TSC 0 ADDR 12345000 MISC 8c PPIN 1122334455667788 \n\
///            [   21.1] mce: [Hardware Error]: PROCESSOR 0:50657 TIME 1795475774 SOCKET 0 APIC 2 microcode 5003102\n";
/// let checks = faults::mce::read_text(log);
/// assert_eq!((checks.len(), checks[0].cpu, checks[0].bank), (1, 1, 7));
/// assert_eq!((checks[0].addr, checks[0].cpuid), (0x12345000, 0x50657));
/// ```
pub fn read_text(text: &str) -> Vec<MachineCheck> {
    read_lines(text.lines())
}

impl MachineCheck {
    /// Reads the worst machine check of the lines, the first of several: a kernel that panics prints all that it finds.
    pub(crate) fn from_text(lines: &[&str]) -> Option<Self> {
        let checks = read_lines(lines.iter().copied());
        checks
            .into_iter()
            .rev()
            .max_by_key(|check| outcome::of(check).outcome)
    }
}

fn read_lines<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<MachineCheck> {
    let mut reader = Reader::default();
    for line in lines {
        reader.line(line);
        if reader.done.len() >= TEXT_CHECKS_MAX {
            break;
        }
    }
    reader.finish();
    reader.done
}

/// Collects the lines of one machine check after the other.
#[derive(Debug, Default)]
struct Reader {
    done: Vec<MachineCheck>,
    open: Option<Open>,
}

/// A machine check whose lines still come.
#[derive(Debug, Default)]
struct Open {
    check: MachineCheck,
    /// mcelog prints the status lines after the bank.
    has_status: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if let Some(check) = kernel_head(line) {
            self.start(check, true);
        } else if let Some(check) = amd_head(line) {
            // A kernel that panics prints the same error in both forms.
            match &mut self.open {
                Some(open) if open.check.status == check.status && open.check.bank == check.bank => {
                    open.check.vendor = check.vendor;
                    if open.check.cpuid == 0 {
                        open.check.cpuid = check.cpuid;
                    }
                }
                _ => self.start(check, true),
            }
        } else if let Some(check) = mcelog_head(line) {
            self.start(check, false);
            self.detail(line);
        } else {
            self.detail(line);
        }
    }

    fn start(&mut self, check: MachineCheck, has_status: bool) {
        self.finish();
        self.open = Some(Open { check, has_status });
    }

    fn finish(&mut self) {
        let open = self.open.take().filter(|open| open.has_status);
        if self.done.len() < TEXT_CHECKS_MAX {
            self.done.extend(open.map(|open| open.check));
        }
    }

    /// A line that belongs to the open machine check.
    fn detail(&mut self, line: &str) {
        let Some(open) = &mut self.open else { return };
        let Some(body) = body(line) else { return };
        if let Some((_, text)) = body.split_once("FRU Text: ") {
            open.check.set_unit_text(text.trim());
            return;
        }
        let mut words = body
            .split([' ', '\t', ','])
            .filter(|word| !word.is_empty())
            .take(LINE_WORDS_MAX);
        while let Some(word) = words.next() {
            let check = &mut open.check;
            match word.trim_end_matches(':') {
                "TSC" => set(&mut check.tsc, words.next()),
                "ADDR" | "Addr" => set(&mut check.addr, words.next()),
                "MISC" => set(&mut check.misc, words.next()),
                "PPIN" => set(&mut check.ppin, words.next()),
                "SYND" | "Syndrome" => set(&mut check.synd, words.next()),
                "SYND1" => set(&mut check.synd1, words.next()),
                "SYND2" => set(&mut check.synd2, words.next()),
                "IPID" => set(&mut check.ipid, words.next()),
                "MCGSTATUS" => set(&mut check.mcg_status, words.next()),
                "MCGCAP" => set(&mut check.mcg_cap, words.next()),
                "APIC" | "APICID" => set(&mut check.apic_id, words.next()),
                "microcode" | "MICROCODE" => set(&mut check.microcode, words.next()),
                "SOCKET" | "SOCKETID" => check.socket_id = words.next().and_then(number).unwrap_or_default(),
                "TIME" => check.time = words.next().and_then(number).unwrap_or_default(),
                "PROCESSOR" => check.set_processor(words.next().unwrap_or_default()),
                "CPUID" => {
                    check.set_cpuid(&mut words);
                }
                "STATUS" => {
                    let status = words.next().and_then(hex);
                    open.has_status |= status.is_some();
                    check.status = status.unwrap_or(check.status);
                }
                "RIP" => check.ip = words.by_ref().find_map(pointer).unwrap_or_default(),
                word if word.starts_with("MC") && word.ends_with("_ADDR") => {
                    set(&mut check.addr, words.next());
                }
                _ => {}
            }
        }
    }
}

/// `CPU 0: Machine Check Exception: 5 Bank 4: be00000000800400`; EDAC drivers write `Event` and `0x`.
fn kernel_head(line: &str) -> Option<MachineCheck> {
    let (before, after) = line.split_once("Machine Check")?;
    let (global, bank) = after.split_once("Bank ")?;
    let (bank, status) = bank.split_once(':')?;
    let cpu = before
        .rsplit_once("CPU")
        .and_then(|(_, cpu)| number(cpu.trim_matches([' ', ':', '\t'])));
    let global = global.rsplit_once(':').and_then(|(_, global)| hex(global.trim()));
    Some(MachineCheck {
        status: hex(status.split_whitespace().next()?)?,
        mcg_status: global.unwrap_or_default(),
        bank: number(bank.trim())?,
        cpu: cpu.unwrap_or_default(),
        ..MachineCheck::default()
    })
}

/// `CPU:0 (17:31:0) MC17_STATUS[-|CE|MiscV|AddrV|-|-|SyndV|CECC|-|-|-]: 0x9c2040000000011b`.
fn amd_head(line: &str) -> Option<MachineCheck> {
    let (before, after) = line.split_once("_STATUS[")?;
    let (before, bank) = before.rsplit_once("MC")?;
    let (_, status) = after.split_once("]:")?;
    let (_, cpu) = before.rsplit_once("CPU:")?;
    let mut check = MachineCheck {
        status: hex(status.split_whitespace().next()?)?,
        bank: number(bank)?,
        cpu: number(cpu.split([' ', '\t']).next()?)?,
        vendor: AMD,
        ..MachineCheck::default()
    };
    let numbers = cpu.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    if let Some((numbers, _)) = numbers {
        let mut parts = numbers
            .splitn(3, ':')
            .map(|part| hex(part).and_then(|part| u32::try_from(part).ok()));
        if let (Some(Some(family)), Some(Some(model)), Some(Some(stepping))) =
            (parts.next(), parts.next(), parts.next())
        {
            check.cpuid = signature(family, model, stepping);
        }
    }
    Some(check)
}

/// `CPU 0 BANK 4 TSC 2a1cd553c`, as mcelog prints and `mce-inject` reads.
fn mcelog_head(line: &str) -> Option<MachineCheck> {
    let mut words = line.split_whitespace();
    if words.next() != Some("CPU") {
        return None;
    }
    let cpu = number(words.next()?)?;
    if words.next() != Some("BANK") {
        return None;
    }
    Some(MachineCheck {
        cpu,
        bank: number(words.next()?)?,
        ..MachineCheck::default()
    })
}

/// Words with which a line begins that continues a machine check.
const STARTS: [&str; 17] = [
    "TSC",
    "RIP",
    "PROCESSOR",
    "TIME",
    "ADDR",
    "MISC",
    "PPIN",
    "SYND",
    "IPID",
    "Error",
    "FRU",
    "STATUS",
    "MCGSTATUS",
    "MCGCAP",
    "CPUID",
    "CPU",
    "MICROCODE",
];

/// What follows the mark of a hardware error, or a line that begins as such a line does.
fn body(line: &str) -> Option<&str> {
    if let Some((_, body)) = line.rsplit_once("[Hardware Error]:") {
        return Some(body);
    }
    // A time in brackets, and the driver's name before it.
    let rest = line.rsplit_once("] ").map_or(line, |(_, rest)| rest);
    let rest = rest
        .rsplit_once(": ")
        .filter(|(before, _)| before.starts_with("EDAC"))
        .map_or(rest, |(_, rest)| rest);
    let first = rest.split_whitespace().next()?.trim_end_matches(':');
    let address = first.starts_with("MC") && first.ends_with("_ADDR");
    (STARTS.contains(&first) || address).then_some(rest)
}

impl MachineCheck {
    /// `2:60fb1`: the kernel's number of the vendor, and the processor's signature.
    fn set_processor(&mut self, word: &str) {
        let (vendor, cpuid) = word.split_once(':').unwrap_or_default();
        self.vendor = number(vendor).unwrap_or_default();
        set(&mut self.cpuid, Some(cpuid));
    }

    /// `Vendor Intel Family 6 Model 85 Step 4`, in decimal.
    fn set_cpuid<'t>(&mut self, words: &mut impl Iterator<Item = &'t str>) {
        let (mut family, mut model, mut stepping) = (None, None, None);
        while let Some(word) = words.next() {
            match word {
                "Vendor" => {
                    let name = words.next().unwrap_or_default().to_ascii_lowercase();
                    self.vendor = super::Vendor::kernel_number(&name).unwrap_or(self.vendor);
                }
                "Family" => family = words.next().and_then(number),
                "Model" => model = words.next().and_then(number),
                "Step" | "Stepping" => stepping = words.next().and_then(number),
                _ => {}
            }
        }
        if let (Some(family), Some(model)) = (family, model) {
            self.cpuid = signature(family, model, stepping.unwrap_or_default());
        }
    }

    /// The decoder of AMD shows the text that two registers hold; they get it back.
    fn set_unit_text(&mut self, text: &str) {
        let mut bytes = text.bytes().chain(std::iter::repeat(0));
        let mut register = || {
            let mut eight = [0; 8];
            eight.fill_with(|| bytes.next().unwrap_or_default());
            u64::from_le_bytes(eight)
        };
        (self.synd1, self.synd2) = (register(), register());
        self.config |= TEXT_IN_SYNDROME;
    }
}

/// `CPUID(1).EAX` of a family, model and stepping (SDM 2A, CPUID).
fn signature(family: u32, model: u32, stepping: u32) -> u32 {
    let (base, extended) = if family > 0xf {
        (0xf, family - 0xf)
    } else {
        (family, 0)
    };
    (extended & 0xff) << 20 | (model >> 4 & 0xf) << 16 | base << 8 | (model & 0xf) << 4 | stepping & 0xf
}

/// Sets a register from hexadecimal digits, with or without `0x`; other words leave it alone.
fn set<T: TryFrom<u64>>(register: &mut T, word: Option<&str>) {
    if let Some(value) = word.and_then(hex).and_then(|value| T::try_from(value).ok()) {
        *register = value;
    }
}

fn hex(word: &str) -> Option<u64> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    hexadecimal(digits.trim_end_matches([',', ':']).as_bytes())
}

fn number<T: TryFrom<u64>>(word: &str) -> Option<T> {
    decimal(word.as_bytes()).and_then(|value| T::try_from(value).ok())
}

/// `10:<ffffffff81000000>`.
fn pointer(word: &str) -> Option<u64> {
    let (_, rest) = word.split_once(":<")?;
    hex(rest.split_once('>')?.0)
}
