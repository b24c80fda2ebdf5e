//! The limits of `record.proto` and `collector.proto`, message by message.

use proto::{
    limits,
    v1::{
        CallTrace, Custom, Fingerprint, FingerprintLevel, Frame, Heartbeat, Host, KernelReport, Loss,
        MachineCheck, Record, Severity, Undecodable, record::Payload,
    },
};

type Checked = Result<(), String>;

/// Checks everything that `record.proto` states about a record.
pub(super) fn record(record: &Record) -> Checked {
    class("class", &record.class)?;
    if Severity::try_from(record.severity).is_err() {
        return Err(format!("severity {} is unknown", record.severity));
    }
    text("title", &record.title, limits::TITLE_BYTES)?;
    text("boot_id", &record.boot_id, 36)?;
    text("kernel_release", &record.kernel_release, 128)?;
    count("fingerprints", record.fingerprints.len(), 8)?;
    record.fingerprints.iter().try_for_each(fingerprint)?;
    if let Some(hook) = &record.hook {
        text("hook.name", &hook.name, 64)?;
        text("hook.attach", &hook.attach, 16)?;
    }
    if let Some(context) = &record.context {
        // 15 bytes, each of which may have been replaced by the three of U+FFFD.
        text("context.comm", &context.comm, 45)?;
    }
    match &record.payload {
        None => Err("no payload, or one of a newer agent".to_owned()),
        Some(Payload::KernelReport(report)) => kernel_report(report),
        Some(Payload::MachineCheck(check)) => machine_check(check),
        Some(Payload::OomKill(kill)) => text("victim_comm", &kill.victim_comm, 45),
        Some(Payload::ProgramCrash(crash)) => text("executable", &crash.executable, 3 * 4096),
        Some(Payload::Loss(lost)) => loss(lost),
        Some(Payload::Heartbeat(beat)) => heartbeat(beat),
        Some(Payload::Custom(record)) => custom(record),
        Some(Payload::Undecodable(bytes)) => undecodable(bytes),
        Some(Payload::KernelEvent(_) | Payload::HardwareError(_) | Payload::Obituary(_)) => Ok(()),
    }
}

/// Checks what `collector.proto` states about a host.
pub(crate) fn host(host: &Host) -> Checked {
    let strings = [
        ("hostname", &host.hostname),
        ("os_id", &host.os_id),
        ("os_build", &host.os_build),
        ("kernel_release", &host.kernel_release),
        ("kernel_version", &host.kernel_version),
        ("arch", &host.arch),
        ("cpu_model", &host.cpu_model),
        ("product", &host.product),
        ("board", &host.board),
        ("bios", &host.bios),
        ("boot_id", &host.boot_id),
    ];
    strings
        .into_iter()
        .try_for_each(|(name, value)| text(name, value, 256))
}

fn fingerprint(fingerprint: &Fingerprint) -> Checked {
    if FingerprintLevel::try_from(fingerprint.level).is_err() {
        return Err(format!("fingerprint level {} is unknown", fingerprint.level));
    }
    if is_fingerprint(&fingerprint.value) {
        Ok(())
    } else {
        Err("a fingerprint is not 32 lower-case hexadecimal digits".to_owned())
    }
}

/// Whether a text is 32 lower-case hexadecimal digits.
pub(crate) fn is_fingerprint(value: &str) -> bool {
    value.len() == 32
        && value
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn kernel_report(report: &KernelReport) -> Checked {
    text("text", &report.text, limits::REPORT_TEXT_BYTES)?;
    text("function", &report.function, 128)?;
    text("module", &report.module, 64)?;
    text("comm", &report.comm, 45)?;
    text("taint", &report.taint, 64)?;
    text("hardware", &report.hardware, 256)?;
    count("traces", report.traces.len(), 16)?;
    report.traces.iter().try_for_each(call_trace)?;
    count("modules", report.modules.len(), 1024)?;
    count("alt_titles", report.alt_titles.len(), 8)?;
    report
        .alt_titles
        .iter()
        .try_for_each(|title| text("alt_title", title, limits::TITLE_BYTES))?;
    count("registers", report.registers.len(), 128)?;
    report.registers.iter().try_for_each(|register| {
        text("register.name", &register.name, 16)?;
        text("register.value", &register.value, 64)
    })
}

fn call_trace(trace: &CallTrace) -> Checked {
    text("heading", &trace.heading, 128)?;
    count("frames", trace.frames.len(), 256)?;
    trace.frames.iter().try_for_each(frame)
}

fn frame(frame: &Frame) -> Checked {
    text("frame.function", &frame.function, 128)?;
    text("frame.module", &frame.module, 64)?;
    text("frame.location", &frame.location, 256)
}

fn machine_check(check: &MachineCheck) -> Checked {
    text("what", &check.what, 256)?;
    text("outcome", &check.outcome, 64)
}

fn loss(loss: &Loss) -> Checked {
    text("loss.hook", &loss.hook, 64)?;
    text("loss.class", &loss.class, limits::CLASS_CHARS)?;
    text("loss.title", &loss.title, limits::TITLE_BYTES)?;
    i64::try_from(loss.count).map_err(|_too_large| format!("loss.count {} is above 2^63 - 1", loss.count))?;
    Ok(())
}

fn heartbeat(beat: &Heartbeat) -> Checked {
    count("hooks", beat.hooks.len(), 256)?;
    beat.hooks.iter().try_for_each(|hook| {
        text("hook.name", &hook.name, 64)?;
        text("hook.attach", &hook.attach, 16)?;
        text("hook.reason", &hook.reason, 512)
    })
}

fn custom(custom: &Custom) -> Checked {
    text("classification", &custom.classification, 122)?;
    text("payload", &custom.payload, limits::CUSTOM_PAYLOAD_BYTES)?;
    text("event_id", &custom.event_id, 32)
}

fn undecodable(undecodable: &Undecodable) -> Checked {
    text("source", &undecodable.source, 32)?;
    text("reason", &undecodable.reason, 256)?;
    count("bytes", undecodable.bytes.len(), limits::UNDECODABLE_BYTES)
}

fn class(name: &str, value: &str) -> Checked {
    let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.');
    if value.is_empty() || value.len() > limits::CLASS_CHARS || !value.bytes().all(known) {
        return Err(format!(
            "{name} is not 1 to {} characters of [a-z0-9_.]",
            limits::CLASS_CHARS
        ));
    }
    Ok(())
}

/// Checks a text's length in bytes.
pub(crate) fn text(name: &str, value: &str, limit: usize) -> Checked {
    count(name, value.len(), limit)
}

fn count(name: &str, found: usize, limit: usize) -> Checked {
    if found > limit {
        return Err(format!("{name} has a length of {found}, more than {limit}"));
    }
    Ok(())
}
