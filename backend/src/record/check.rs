//! The limits of `record.proto` and `collector.proto`, message by message.

use proto::{
    limits,
    v1::{
        CallTrace, Confidence, Context, Custom, Demise, Dimm, EventField, Fingerprint, FingerprintLevel,
        Frame, HardwareError, Heartbeat, Host, KernelEvent, KernelReport, Loss, MachineCheck, Module,
        Obituary, OomKill, ProgramCrash, Record, Severity, Undecodable, event_field, record::Payload,
    },
};

type Checked = Result<(), String>;

/// A task's name: 15 bytes, each of which may have been replaced by the three of U+FFFD.
const COMM_BYTES: usize = 3 * wire::COMM_BYTES;
/// A path, with the same in mind.
const PATH_BYTES: usize = 3 * 4096;
/// Path of a cgroup, bytes.
const CGROUP_BYTES: usize = 1024;
/// Hexadecimal digits of a GNU build id.
const BUILD_ID_CHARS: usize = 40;

/// Checks everything that `record.proto` states about a record.
pub(super) fn record(record: &Record) -> Checked {
    class("class", &record.class)?;
    if matches!(
        Severity::try_from(record.severity),
        Err(_) | Ok(Severity::Unspecified)
    ) {
        return Err(format!("severity {} is none of 1 to 4", record.severity));
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
        where_caught(context)?;
    }
    count("precursors", record.precursors.len(), 256)?;
    record
        .precursors
        .iter()
        .try_for_each(|precursor| text("precursor.text", &precursor.text, 256))?;
    match &record.payload {
        None => Err("no payload, or one of a newer agent".to_owned()),
        Some(Payload::KernelReport(report)) => kernel_report(report),
        Some(Payload::MachineCheck(check)) => machine_check(check),
        Some(Payload::OomKill(kill)) => oom_kill(kill),
        Some(Payload::ProgramCrash(crash)) => program_crash(crash),
        Some(Payload::Loss(lost)) => loss(lost),
        Some(Payload::Heartbeat(beat)) => heartbeat(beat),
        Some(Payload::Custom(record)) => custom(record),
        Some(Payload::Undecodable(bytes)) => undecodable(bytes),
        Some(Payload::KernelEvent(event)) => kernel_event(event),
        Some(Payload::HardwareError(error)) => hardware_error(error),
        Some(Payload::Obituary(end)) => obituary(end),
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
        ("netconsole_token", &host.netconsole_token),
        ("product_version", &host.product_version),
        ("chassis", &host.chassis),
        ("bios_vendor", &host.bios_vendor),
        ("bios_date", &host.bios_date),
        ("hypervisor", &host.hypervisor),
        ("container", &host.container),
        ("cloud", &host.cloud),
        ("cpu_vendor", &host.cpu_vendor),
        ("microcode", &host.microcode),
        ("memory_correction", &host.memory_correction),
        ("kernel_build_id", &host.kernel_build_id),
    ];
    strings
        .into_iter()
        .try_for_each(|(name, value)| text(name, value, 256))?;
    text("command_line", &host.command_line, limits::COMMAND_LINE_BYTES)?;
    count("livepatches", host.livepatches.len(), limits::LIVEPATCHES)?;
    host.livepatches
        .iter()
        .try_for_each(|name| text("livepatch", name, 64))?;
    count("privacy", host.privacy.len(), limits::PRIVACY)?;
    host.privacy
        .iter()
        .try_for_each(|treated| text("privacy", treated, 64))?;
    count("modules", host.modules.len(), limits::MODULES)?;
    host.modules.iter().try_for_each(module)?;
    count("dimms", host.dimms.len(), limits::DIMMS)?;
    host.dimms.iter().try_for_each(dimm)
}

fn module(module: &Module) -> Checked {
    text("module.name", &module.name, 64)?;
    text("module.version", &module.version, 64)?;
    text("module.source_version", &module.source_version, 32)?;
    text("module.taint", &module.taint, 16)
}

fn dimm(dimm: &Dimm) -> Checked {
    [
        ("dimm.locator", &dimm.locator),
        ("dimm.bank", &dimm.bank),
        ("dimm.manufacturer", &dimm.manufacturer),
        ("dimm.part_number", &dimm.part_number),
        ("dimm.technology", &dimm.technology),
    ]
    .into_iter()
    .try_for_each(|(name, value)| text(name, value, 64))
}

fn where_caught(context: &Context) -> Checked {
    text("context.comm", &context.comm, COMM_BYTES)?;
    text("context.cgroup", &context.cgroup, CGROUP_BYTES)?;
    text("context.container_id", &context.container_id, 128)?;
    count("context.stack", context.stack.len(), 64)?;
    context.stack.iter().try_for_each(frame)
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
    text("comm", &report.comm, COMM_BYTES)?;
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

fn oom_kill(kill: &OomKill) -> Checked {
    text("victim_comm", &kill.victim_comm, COMM_BYTES)?;
    text("limit_cgroup", &kill.limit_cgroup, CGROUP_BYTES)?;
    text("victim_cgroup", &kill.victim_cgroup, CGROUP_BYTES)
}

fn program_crash(crash: &ProgramCrash) -> Checked {
    text("executable", &crash.executable, PATH_BYTES)?;
    text("build_id", &crash.build_id, BUILD_ID_CHARS)?;
    count("frames", crash.frames.len(), 64)?;
    count("threads", crash.threads.len(), 32)?;
    for thread in &crash.threads {
        count("thread.frames", thread.frames.len(), 16)?;
    }
    let others = crash.threads.iter().flat_map(|thread| &thread.frames);
    crash.frames.iter().chain(others).try_for_each(|frame| {
        text("frame.build_id", &frame.build_id, BUILD_ID_CHARS)?;
        text("frame.file", &frame.file, PATH_BYTES)?;
        text("frame.function", &frame.function, 512)
    })
}

fn kernel_event(event: &KernelEvent) -> Checked {
    text("tracepoint", &event.tracepoint, 128)?;
    count("fields", event.fields.len(), limits::FIELDS)?;
    event.fields.iter().try_for_each(event_field)
}

fn event_field(field: &EventField) -> Checked {
    text("field.name", &field.name, limits::FIELD_NAME_BYTES)?;
    match &field.value {
        // Replacing may make three times as many bytes.
        Some(event_field::Value::Text(value)) => text("field.text", value, 3 * limits::FIELD_VALUE_BYTES),
        Some(event_field::Value::Bytes(value)) => {
            count("field.bytes", value.len(), limits::FIELD_VALUE_BYTES)
        }
        Some(event_field::Value::Unsigned(_) | event_field::Value::Signed(_)) | None => Ok(()),
    }
}

fn hardware_error(error: &HardwareError) -> Checked {
    text("source", &error.source, 64)?;
    text("what", &error.what, 256)?;
    text("part", &error.part, 256)?;
    text("position", &error.position, 256)?;
    text("processor", &error.processor, 64)?;
    text("pci", &error.pci, 16)?;
    text("advice", &error.advice, 512)?;
    count("fields", error.fields.len(), 128)?;
    error.fields.iter().try_for_each(event_field)?;
    count("raw", error.raw.len(), 8192)
}

fn obituary(end: &Obituary) -> Checked {
    if Demise::try_from(end.demise).is_err() {
        return Err(format!("demise {} is unknown", end.demise));
    }
    if Confidence::try_from(end.confidence).is_err() {
        return Err(format!("confidence {} is unknown", end.confidence));
    }
    count("evidence", end.evidence.len(), 32)?;
    end.evidence.iter().try_for_each(|evidence| {
        text("evidence.source", &evidence.source, 64)?;
        text("evidence.text", &evidence.text, 1024)
    })
}

fn loss(loss: &Loss) -> Checked {
    text("loss.hook", &loss.hook, 64)?;
    text("loss.class", &loss.class, limits::CLASS_CHARS)?;
    text("loss.title", &loss.title, limits::TITLE_BYTES)?;
    i64::try_from(loss.count).map_err(|_too_large| format!("loss.count {} is above 2^63 - 1", loss.count))?;
    count("loss.examples", loss.examples.len(), limits::LOSS_EXAMPLES)?;
    loss.examples.iter().try_for_each(|example| {
        text("loss.example.comm", &example.comm, COMM_BYTES)?;
        text("loss.example.text", &example.text, limits::LOSS_EXAMPLE_BYTES)
    })
}

fn heartbeat(beat: &Heartbeat) -> Checked {
    count("hooks", beat.hooks.len(), 256)?;
    beat.hooks.iter().try_for_each(|hook| {
        text("hook.name", &hook.name, 64)?;
        text("hook.attach", &hook.attach, 16)?;
        text("hook.reason", &hook.reason, 512)
    })?;
    text("os_id", &beat.os_id, 256)?;
    text("os_build", &beat.os_build, 256)?;
    count("losses", beat.losses.len(), limits::LOSS_COUNTS)?;
    beat.losses
        .iter()
        .try_for_each(|lost| text("lost.class", &lost.class, limits::CLASS_CHARS))
}

fn custom(custom: &Custom) -> Checked {
    text(
        "classification",
        &custom.classification,
        limits::CLASSIFICATION_BYTES,
    )?;
    text("payload", &custom.payload, limits::CUSTOM_PAYLOAD_BYTES)?;
    text("event_id", &custom.event_id, 32)?;
    text("comm", &custom.comm, COMM_BYTES)?;
    count("fields", custom.fields.len(), limits::FIELDS)?;
    custom.fields.iter().try_for_each(event_field)
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
