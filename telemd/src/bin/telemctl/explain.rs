//! `telemctl explain`: the faults that a kernel log tells of.

mod hardware;
mod json;
mod pretty;
mod progress;
mod read;
mod symbols;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ColorChoice;
use telemd::cli;
use telemd::config::EXIT_USAGE;
use telemd::text::chain;

use crate::input::{Input, STDIN};
use crate::output::{self, EXIT_UNREADABLE, Paint};
use read::{Found, Stop};
use symbols::Finder;

const LONG_ABOUT: &str = "Explains the faults in kernel logs: what happened, where, which function is at fault and \
why.

A log is text in any form that kernels and tools print: dmesg, /dev/kmsg, journalctl, syslog, a serial console, \
netconsole, pstore. It may be compressed with gzip or zstd. telemd, its configuration and root are not needed.";

const EXAMPLES: &str = "Examples:
  telemctl explain /var/log/kern.log
  dmesg | telemctl explain
  journalctl -k -b -1 -o short-monotonic | telemctl explain
  telemctl explain --full --why /sys/fs/pstore/dmesg-*
  telemctl explain --symbols /usr/lib/debug oops.txt
  telemctl explain --json *.log | jq -r '.file + \": \" + (.reports[0].title // \"nothing\")'

Exit codes: 0 reports were found, 1 none was found, 2 a file could not be read, 64 wrong command line.";

/// Explain the faults in kernel logs. Works without telemd, its configuration and root.
#[derive(Debug, clap::Args)]
#[command(long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Kernel logs; - or none: stdin.
    #[arg(value_name = "FILE")]
    files: Vec<OsString>,
    /// Show every report, also those that repeat one that was shown.
    #[arg(long)]
    all: bool,
    /// Show every line and every frame of a report.
    #[arg(long)]
    full: bool,
    /// Say which rules made the fingerprints.
    #[arg(long)]
    why: bool,
    /// A debug file (vmlinux, a module's), or a folder of them such as /usr/lib/debug: frames get files and lines.
    #[arg(long, value_name = "PATH")]
    symbols: Option<PathBuf>,
    /// Colours.
    #[arg(long, help = output::COLOR_HELP, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

/// Where reports go.
trait Sink {
    /// A file begins.
    fn begin(&mut self, file: &str) -> io::Result<()>;
    /// Its next report.
    fn report(&mut self, found: Found) -> io::Result<()>;
    /// The file ends, when it could not be read to its end with an error.
    fn end(&mut self, error: Option<&str>) -> io::Result<()>;
    /// Nothing follows.
    fn finish(&mut self) -> io::Result<()>;
}

pub(crate) fn explain(options: &Options, json: bool) -> ExitCode {
    let mut files = options.files.clone();
    if files.is_empty() {
        if io::stdin().is_terminal() {
            cli::complain(
                "telemctl explain: which log?\n  name files, or pipe one in: dmesg | telemctl explain",
            );
            return ExitCode::from(EXIT_USAGE);
        }
        files.push(STDIN.into());
    }
    let mut finder = match options.symbols.as_deref().map(Finder::new).transpose() {
        Ok(finder) => finder,
        Err(error) => {
            cli::complain(&format!("telemctl explain: {error}"));
            return ExitCode::from(EXIT_UNREADABLE);
        }
    };
    let mut sink: Box<dyn Sink> = if json {
        Box::new(json::Json::new(io::stdout().lock(), options.why))
    } else {
        let paint = Paint::new(options.color);
        let style = pretty::Style {
            all: options.all,
            full: options.full,
            why: options.why,
            files: files.len(),
        };
        Box::new(pretty::Pretty::new(io::stdout().lock(), paint, style))
    };
    match explain_all(&files, finder.as_mut(), sink.as_mut()) {
        Ok(code) => code,
        Err(error) => output::unwritten(&error),
    }
}

fn explain_all(
    files: &[OsString],
    mut finder: Option<&mut Finder>,
    sink: &mut dyn Sink,
) -> io::Result<ExitCode> {
    let (mut found, mut failed) = (0_u64, false);
    for file in files {
        let name = file.to_string_lossy();
        sink.begin(&name)?;
        let mut count = |mut report: Found| {
            found += 1;
            if let Some(finder) = &mut finder {
                report.symbols = finder.resolve(&mut report.report.report);
            }
            sink.report(report)
        };
        let read = Input::open(file, "explain")
            .map_err(Stop::Input)
            .and_then(|input| read::reports(input, &name, &mut count));
        let error = match read {
            Ok(()) => None,
            Err(Stop::Input(error)) => Some(chain(&error)),
            Err(Stop::Output(error)) => return Err(error),
        };
        sink.end(error.as_deref())?;
        if let Some(error) = error {
            failed = true;
            cli::complain(&format!("telemctl: {name}: {error}"));
        }
    }
    sink.finish()?;
    Ok(ExitCode::from(match (failed, found) {
        (true, _) => EXIT_UNREADABLE,
        (false, 0) => 1,
        (false, _) => 0,
    }))
}
