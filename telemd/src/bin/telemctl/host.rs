//! `telemctl host`: what the collector is told about this host.

use std::process::ExitCode;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use proto::v1::deliver_request::Message;
use proto::v1::{DeliverRequest, Dimm, FILE_DESCRIPTOR_SET, Host, Module};
use telemd::cli;
use telemd::config::Config;
use telemd::control;
use telemd::text::chain;

/// Show what the collector is told about this host: machine, CPU, firmware, kernel, modules, memory.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  telemctl host\n  telemctl host --json | jq -r '.dimms[].part_number'\n\n\
                  Exit codes: 0 good, 1 telemd does not answer or this host has not opted in, 64 wrong command line or configuration."
)]
pub(crate) struct Options {}

pub(crate) fn host(config: &Config, json: bool) -> ExitCode {
    let told = told(config).and_then(|host| {
        if json {
            self::json(&host)
                .ok_or_else(|| "this host's facts cannot be told in JSON: install telemctl again".to_owned())
        } else {
            Ok(text(&host))
        }
    });
    match told {
        Ok(text) => {
            cli::say(&text);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            cli::complain(&format!("telemctl: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// The greeting's host.
fn told(config: &Config) -> Result<Host, String> {
    let not_understood =
        || "telemd's answer is not understood: are telemctl and telemd of one version?".to_owned();
    let waiting = control::waiting(&config.control_path, 0)
        .map_err(|error| format!("{}\n  `telemctl doctor` says more", chain(&error)))?;
    let bytes = waiting.bytes().ok_or_else(not_understood)?;
    if bytes.is_empty() {
        return Err(
            "this host has not opted in: nothing is told of it\n  `telemctl opt-in` agrees".to_owned(),
        );
    }
    let greeting = DeliverRequest::decode(bytes.as_slice()).map_err(|_no_message| not_understood())?;
    match greeting.message {
        Some(Message::Hello(hello)) => hello.host.ok_or_else(not_understood),
        _ => Err(not_understood()),
    }
}

fn json(host: &Host) -> Option<String> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok()?;
    let descriptor = pool.get_message_by_name("telemetry.v1.Host")?;
    let message = DynamicMessage::decode(descriptor, host.encode_to_vec().as_slice()).ok()?;
    serde_json::to_string_pretty(&message).ok()
}

fn text(host: &Host) -> String {
    let cpu_number = [host.cpu_family, host.cpu_number, host.cpu_stepping]
        .map(|number| number.map_or("?".to_owned(), |number| number.to_string()))
        .join("-");
    let facts = [
        ("name", host.hostname.clone()),
        ("system", joined(&[&host.os_id, &host.os_build])),
        (
            "kernel",
            joined(&[&host.kernel_release, &host.kernel_version, &host.arch]),
        ),
        ("command line", host.command_line.clone()),
        ("taint", host.taint.map_or(String::new(), |bits| bits.to_string())),
        ("live patches", host.livepatches.join(" ")),
        ("privacy", host.privacy.join(", ")),
        (
            "machine",
            joined(&[&host.product, &host.product_version, &host.chassis]),
        ),
        ("board", host.board.clone()),
        ("BIOS", joined(&[&host.bios_vendor, &host.bios, &host.bios_date])),
        ("guest of", host.hypervisor.clone()),
        ("container", host.container.clone()),
        ("cloud", host.cloud.clone()),
        (
            "CPU",
            format!(
                "{} ({} {cpu_number}), {} logical",
                host.cpu_model, host.cpu_vendor, host.cpus
            ),
        ),
        ("microcode", host.microcode.clone()),
        (
            "memory",
            format!("{} MiB {}", host.memory_bytes >> 20, host.memory_correction),
        ),
    ];
    let mut lines: Vec<String> = facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<16} {}", value.trim_end()))
        .collect();
    lines.extend(host.dimms.iter().map(dimm));
    lines.extend(host.modules.iter().map(module));
    lines.join("\n")
}

fn dimm(dimm: &Dimm) -> String {
    let size = format!("{} MiB", dimm.size_bytes >> 20);
    let what = joined(&[
        &size,
        &dimm.technology,
        &dimm.manufacturer,
        &dimm.part_number,
        &dimm.locator,
    ]);
    format!("{:<16} {what}", "memory module")
}

fn module(module: &Module) -> String {
    let what = joined(&[&module.name, &module.version, &module.taint]);
    format!("{:<16} {what}", "module")
}

fn joined(parts: &[&str]) -> String {
    let said: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    said.join(" ")
}
