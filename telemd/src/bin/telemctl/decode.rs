//! `telemctl decode`: what hardware error records and registers mean.

mod aer;
mod cper;
mod hardware;
mod hex;
mod mce;
mod sheet;

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{ColorChoice, Subcommand};
use serde::Serialize;
use telemd::cli;
use telemd::config::EXIT_USAGE;
use telemd::text::chain;

use crate::input::{Input, InputError, STDIN};
use crate::output::{self, EXIT_UNREADABLE, Paint};
use sheet::Sheet;

/// Bytes that are read of an input: error regions of firmware are far smaller.
const INPUT_MAX: usize = 16 << 20;

const EXAMPLES: &str = "Examples:
  telemctl decode mce --vendor intel --bank 7 --status 0x8c00004000010091
  dmesg | telemctl decode mce
  telemctl decode cper /sys/fs/pstore/dmesg-erst-*
  telemctl decode cper --hex \"$(xxd -p record.bin)\"
  telemctl decode bert
  telemctl decode aer --uncorrectable 0x4000 --severity 0x462030 --tlp \"40009001 0000000f fedc0000 00000000\"

Exit codes: 0 decoded, 1 nothing to decode was found, 2 unreadable or damaged (what could be decoded is shown),
64 wrong command line.";

/// Decode hardware errors: machine checks, CPER records, BERT, PCI Express. Works without telemd and root.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
    /// Colours.
    #[arg(long, help = output::COLOR_HELP, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

#[derive(Debug, Subcommand)]
enum What {
    Mce(mce::Options),
    Cper(cper::Options),
    Bert(cper::BertOptions),
    Aer(aer::Options),
}

pub(crate) fn decode(options: &Options, json: bool) -> ExitCode {
    let outcome = match &options.what {
        What::Mce(options) => mce::decode(options),
        What::Cper(options) => cper::decode(options),
        What::Bert(options) => cper::decode_bert(options),
        What::Aer(options) => aer::decode(options),
    };
    match outcome {
        Ok(decoded) => show(&decoded, Paint::new(options.color), json),
        Err(Refused::Usage(message)) => {
            cli::complain(&format!("telemctl decode: {message}"));
            ExitCode::from(EXIT_USAGE)
        }
        Err(Refused::Nothing(message)) => {
            cli::complain(&format!("telemctl decode: {message}"));
            ExitCode::FAILURE
        }
        Err(Refused::Input { name, error }) => {
            cli::complain(&format!("telemctl: {name}: {}", chain(&error)));
            ExitCode::from(EXIT_UNREADABLE)
        }
    }
}

/// Why nothing was decoded.
#[derive(Debug)]
enum Refused {
    Usage(String),
    /// There is no input, and that is no mistake.
    Nothing(String),
    Input {
        name: String,
        error: InputError,
    },
}

/// What was decoded of one input.
#[derive(Debug, Serialize)]
struct Decoded {
    /// The file; absent when the command line held it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    records: Vec<Record>,
    /// Why decoding ended before the end of the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One record, for programs and for people.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Record {
    value: serde_json::Value,
    #[serde(skip)]
    sheet: Sheet,
}

impl Record {
    fn new<T: Serialize>(value: &T, sheet: Sheet) -> Self {
        Self {
            // Only maps with keys that are no strings fail, and there is none.
            value: serde_json::to_value(value).unwrap_or_default(),
            sheet,
        }
    }

    /// For people, who may not want every flag that is not set.
    pub(crate) fn text(&self, paint: Paint, full: bool) -> String {
        if full {
            return sheet::text(std::iter::once(&self.sheet), paint);
        }
        sheet::text(std::iter::once(&self.sheet.without_clear_flags()), paint)
    }
}

fn show(decoded: &Decoded, paint: Paint, json: bool) -> ExitCode {
    let text = if json {
        serde_json::to_string(decoded).unwrap_or_default() + "\n"
    } else {
        sheet::text(decoded.records.iter().map(|record| &record.sheet), paint)
    };
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        return output::unwritten(&error);
    }
    let name = decoded.file.as_deref().unwrap_or("the command line");
    match &decoded.error {
        Some(error) => {
            cli::complain(&format!("telemctl: {name}: {error}"));
            ExitCode::from(EXIT_UNREADABLE)
        }
        None if decoded.records.is_empty() => {
            cli::complain(&format!("telemctl: {name}: nothing to decode was found"));
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

/// What an input holds.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Binary(Vec<u8>),
    Text(String),
}

/// Reads a file, or stdin when none is named. Hexadecimal digits become the bytes that they stand for.
fn read(file: Option<&OsStr>, consumer: &'static str) -> Result<(String, Content), Refused> {
    let path = file.unwrap_or(OsStr::new(STDIN));
    if file.is_none() && io::stdin().is_terminal() {
        let message = "nothing to decode was given\n  name a file, pipe one in, or see --help for the flags";
        return Err(Refused::Usage(message.to_owned()));
    }
    let name = path.to_string_lossy().into_owned();
    let bytes = read_all(path, consumer).map_err(|error| Refused::Input {
        name: name.clone(),
        error,
    })?;
    Ok((name, content(bytes)))
}

fn read_all(path: &OsStr, consumer: &'static str) -> Result<Vec<u8>, InputError> {
    let mut input = Input::open(path, consumer)?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if bytes.len() > INPUT_MAX {
            return Err(InputError::TooLong { limit: INPUT_MAX });
        }
    }
}

fn content(bytes: Vec<u8>) -> Content {
    // Logs may hold any bytes but this one.
    if bytes.contains(&0) {
        return Content::Binary(bytes);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match hex::parse(&text) {
        Ok(bytes) if !bytes.is_empty() => Content::Binary(bytes),
        _ => Content::Text(text),
    }
}
