//! The lines that say what ran when a report was printed: processor, task, kernel release and taint.

use super::pattern::find;

/// What one line says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Who<'t> {
    pub(crate) cpu: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) pid: Option<u32>,
    pub(crate) comm: Option<&'t str>,
    pub(crate) taint: Option<&'t str>,
    pub(crate) release: Option<&'t str>,
    /// What follows the release.
    pub(crate) build: Option<&'t str>,
}

/// Reads a line without indentation. Since 3.10 all architectures have one form (`lib/dump_stack.c`,
/// `dump_stack_print_info`); the others are of `show_regs` and `die` in arch/*/kernel before that.
pub(crate) fn read(line: &str) -> Option<Who<'_>> {
    match line.as_bytes().first()? {
        b'C' => cpu_line(line),
        b'P' => pid_line(line),
        b'E' => i386_line(line),
        b'T' => tainted(line).or_else(|| powerpc_task(line)),
        b'N' => tainted(line),
        b'R' if line.starts_with("REGS: ") => tainted(from_tainted(line)?),
        b'p' if line.starts_with("psr : ") => tainted(from_tainted(line)?),
        _ => None,
    }
}

/// `CPU: 1 [UID: 0 ]PID: 77 Comm: name Not tainted 6.1.0 #1 ...`; `CPU: 0    Not tainted  (2.6.39 #1)`; `CPU 1`, `CPU:    1`.
fn cpu_line(line: &str) -> Option<Who<'_>> {
    let with_task = find("CPU: {n} PID: {n} Comm: {*}", line)
        .map(|[cpu, pid, rest, _]| [cpu, "", pid, rest])
        .or_else(|| find("CPU: {n} UID: {w} PID: {n} Comm: {*}", line));
    if let Some([cpu, uid, pid, rest]) = with_task {
        return Some(Who {
            cpu: cpu.parse().ok(),
            uid: uid.parse().ok(),
            pid: pid.parse().ok(),
            ..task(rest)
        });
    }
    let number = line.strip_prefix("CPU")?.trim_start_matches([':', ' ']);
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    let (number, rest) = number.split_at(digits);
    if !rest.trim().is_empty() && !rest.contains("ainted") {
        return None;
    }
    Some(Who {
        cpu: Some(number.parse().ok()?),
        ..from_tainted(rest).and_then(tainted).unwrap_or_default()
    })
}

/// `Pid: 77, comm: name Not tainted 2.6.32 #1`; `Pid: 77, CPU 0, comm: name`; `Process name (pid: 77, ...`.
fn pid_line(line: &str) -> Option<Who<'_>> {
    if let Some([pid, rest, ..]) = find("Pid: {n}, comm: {*}", line) {
        return Some(Who {
            pid: Some(pid.parse().ok()?),
            ..task(rest)
        });
    }
    if let Some([pid, cpu, rest, _]) = find("Pid: {n}, CPU {n}, comm: {*}", line) {
        return Some(Who {
            cpu: cpu.parse().ok(),
            pid: Some(pid.parse().ok()?),
            ..task(rest)
        });
    }
    let [comm, pid, ..] = find("Process {*} (pid: {n}", line)?;
    Some(Who {
        pid: Some(pid.parse().ok()?),
        comm: Some(comm.trim()),
        ..Who::default()
    })
}

/// `EIP: 0060:[<c0101234>] EFLAGS: 00010246 CPU: 0`; `EFLAGS: 00010246   (2.6.18 #1)`; `EIP: ...    Not tainted VLI`.
fn i386_line(line: &str) -> Option<Who<'_>> {
    if let Some([_, cpu, ..]) = find("EIP: {*}CPU: {n}", line) {
        return Some(Who {
            cpu: cpu.parse().ok(),
            ..Who::default()
        });
    }
    if line.starts_with("EIP:") {
        return from_tainted(line).and_then(tainted);
    }
    let rest = line.strip_prefix("EFLAGS: ")?.split_once('(')?.1;
    Some(Who {
        release: release(rest),
        ..Who::default()
    })
}

/// `TASK = c0000000f1d10000[77] 'name' THREAD: c0000000f1d14000 CPU: 1`.
fn powerpc_task(line: &str) -> Option<Who<'_>> {
    let [_, pid, comm, _] = find("TASK = {x}[{n}] '{*}' ", line)?;
    let cpu = find("CPU: {n}", line).and_then(|[cpu, ..]| cpu.parse().ok());
    Some(Who {
        cpu,
        pid: Some(pid.parse().ok()?),
        comm: Some(comm),
        ..Who::default()
    })
}

/// A task's name and what follows it.
fn task(rest: &str) -> Who<'_> {
    let ends = [" Not tainted", " Tainted: ", " Kdump: "];
    let end = ends
        .iter()
        .filter_map(|end| rest.find(end))
        .min()
        .unwrap_or(rest.len());
    let (comm, rest) = rest.split_at(end);
    Who {
        comm: Some(comm.trim()),
        ..from_tainted(rest).and_then(tainted).unwrap_or_default()
    }
}

fn from_tainted(line: &str) -> Option<&str> {
    let at = line.find("Not tainted").or_else(|| line.find("Tainted: "))?;
    line.get(at..)
}

/// `Tainted: G    B   6.1.0 #1 ...` or `Not tainted 6.1.0 #1`; also the lines of a hung task. The release may be in
/// brackets or on another line; Red Hat's kernels print dashes between the letters.
fn tainted(text: &str) -> Option<Who<'_>> {
    let (taint, rest) = if let Some(rest) = text.strip_prefix("Not tainted") {
        ("Not tainted", rest)
    } else {
        let rest = text
            .strip_prefix("Tainted: ")
            .filter(|rest| !rest.starts_with('['))?;
        let length = rest
            .find(|c: char| !c.is_ascii_uppercase() && c != ' ' && c != '-')
            .unwrap_or(rest.len());
        let (letters, rest) = rest.split_at(length);
        (letters.trim_matches([' ', '-']), rest)
    };
    let rest = rest.trim();
    let rest = rest
        .strip_prefix('(')
        .map_or(rest, |inside| inside.trim_end_matches(')'));
    let release = release(rest);
    let build = release.and_then(|release| rest.get(release.len()..));
    // A program may be called so.
    let is_whole = release.is_some() || rest.is_empty() || rest == "VLI";
    is_whole.then_some(Who {
        taint: Some(taint),
        release,
        build: build.map(str::trim).filter(|build| !build.is_empty()),
        ..Who::default()
    })
}

fn release(text: &str) -> Option<&str> {
    let release = text.split([' ', ')']).next()?;
    release
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(release)
}
