//! Machine checks.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::ValueEnum;
use faults::mce::{self, MachineCheck, Place};
use serde::Serialize;
use telemd::text::chain;

use super::sheet::Sheet;
use super::{Content, Decoded, Record, Refused, read};

const EXAMPLES: &str = "Examples:
  telemctl decode mce --bank 7 --status 0x8c00004000010091 --addr 0x123456000
  telemctl decode mce --vendor amd --status 9c00400001010091 --ipid 0x9600250f00 --synd 0x5b
  dmesg | telemctl decode mce
  telemctl decode mce /sys/fs/pstore/mce-erst-*";

/// Decode machine checks: from registers, from kernel text, or from `struct mce` as pstore keeps it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// A kernel log, or a binary struct mce (`/sys/fs/pstore/mce-erst-*`); - or none: stdin.
    #[arg(value_name = "FILE", conflicts_with = "status")]
    file: Option<OsString>,
    /// `MCi_STATUS`. Registers are in hexadecimal, with or without 0x.
    #[arg(long, value_name = "HEX", value_parser = register)]
    status: Option<u64>,
    #[command(flatten)]
    registers: Registers,
}

/// What can be known beside the status.
#[derive(Debug, clap::Args)]
#[group(requires = "status", multiple = true)]
struct Registers {
    /// `MCi_ADDR`.
    #[arg(long, value_name = "HEX", value_parser = register)]
    addr: Option<u64>,
    /// `MCi_MISC`.
    #[arg(long, value_name = "HEX", value_parser = register)]
    misc: Option<u64>,
    /// `MCA_SYND` (AMD).
    #[arg(long, value_name = "HEX", value_parser = register)]
    synd: Option<u64>,
    /// `MCA_IPID` (AMD): which block of the processor the bank belongs to.
    #[arg(long, value_name = "HEX", value_parser = register)]
    ipid: Option<u64>,
    /// `MCG_STATUS`.
    #[arg(long, value_name = "HEX", value_parser = register)]
    mcgstatus: Option<u64>,
    /// `MCG_CAP`: which of the optional bits the processor has.
    #[arg(long, value_name = "HEX", value_parser = register)]
    mcgcap: Option<u64>,
    /// `CPUID(1).EAX`: family, model and stepping, for what only some models have.
    #[arg(long, value_name = "HEX", value_parser = register_32)]
    cpuid: Option<u32>,
    /// Microcode revision.
    #[arg(long, value_name = "HEX", value_parser = register_32)]
    microcode: Option<u32>,
    /// Bank number.
    #[arg(long, value_name = "N")]
    bank: Option<u8>,
    /// The CPU whose bank it is.
    #[arg(long, value_name = "N")]
    cpu: Option<u32>,
    /// The socket of that CPU.
    #[arg(long, value_name = "N")]
    socket: Option<u32>,
    /// Who made the processor. Not given: Intel, or AMD when --ipid or --synd is given.
    #[arg(long)]
    vendor: Option<Vendor>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Vendor {
    Intel,
    Amd,
    Hygon,
    Zhaoxin,
}

impl Vendor {
    fn kernel_number(self) -> u8 {
        let name = match self {
            Self::Intel => mce::Vendor::Intel,
            Self::Amd => mce::Vendor::Amd,
            Self::Hygon => mce::Vendor::Hygon,
            Self::Zhaoxin => mce::Vendor::Zhaoxin,
        };
        mce::Vendor::kernel_number(name.as_str()).unwrap_or_default()
    }
}

/// A register in hexadecimal.
pub(super) fn register(text: &str) -> Result<u64, String> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = is_hex.then(|| u64::from_str_radix(digits, 16).ok()).flatten();
    value.ok_or_else(|| "write 1 to 16 hexadecimal digits, such as 0x8c00004000010091".to_owned())
}

/// A register of 32 bits in hexadecimal.
pub(super) fn register_32(text: &str) -> Result<u32, String> {
    let too_large = || "write 1 to 8 hexadecimal digits, such as 0x50654".to_owned();
    let value = register(text).map_err(|_wide| too_large())?;
    u32::try_from(value).map_err(|_wide| too_large())
}

impl Registers {
    /// The rows that would tell of registers that were not given.
    fn unknown(&self) -> Vec<&'static str> {
        let rows: [(bool, &[&str]); 6] = [
            (self.addr.is_none(), &["address", "ADDR"]),
            (self.misc.is_none(), &["MISC"]),
            (self.mcgstatus.is_none(), &["MCG_STATUS"]),
            (self.bank.is_none() && self.ipid.is_none(), &["bank"]),
            (self.cpu.is_none() && self.socket.is_none(), &["CPU"]),
            (self.synd.is_none(), &["SYND"]),
        ];
        let unknown = rows.into_iter().filter(|(is_unknown, _)| *is_unknown);
        unknown.flat_map(|(_, rows)| rows).copied().collect()
    }

    fn check(&self, status: u64) -> MachineCheck {
        let is_amd = self.ipid.is_some() || self.synd.is_some();
        let vendor = self
            .vendor
            .unwrap_or(if is_amd { Vendor::Amd } else { Vendor::Intel });
        MachineCheck {
            status,
            addr: self.addr.unwrap_or_default(),
            misc: self.misc.unwrap_or_default(),
            synd: self.synd.unwrap_or_default(),
            ipid: self.ipid.unwrap_or_default(),
            mcg_status: self.mcgstatus.unwrap_or_default(),
            mcg_cap: self.mcgcap.unwrap_or_default(),
            cpuid: self.cpuid.unwrap_or_default(),
            microcode: self.microcode.unwrap_or_default(),
            bank: self.bank.unwrap_or_default(),
            cpu: self.cpu.unwrap_or_default(),
            socket_id: self.socket.unwrap_or_default(),
            vendor: vendor.kernel_number(),
            ..MachineCheck::default()
        }
    }
}

pub(super) fn decode(options: &Options) -> Result<Decoded, Refused> {
    if let Some(status) = options.status {
        let check = options.registers.check(status);
        return Ok(Decoded {
            file: None,
            records: vec![Record::machine_check(&check, &options.registers.unknown())],
            error: None,
        });
    }
    let (file, content) = read(options.file.as_deref(), "decode mce")?;
    let (checks, error) = match content {
        Content::Text(text) => (mce::read_text(&text), None),
        Content::Binary(bytes) => match mce::read_records(&bytes) {
            Ok(checks) => (checks, None),
            Err(error) => (Vec::new(), Some(chain(&error))),
        },
    };
    Ok(Decoded {
        file: Some(file),
        records: checks
            .iter()
            .map(|check| Record::machine_check(check, &[]))
            .collect(),
        error,
    })
}

impl Record {
    /// A machine check, without the rows that are named in `unknown`.
    pub(crate) fn machine_check(check: &MachineCheck, unknown: &[&str]) -> Self {
        let decoded = check.decode();
        let both = Both {
            decoded: &decoded,
            registers: registers(check),
        };
        Self::new(&both, sheet(&decoded, unknown))
    }
}

/// A machine check as programs get it.
#[derive(Debug, Serialize)]
struct Both<'a> {
    #[serde(flatten)]
    decoded: &'a mce::Decoded,
    registers: BTreeMap<&'static str, String>,
}

/// The registers that are not 0, in hexadecimal: 64 bits are too many for numbers in JSON.
fn registers(check: &MachineCheck) -> BTreeMap<&'static str, String> {
    let all = [
        ("status", check.status),
        ("addr", check.addr),
        ("misc", check.misc),
        ("synd", check.synd),
        ("ipid", check.ipid),
        ("mcg_status", check.mcg_status),
        ("mcg_cap", check.mcg_cap),
        ("cpuid", check.cpuid.into()),
        ("microcode", check.microcode.into()),
        ("ppin", check.ppin),
    ];
    let known = all.into_iter().filter(|(_, value)| *value != 0);
    known.map(|(name, value)| (name, format!("{value:#x}"))).collect()
}

/// A machine check as people read it, without the registers that are not known.
fn sheet(decoded: &mce::Decoded, unknown: &[&str]) -> Sheet {
    let is_known = |name: &str| !unknown.contains(&name);
    let mut sheet = Sheet::new(decoded.title.as_str(), decoded.severity);
    for (name, value, meaning) in place(&decoded.place)
        .into_iter()
        .filter(|(name, ..)| is_known(name))
    {
        sheet.row(name, value, meaning);
    }
    let mut registers: Vec<&str> = Vec::new();
    for field in decoded.fields.iter().filter(|field| is_known(field.register)) {
        if !registers.contains(&field.register) {
            registers.push(field.register);
        }
    }
    for register in registers {
        let fields = decoded.fields.iter().filter(|field| field.register == register);
        if fields.clone().all(|field| field.name != "raw") {
            sheet.row(register, "", "");
        }
        for field in fields {
            let name = match field.name {
                "raw" => register.to_owned(),
                name => format!("  {name}"),
            };
            sheet.row(name, field.value.as_str(), field.meaning.as_str());
        }
    }
    decoded.advice.clone_into(&mut sheet.advice);
    sheet
}

type Row = (&'static str, String, String);

fn place(place: &Place) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut row = |name, value: String, meaning: String| rows.push((name, value, meaning));
    row(
        "bank",
        place.bank.to_string(),
        place.bank_name.clone().unwrap_or_default(),
    );
    row("CPU", place.cpu.to_string(), format!("socket {}", place.socket));
    let numbers = [
        ("cache level", place.cache_level),
        ("controller", place.controller),
        ("channel", place.channel),
        ("DIMM", place.dimm),
        ("chip select", place.chip_select),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            row(name, number.to_string(), String::new());
        }
    }
    if !place.ranks.is_empty() {
        let ranks: Vec<String> = place.ranks.iter().map(u8::to_string).collect();
        row("ranks", ranks.join(", "), String::new());
    }
    if let Some(cell) = &place.cell {
        let device = cell
            .device
            .map(|device| format!(", chip {device}"))
            .unwrap_or_default();
        let cell = format!(
            "bank group {}, bank {}, row {}, column {}{device}",
            cell.bank_group, cell.bank, cell.row, cell.column
        );
        row("cell", cell, String::new());
    }
    if let Some(address) = &place.address {
        let exact = match address.lsb {
            0 => String::new(),
            lsb => format!(", exact to {} bytes", 1_u64 << lsb.min(63)),
        };
        let page = address
            .page()
            .map(|page| format!(", page {page:#x}"))
            .unwrap_or_default();
        row(
            "address",
            format!("{:#x}", address.value),
            format!("{} address{exact}{page}", address.mode),
        );
    }
    if let Some(pci) = &place.pci {
        row("PCI device", pci.to_string(), String::new());
    }
    if let Some(fru) = &place.fru {
        row("part", fru.clone(), "as firmware calls it".to_owned());
    }
    rows
}
