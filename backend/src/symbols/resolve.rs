//! From a stored record to the files that may know its stack, and what they say.

use faults::symbols::BuildId;
use prost::Message as _;
use proto::v1::{Fault, ProgramCrash, ResolveFaultResponse, UserFrame, record::Payload};

use super::{
    AskError, Symbols, SymbolsError,
    worker::{Address, Source, Stack, Task},
};
use crate::store::SymbolsWanted;

impl Symbols {
    /// The stack of a record with files, lines and inlined functions, as far as the debug files that are there know them.
    pub async fn resolve(&self, fault: &Fault) -> Result<ResolveFaultResponse, SymbolsError> {
        let kept = self.kept()?;
        let record = fault.record.clone().unwrap_or_default();
        let wanted = match &record.payload {
            Some(Payload::KernelReport(report)) => wanted_of_report(fault, &report.text),
            Some(Payload::ProgramCrash(crash)) => wanted_of_crash(crash),
            _ => return Ok(ResolveFaultResponse::default()),
        };
        let found = self.store.symbols_for(&wanted).await?;
        let files = found
            .into_iter()
            .map(|found| Source {
                path: kept.files.path(&found.sha256),
                module: found.module,
            })
            .collect();
        let task = match record.payload {
            Some(Payload::KernelReport(report)) => Task::Report {
                text: report.text,
                kernel_release: record.kernel_release,
                files,
            },
            Some(Payload::ProgramCrash(crash)) => Task::Stacks {
                stacks: stacks(crash),
                files,
            },
            _ => return Ok(ResolveFaultResponse::default()),
        };
        let answer = kept.asker.ask(&task).await?;
        let answer = ResolveFaultResponse::decode(answer.as_slice());
        answer.map_err(|error| SymbolsError::Ask(AskError::Answer(error.into())))
    }
}

/// The kernel by the build id of the host's, where it has run the same release since; modules by name, or by the build id that
/// some kernels print.
fn wanted_of_report(fault: &Fault, text: &str) -> SymbolsWanted {
    let mut wanted = SymbolsWanted::default();
    let told = fault.record.as_ref().map(|record| &record.kernel_release);
    let parsed = faults::parse(text);
    let printed = parsed.as_ref().and_then(|report| report.kernel_release.clone());
    wanted.kernel_release = told
        .filter(|release| !release.is_empty())
        .cloned()
        .or(printed)
        .unwrap_or_default();
    if let Some(host) = &fault.host
        && host.kernel_release == wanted.kernel_release
        && !host.kernel_build_id.is_empty()
    {
        wanted.build_ids.push(host.kernel_build_id.clone());
    }
    let frames = parsed
        .iter()
        .flat_map(|report| &report.traces)
        .flat_map(|trace| &trace.frames);
    for frame in frames {
        wanted.modules.extend(frame.module.clone());
        let printed: Option<BuildId> = frame.build_id.as_deref().and_then(|id| id.parse().ok());
        wanted.build_ids.extend(printed.map(|id| id.to_string()));
    }
    for list in [&mut wanted.modules, &mut wanted.build_ids] {
        list.sort_unstable();
        list.dedup();
    }
    wanted
}

fn wanted_of_crash(crash: &ProgramCrash) -> SymbolsWanted {
    let of_threads = crash.threads.iter().flat_map(|thread| &thread.frames);
    let mut build_ids: Vec<String> = crash
        .frames
        .iter()
        .chain(of_threads)
        .map(|frame| frame.build_id.clone())
        .filter(|id| !id.is_empty())
        .collect();
    build_ids.sort_unstable();
    build_ids.dedup();
    SymbolsWanted {
        build_ids,
        ..SymbolsWanted::default()
    }
}

/// The stack that failed, and those of the other threads.
fn stacks(crash: ProgramCrash) -> Vec<Stack> {
    let stack = |heading: String, frames: Vec<UserFrame>| Stack {
        heading,
        frames: frames.into_iter().map(address).collect(),
    };
    let mut stacks = vec![stack("Stack".to_owned(), crash.frames)];
    let others = crash.threads.into_iter();
    stacks.extend(others.map(|thread| stack(format!("Thread {}", thread.tid), thread.frames)));
    stacks.retain(|stack| !stack.frames.is_empty());
    stacks
}

fn address(frame: UserFrame) -> Address {
    Address {
        build_id: frame.build_id,
        offset: frame.offset,
        file: frame.file,
        function: frame.function,
    }
}
