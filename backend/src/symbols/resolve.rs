//! From a stored record to the files that may know its stack, and what they say.

use faults::symbols::BuildId;
use prost::Message as _;
use proto::v1::{Fault, ProgramCrash, ResolveFaultResponse, UserFrame, record::Payload};

use super::{
    AskError, Kept, Symbols, SymbolsError,
    worker::{Address, Source, Stack, Task},
};
use crate::store::{StoreError, SymbolsFound, SymbolsWanted};

impl Symbols {
    /// Whether there are debug files that may know the stack of a record. Asks the index alone.
    pub async fn may_resolve(&self, fault: &Fault) -> Result<bool, StoreError> {
        if self.kept.is_none() {
            return Ok(false);
        }
        match wanted(fault) {
            Some(wanted) => Ok(!self.store.symbols_for(&wanted).await?.is_empty()),
            None => Ok(false),
        }
    }

    /// The stack of a record with files, lines and inlined functions, as far as the debug files that are there know them.
    pub async fn resolve(&self, fault: &Fault) -> Result<ResolveFaultResponse, SymbolsError> {
        let kept = self.kept()?;
        let Some(wanted) = wanted(fault) else {
            return Ok(ResolveFaultResponse::default());
        };
        let found = self.store.symbols_for(&wanted).await?;
        if let Some(answer) = kept.answers.get(&fault.id, &found) {
            return Ok(answer);
        }
        let answer = kept.ask(fault, found.clone()).await?;
        kept.answers.put(fault.id.clone(), found, answer.clone());
        Ok(answer)
    }
}

/// The files that a record's stack asks for; None: it has none.
fn wanted(fault: &Fault) -> Option<SymbolsWanted> {
    match fault.record.as_ref()?.payload.as_ref()? {
        Payload::KernelReport(report) => Some(wanted_of_report(fault, &report.text)),
        Payload::ProgramCrash(crash) => Some(wanted_of_crash(crash)),
        _ => None,
    }
}

impl Kept {
    /// Has the files read.
    async fn ask(
        &self,
        fault: &Fault,
        found: Vec<SymbolsFound>,
    ) -> Result<ResolveFaultResponse, SymbolsError> {
        let record = fault.record.clone().unwrap_or_default();
        let files = found
            .into_iter()
            .map(|found| Source {
                path: self.files.path(&found.sha256),
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
        let answer = self.asker.ask(&task).await?;
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
