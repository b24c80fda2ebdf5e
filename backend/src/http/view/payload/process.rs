//! What happened to a program: an out-of-memory kill, a crash.

use proto::v1::{CrashThread, OomConstraint, OomKill, ProgramCrash, UserFrame};

use super::Sections;
use crate::http::view::shown::name;
use crate::http::view::trace::{Trace, TraceRow};
use crate::http::view::{Facts, bytes, grouped};

/// An out-of-memory kill.
pub(super) fn oom_kill(kill: &OomKill) -> Facts {
    let kib = |size: Option<u64>| {
        size.map(|kib| bytes(kib.saturating_mul(1024)))
            .unwrap_or_default()
    };
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut facts = Facts::new("Out-of-memory kill");
    let pid = format!("pid {}", kill.victim_pid);
    match kill.victim_comm.as_str() {
        "" => facts.add_noted("Victim", pid, ""),
        comm => facts.add_noted("Victim", comm, pid),
    }
    facts.add("What ran out", constraint(kill.constraint()));
    facts.add_mono("Limit of", kill.limit_cgroup.as_str());
    facts.add_mono("Victim's cgroup", kill.victim_cgroup.as_str());
    facts.add("User id", number(kill.uid.map(Into::into)));
    facts.add("oom_score_adj", number(kill.oom_score_adj.map(Into::into)));
    facts.add("Badness", number(kill.points));
    facts.add("Anonymous", kib(kill.anon_rss_kib));
    facts.add("File pages", kib(kill.file_rss_kib));
    facts.add("Shared", kib(kill.shmem_rss_kib));
    facts.add("Page tables", kib(kill.pgtables_kib));
    facts.add("Virtual", kib(kill.total_vm_kib));
    match kill.order {
        Some(-1) => facts.add_noted("Asked for", "by hand", "SysRq f"),
        Some(order) => facts.add_noted("Asked for", pages(order), gfp(kill.gfp_mask)),
        None => facts.add_noted("Asked for with", gfp(kill.gfp_mask), ""),
    }
    let total = kill.total_pages.map(|pages| format!("{} pages", grouped(pages)));
    facts.add("Could be used", total.unwrap_or_default());
    facts
}

/// `1 page`, `8 pages at once`.
fn pages(order: i32) -> String {
    let count = u32::try_from(order)
        .ok()
        .and_then(|order| 1u64.checked_shl(order));
    match count {
        Some(1) => "1 page".to_owned(),
        Some(count) => format!("{} pages at once", grouped(count)),
        None => format!("order {order}"),
    }
}

fn gfp(mask: Option<u32>) -> String {
    mask.map(|mask| format!("gfp_mask {mask:#x}")).unwrap_or_default()
}

fn constraint(constraint: OomConstraint) -> &'static str {
    match constraint {
        OomConstraint::Unspecified => "",
        OomConstraint::None => "the whole machine's memory",
        OomConstraint::Cpuset => "the memory of a cpuset",
        OomConstraint::MemoryPolicy => "the memory of a policy's nodes",
        OomConstraint::Memcg => "the limit of a cgroup",
    }
}

/// A crashed program, and where it was.
pub(super) fn program_crash(crash: &ProgramCrash) -> Sections {
    let mut facts = Facts::new("Program crash");
    let number = crash.signal.to_string();
    match faults::signal::name(crash.signal) {
        Some(name) => facts.add_noted("Signal", name, format!("signal {number}")),
        None => facts.add_noted("Signal", number, ""),
    }
    let raised_by = if crash.code > 0 {
        "raised by the kernel"
    } else {
        "sent by a program"
    };
    match faults::signal::code_name(crash.signal, crash.code) {
        Some(name) => facts.add_noted("si_code", name, format!("{}, {raised_by}", crash.code)),
        None => facts.add_noted("si_code", crash.code.to_string(), raised_by),
    }
    if crash.errno != 0 {
        facts.add("si_errno", crash.errno.to_string());
    }
    let address = crash.address.map(|address| format!("{address:#x}"));
    facts.add_mono("Address", address.unwrap_or_default());
    facts.add_mono("Program", crash.executable.as_str());
    facts.add_mono("Build id", crash.build_id.as_str());
    let core = match crash.core_dumped {
        Some(true) => "written",
        Some(false) => "not written",
        None => "",
    };
    facts.add("Core dump", core);
    if crash.core_truncated {
        facts.add("Stacks", "incomplete: the core dump ended early");
    }
    Sections {
        facts: vec![facts],
        traces: traces(crash),
        ..Sections::default()
    }
}

/// The stack of the thread that crashed, then those of the others.
fn traces(crash: &ProgramCrash) -> Vec<Trace> {
    let own = stack("Program's stack".to_owned(), &crash.frames);
    let other = |thread: &CrashThread| stack(format!("Thread {}", thread.tid), &thread.frames);
    let others = crash.threads.iter().filter_map(other);
    own.into_iter().chain(others).collect()
}

fn stack(heading: String, frames: &[UserFrame]) -> Option<Trace> {
    if frames.is_empty() {
        return None;
    }
    let rows = frames.iter().enumerate().map(|(index, frame)| TraceRow {
        number: index + 1,
        function: [frame.function.as_str(), "(no symbol)"]
            .into_iter()
            .find(|name| !name.is_empty())
            .map(name)
            .unwrap_or_default(),
        offset: format!("{:#x}", frame.offset),
        module: match frame.file.as_str() {
            "" => frame.build_id.clone(),
            file => name(file),
        },
        location: String::new(),
        whole_location: String::new(),
        style: if frame.function.is_empty() { "guess" } else { "" },
        hints: Vec::new(),
    });
    Some(Trace {
        heading,
        size: match frames.len() {
            1 => "1 frame, by frame pointers".to_owned(),
            count => format!("{count} frames, by frame pointers"),
        },
        place: "Offset in file",
        holder: "File",
        frames: rows.collect(),
        modular: true,
        located: false,
    })
}
