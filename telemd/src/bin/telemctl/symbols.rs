//! `telemctl symbols`.

mod find;
mod upload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use telemd::cli;
use telemd::config::Config;
use telemd::text::chain;

use crate::collector;
use crate::output::harmless;

/// Exit status when the collector did not answer; 1 is that it refused a file.
const NO_ANSWER: u8 = 2;

/// Debug files, by which the collector gives stacks their files and lines.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Upload(Upload),
}

/// Bring debug files to a collector: kernels, modules, programs and libraries with a build id and debug information. Folders are
/// walked; what the collector has is not sent again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  telemctl symbols upload /usr/lib/debug\n  \
                  telemctl symbols upload ./vmlinux drivers/mine.ko\n  \
                  TELEMCTL_API_TOKEN=tla_... telemctl symbols upload --server https://collector.example:7130 build/ --json\n\n\
                  Exit codes: 0 the collector has them all, 1 it refused some or one cannot be read, 2 there is no answer, 64 wrong\n\
                  command line or configuration. The collector runs with --symbols; the token takes the role triager.")]
struct Upload {
    /// Files, and folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    collector: collector::Asked,
}

pub(crate) fn symbols(options: &Options, config: &Config, as_json: bool) -> ExitCode {
    let Command::Upload(options) = &options.command;
    let found = find::find(&options.paths);
    let done = match upload::upload(&options.collector, config, &found.files) {
        Ok(done) => done,
        Err(failure) => {
            cli::complain(&format!("telemctl: {}", chain(&failure)));
            return ExitCode::from(NO_ANSWER);
        }
    };
    let problems: Vec<&String> = found.problems.iter().chain(&done.problems).collect();
    if as_json {
        cli::say(&format!(
            "{:#}",
            json!({
                "files": found.files.len(),
                "uploaded": done.uploaded,
                "uploaded_bytes": done.bytes,
                "known": done.known,
                "without_symbols": found.others,
                "problems": problems,
            })
        ));
    } else {
        for problem in &problems {
            cli::complain(&format!("telemctl: {}", harmless(problem)));
        }
        cli::say(&format!(
            "{} uploaded ({} MiB), {} known before, {} files without debug information or build id passed over",
            done.uploaded,
            done.bytes >> 20,
            done.known,
            found.others
        ));
    }
    ExitCode::from(u8::from(!problems.is_empty()))
}
