//! What a report says, a fact a line.

use std::fmt::Write as _;

use faults::report::{Access, Choice, MemoryObject, Reason, SkipRule, Stall, Victim};
use faults::{KernelReport, fingerprint};

use super::fact;
use crate::explain::read::Found;
use crate::output::{Paint, harmless};

/// Frames passed over that are told unless all are asked for.
const PASSED_SHOWN: usize = 4;

pub(super) fn write(text: &mut String, found: &Found, paint: Paint, full: bool) {
    let report = &found.report.report;
    let kind = format!("{}, severity {}, {}", report.kind, report.severity, report.class);
    fact(text, paint, "kind", &kind);
    known(text, paint, "also called", &report.alt_titles.join("\n"));
    if let Some(when) = when(found.report.first_at_us, found.report.last_at_us) {
        fact(text, paint, "when", &when);
    }
    known(text, paint, "where", &place(report));
    known(text, paint, "kernel", &kernel(report));
    if let Some(hardware) = &report.hardware {
        known(text, paint, "hardware", &hardware.text);
    }
    known(text, paint, "tainted", &tainted(report));
    detail(text, report, paint);
    if let Some(function) = &report.function {
        at_fault(text, report, function, paint, full);
    }
    let missing = missing(found);
    if !missing.is_empty() {
        let name = if report.corrupted {
            "corrupted"
        } else {
            "incomplete"
        };
        fact(text, paint, name, &paint.notice(&missing));
    }
}

/// A fact of which the log gave the words; none when there are none.
pub(super) fn known(text: &mut String, paint: Paint, name: &str, value: &str) {
    // Line by line: the breaks are ours, the rest is the log's.
    let lines: Vec<_> = value.lines().map(harmless).collect();
    fact(text, paint, name, &lines.join("\n"));
}

fn when(first_us: Option<u64>, last_us: Option<u64>) -> Option<String> {
    let first = first_us?;
    let mut when = format!("{} after boot", uptime(first));
    // What takes longer than printing is worth telling.
    if let Some(lasted) = last_us
        .and_then(|last| last.checked_sub(first))
        .filter(|us| *us >= 1_000_000)
    {
        let _infallible = write!(when, ", over {} s", lasted / 1_000_000);
    }
    Some(when)
}

/// `5.140900 s`, with hours and days when there are such.
fn uptime(us: u64) -> String {
    let seconds = us / 1_000_000;
    let exact = format!("{seconds}.{:06} s", us % 1_000_000);
    match seconds {
        0..3_600 => exact,
        3_600..172_800 => format!("{exact} ({} h {} min)", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!(
            "{exact} ({} days {} h)",
            seconds / 86_400,
            seconds % 86_400 / 3_600
        ),
    }
}

fn place(report: &KernelReport) -> String {
    let mut parts = Vec::new();
    if let Some(cpu) = report.cpu {
        parts.push(format!("CPU {cpu}"));
    }
    let about = [
        report.pid.map(|pid| format!("pid {pid}")),
        report.uid.map(|uid| {
            if uid == 0 {
                "root".to_owned()
            } else {
                format!("uid {uid}")
            }
        }),
    ];
    let about: Vec<String> = about.into_iter().flatten().collect();
    match &report.comm {
        Some(comm) if about.is_empty() => parts.push(format!("task {comm}")),
        Some(comm) => parts.push(format!("task {comm} ({})", about.join(", "))),
        None if about.is_empty() => {}
        None => parts.push(format!("task with {}", about.join(", "))),
    }
    if let Some(work) = &report.workqueue {
        parts.push(format!("workqueue {work}"));
    }
    parts.join(", ")
}

fn kernel(report: &KernelReport) -> String {
    let parts = [&report.kernel_release, &report.kernel_build, &report.preemption];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(" ")
}

/// Why the kernel is tainted, a reason a line. Kernels that are not need no word.
fn tainted(report: &KernelReport) -> String {
    let flags = report.taint.iter().flat_map(|taint| &taint.flags);
    let lines: Vec<String> = flags
        .map(|flag| format!("{} {}", flag.letter, flag.meaning))
        .collect();
    lines.join("\n")
}

/// What only some forms of report have.
fn detail(text: &mut String, report: &KernelReport, paint: Paint) {
    if let Some(access) = &report.access {
        known(text, paint, "access", &accessed(access));
    }
    if let Some(object) = &report.object {
        known(text, paint, "object", &object_text(object));
    }
    if let Some(stall) = &report.stall {
        known(text, paint, "stalled", &stalled(stall));
    }
    if let Some(allocation) = &report.allocation {
        let order = allocation.order.map(|order| match order {
            0 => "1 page".to_owned(),
            order => format!("{} pages (order {order})", 1_u64 << order.min(63)),
        });
        let flags = Some(allocation.gfp_flags.join("|")).filter(|flags| !flags.is_empty());
        known(text, paint, "allocation", &join(", ", [order, flags]));
    }
    if let Some(oom) = &report.oom {
        known(
            text,
            paint,
            "victim",
            &oom.victim.as_ref().map(victim).unwrap_or_default(),
        );
        known(
            text,
            paint,
            "limit",
            &join(", ", [limit(oom.constraint.as_deref()), oom.memcg.clone()]),
        );
    }
    if let Some(conflict) = &report.lock_conflict {
        let name = |verb: &str, lock: &Option<faults::report::Lock>| {
            let lock = lock.as_ref()?;
            let at = lock
                .at
                .as_ref()
                .map(|frame| format!(" in {}", frame.function))
                .unwrap_or_default();
            Some(format!("{verb} {}{at}", lock.name))
        };
        let locks = [name("wants", &conflict.wanted), name("holds", &conflict.held)];
        known(text, paint, "locks", &join("\n", locks));
    }
    if let Some(oops) = report.oops.as_ref().filter(|oops| oops.counter > 1) {
        let times = match oops.counter {
            2 => "once".to_owned(),
            counter => format!("{} times", counter - 1),
        };
        let died = format!("the kernel had died {times} before since it was booted");
        fact(text, paint, "died before", &paint.notice(&died));
    }
}

fn join<const N: usize>(separator: &str, parts: [Option<String>; N]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(separator)
}

fn accessed(access: &Access) -> String {
    let mut text = access
        .mode
        .map_or("access", faults::report::AccessMode::as_str)
        .to_owned();
    // Writing to a String cannot fail.
    if let Some(size) = access.size {
        let _infallible = write!(text, " of {size} bytes");
    }
    if let Some(address) = access.address {
        let _infallible = write!(text, " at {address:#x}");
    }
    if let Some(reason) = &access.reason {
        let _infallible = write!(text, ": {reason}");
    }
    text
}

fn object_text(object: &MemoryObject) -> String {
    let size = object.size.map(|size| format!("{size} bytes"));
    let cache = object.cache.as_ref().map(|cache| format!("from {cache}"));
    let freed = object
        .freed
        .map(|freed| if freed { "freed" } else { "not freed" }.to_owned());
    let place = object.place.map(|place| {
        let distance = object
            .distance
            .map(|distance| format!("{distance} bytes "))
            .unwrap_or_default();
        format!("the access was {distance}{}", place.meaning())
    });
    join(", ", [size, cache, freed, place])
}

fn stalled(stall: &Stall) -> String {
    let list = |what: &str, numbers: &[u32]| {
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        (!numbers.is_empty()).then(|| format!("{what} {}", numbers.join(", ")))
    };
    let time = [
        stall.seconds.map(|seconds| format!("for {seconds} s")),
        stall.jiffies.map(|jiffies| format!("for {jiffies} jiffies")),
    ];
    let who = join(", ", [list("CPU", &stall.cpus), list("pid", &stall.pids)]);
    join(
        " ",
        [Some(who).filter(|who| !who.is_empty()), Some(join(", ", time))],
    )
    .trim_end()
    .to_owned()
}

fn victim(victim: &Victim) -> String {
    let size = |what: &str, kib: Option<u64>| {
        kib.filter(|kib| *kib > 0)
            .map(|kib| format!("{what} {}", mib(kib)))
    };
    let sizes = [
        size("anonymous", victim.anon_rss_kib),
        size("file", victim.file_rss_kib),
        size("shared", victim.shmem_rss_kib),
        size("page tables", victim.page_tables_kib),
    ];
    let mut text = format!("{} (pid {})", victim.comm, victim.pid);
    let sizes = join(", ", sizes);
    if !sizes.is_empty() {
        let _infallible = write!(text, ": {sizes}");
    }
    text
}

fn mib(kib: u64) -> String {
    if kib < 10 << 10 {
        format!("{kib} KiB")
    } else {
        format!("{} MiB", kib >> 10)
    }
}

/// What limited the memory (`mm/oom_kill.c`, `oom_constraint_text`).
fn limit(constraint: Option<&str>) -> Option<String> {
    let limit = match constraint? {
        "CONSTRAINT_NONE" => "the whole machine was out of memory",
        "CONSTRAINT_CPUSET" => "the nodes that the cpuset allows were out of memory",
        "CONSTRAINT_MEMORY_POLICY" => "the nodes that the memory policy allows were out of memory",
        "CONSTRAINT_MEMCG" => "a memory control group was at its limit",
        other => other,
    };
    Some(limit.to_owned())
}

/// The function at fault and why it was chosen.
fn at_fault(text: &mut String, report: &KernelReport, function: &str, paint: Paint, full: bool) {
    let module = report
        .module
        .as_ref()
        .map(|module| format!(" in module {module}"))
        .unwrap_or_default();
    let function = format!("{}{}", paint.mark(&harmless(function)), harmless(&module));
    fact(text, paint, "at fault", &function);
    if let Some(choice) = &report.choice {
        known(text, paint, "because", &reasons(choice, full));
    }
}

fn reasons(choice: &Choice, full: bool) -> String {
    let obvious = |rule: SkipRule| matches!(rule, SkipRule::Unreliable | SkipRule::Inlined);
    let passed = choice
        .passed
        .iter()
        .filter(|passed| full || !obvious(passed.rule));
    // The first of all needs no reason but its place.
    let first_of_all = choice.reason == Reason::FirstLeft && passed.clone().next().is_none();
    let mut text = choice.origin.meaning().to_owned();
    if !first_of_all && choice.reason != Reason::Named {
        let _infallible = write!(text, ", and {}", choice.reason.meaning());
    }
    let shown = if full { usize::MAX } else { PASSED_SHOWN };
    for passed in passed.clone().take(shown) {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "\nnot {}: {}", passed.function, passed.rule.meaning());
    }
    if let Some(more) = passed.count().checked_sub(shown).filter(|more| *more > 0) {
        let _infallible = write!(text, "\nnor {more} more frames (--full shows them)");
    }
    text
}

/// What is missing, a sentence a line.
fn missing(found: &Found) -> String {
    let report = &found.report.report;
    let mut lines: Vec<String> = report
        .missing
        .iter()
        .map(|missing| missing.why.to_owned())
        .collect();
    if found.report.left_out > 0 {
        lines.push(format!("{} lines are not shown here.", found.report.left_out));
    }
    if lines.is_empty() && report.corrupted {
        lines.push("Lines are missing or mixed with others.".to_owned());
    }
    if lines.is_empty() && (report.truncated || found.report.truncated) {
        lines.push("The end was cut off.".to_owned());
    }
    if report.corrupted {
        lines.push("The function at fault may be wrong.".to_owned());
    }
    lines.join("\n")
}

/// Which other reports are the same fault, and why when that is wanted.
pub(super) fn fingerprints(text: &mut String, report: &KernelReport, paint: Paint, why: bool) {
    let explanation = fingerprint::explain(report);
    if why {
        return known(text, paint, "fingerprint", &explanation.to_string());
    }
    let mut all = String::new();
    for fingerprint in explanation.fingerprints() {
        // Writing to a String cannot fail.
        let _infallible = writeln!(all, "{:<10}  {fingerprint}", fingerprint.level);
    }
    fact(text, paint, "fingerprint", &all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_and_readable() {
        assert_eq!(
            when(Some(5_140_900), Some(5_200_000)).unwrap(),
            "5.140900 s after boot"
        );
        assert_eq!(
            when(Some(7_320_000_000), Some(7_322_000_001)).unwrap(),
            "7320.000000 s (2 h 2 min) after boot, over 2 s"
        );
        assert_eq!(when(None, Some(1)), None);
    }
}
