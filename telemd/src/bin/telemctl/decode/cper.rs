//! CPER records, error status blocks, and the BERT region that is made of them.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use faults::cper::{self, Region, Section};
use faults::hardware::HardwareError;
use serde::Serialize;

use super::{Content, Decoded, Record, Refused, hardware, hex, read};

/// Where the kernel shows the region that the BERT table points to.
const BERT_REGION: &str = "/sys/firmware/acpi/tables/data/BERT";
/// The table itself.
const BERT_TABLE: &str = "/sys/firmware/acpi/tables/BERT";

const EXAMPLES: &str = "Examples:
  telemctl decode cper record.bin
  telemctl decode cper --hex \"$(xxd -p record.bin)\"
  xxd record.bin | telemctl decode cper
  dmesg | telemctl decode cper";

/// Decode what firmware tells of hardware errors: CPER records, generic error status blocks, and the kernel's text of them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// A record, a status block, a hexadecimal dump of one, or a kernel log; - or none: stdin.
    #[arg(value_name = "FILE", conflicts_with = "hex")]
    file: Option<OsString>,
    /// The bytes in hexadecimal; -: they are on stdin.
    #[arg(long, value_name = "DIGITS")]
    hex: Option<String>,
}

/// Decode the boot error record table: what firmware saw when the boot before ended.
#[derive(Debug, clap::Args)]
pub(super) struct BertOptions {
    /// The error region, or a hexadecimal dump of it; -: stdin.
    #[arg(value_name = "FILE", default_value = BERT_REGION)]
    file: OsString,
}

pub(super) fn decode(options: &Options) -> Result<Decoded, Refused> {
    let (file, content) = match options.hex.as_deref() {
        None => read(options.file.as_deref(), "decode cper")?,
        Some("-") => read(Some(OsStr::new("-")), "decode cper")?,
        Some(digits) => {
            let bytes = hex::parse(digits).map_err(|error| Refused::Usage(format!("--hex: {error}")))?;
            return Ok(decoded(None, &bytes));
        }
    };
    match content {
        Content::Binary(bytes) => Ok(decoded(Some(file), &bytes)),
        Content::Text(text) if options.hex.is_some() => {
            let error = hex::parse(&text).err().map(|error| error.to_string());
            Ok(Decoded {
                file: Some(file),
                records: Vec::new(),
                error,
            })
        }
        Content::Text(text) => Ok(regions(Some(file), &cper::of_log(text.lines()))),
    }
}

pub(super) fn decode_bert(options: &BertOptions) -> Result<Decoded, Refused> {
    let path = Path::new(&options.file);
    if path == Path::new(BERT_REGION) && !path.exists() {
        return Err(Refused::Nothing(missing_bert()));
    }
    let (file, content) = read(Some(&options.file), "decode bert")?;
    match content {
        Content::Binary(bytes) => Ok(regions(Some(file), &cper::region(&bytes))),
        Content::Text(text) => Ok(regions(Some(file), &cper::of_log(text.lines()))),
    }
}

/// Why there is no region, and what would have to be different.
fn missing_bert() -> String {
    let why = if !Path::new("/sys/firmware/acpi").exists() {
        "this machine has no ACPI (or /sys is not mounted)"
    } else if Path::new(BERT_TABLE).exists() {
        "firmware has a BERT table, but the kernel does not show the region that it points to"
    } else {
        "firmware has no BERT table: it keeps no errors of the boot before"
    };
    format!("{BERT_REGION} is not there: {why}\n  name a file that holds the region")
}

fn decoded(file: Option<String>, bytes: &[u8]) -> Decoded {
    match cper::decode(bytes) {
        cper::Decoded::Region(region) => regions(file, &region),
        cper::Decoded::Record(record) => {
            let mut records: Vec<Record> = record.sections.iter().map(Record::section).collect();
            // What the record says of itself stands once, below its first section.
            if let Some(first) = records.first_mut() {
                for field in record.fields() {
                    let name = format!("record {}", field.name);
                    first
                        .sheet
                        .row(name, field.value, field.meaning.unwrap_or_default());
                }
            }
            Decoded {
                file,
                error: damage(record.damage.as_ref(), &record.sections),
                records,
            }
        }
    }
}

fn regions(file: Option<String>, region: &Region) -> Decoded {
    let mut records = Vec::new();
    let mut error = region.damage.as_ref().map(ToString::to_string);
    for block in &region.blocks {
        error = error.or_else(|| damage(block.damage.as_ref(), &block.sections));
        records.extend(block.sections.iter().map(Record::section));
    }
    Decoded { file, records, error }
}

fn damage(whole: Option<&cper::CperError>, sections: &[Section]) -> Option<String> {
    let first = || sections.iter().find_map(|section| section.damage.as_ref());
    whole.or_else(first).map(ToString::to_string)
}

impl Record {
    pub(crate) fn section(section: &Section) -> Self {
        let error = section.hardware_error();
        let both = Both {
            error: &error,
            section,
        };
        Self::new(&both, hardware::sheet(&error))
    }
}

/// A section as programs get it.
#[derive(Debug, Serialize)]
struct Both<'a> {
    #[serde(flatten)]
    error: &'a HardwareError,
    section: &'a Section,
}
