//! `telemctl probes show`: everything about one hook.

use std::fmt::Write as _;
use std::process::ExitCode;

use probe_user::catalogue::{HOOKS, HookSpec, Storm};
use probe_user::user_probe::nearest;
use serde::Serialize;
use telemd::cli;
use telemd::config::Config;
use telemd::config::probes_d::Probe;
use telemd::control::{Question, ask};

use crate::output::harmless;
use crate::show;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A hook of `telemctl probes`, or a probe of probes.d.
    name: String,
}

/// A hook, as it is shown.
#[derive(Debug, Serialize)]
struct Sheet {
    hook: String,
    sees: String,
    without: String,
    class: String,
    severity: String,
    kept_in_full: String,
    privacy: String,
    ways: Vec<WaySheet>,
    /// How it is on this host; `null` when telemd does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<String>,
}

/// One way to attach it.
#[derive(Debug, Serialize)]
struct WaySheet {
    attach: String,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'static str>,
    filter: String,
    reads: Vec<FieldSheet>,
}

#[derive(Debug, Serialize)]
struct FieldSheet {
    field: String,
    from: String,
    required: bool,
}

pub(super) fn show(options: &Options, config: &Config, json: bool) -> ExitCode {
    let user = &config.probes.user;
    let spec = HOOKS.iter().find(|spec| spec.name == options.name);
    let is_it = |probe: &&Probe| probe.name() == options.name || probe.probe.hook == options.name;
    let mut sheet = match (spec, user.probes.iter().find(is_it)) {
        (Some(spec), _) => Sheet::of_hook(spec),
        (None, Some(probe)) => Sheet::of_probe(probe),
        (None, None) => {
            let names = HOOKS
                .iter()
                .map(|spec| spec.name)
                .chain(user.probes.iter().map(Probe::name));
            let hint = nearest(&options.name, names)
                .map_or("`telemctl probes` lists them".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
            cli::complain(&format!("telemctl: there is no hook `{}`: {hint}", options.name));
            return ExitCode::FAILURE;
        }
    };
    let session = ask(&config.control_path, Question::Status)
        .ok()
        .and_then(|status| status.session);
    let hooks = session.map(|session| session.hooks).unwrap_or_default();
    let here = hooks.iter().find(|hook| hook.name == sheet.hook);
    sheet.here = here.map(show::hook_text);
    cli::say(&if json { show::json(&sheet) } else { sheet.text() });
    ExitCode::SUCCESS
}

impl Sheet {
    fn of_hook(spec: &HookSpec) -> Self {
        let kept = match spec.storm {
            Storm::Configured => "as [storm] of the configuration says".to_owned(),
            Storm::PerMinute(count) => format!("{count} a minute of each title"),
            Storm::OncePerBoot => "the first of each title in a boot".to_owned(),
        };
        let ways = spec.ways().into_iter().map(|way| WaySheet {
            attach: way.attach.to_string(),
            target: way.target,
            module: way.module,
            filter: way.filter,
            reads: way
                .reads
                .iter()
                .map(|read| FieldSheet {
                    field: read.field.to_owned(),
                    from: read.place.to_string(),
                    required: read.required,
                })
                .collect(),
        });
        Self {
            hook: spec.name.to_owned(),
            sees: spec.sees.to_owned(),
            without: spec.without.to_owned(),
            class: spec.class.to_string(),
            severity: spec.severity.to_string(),
            kept_in_full: kept,
            privacy: spec.privacy.to_string(),
            ways: ways.collect(),
            here: None,
        }
    }

    fn of_probe(located: &Probe) -> Self {
        let probe = &located.probe;
        Self {
            hook: probe.hook.clone(),
            sees: format!("what {} says", located.file().display()),
            without: "its events are not seen".to_owned(),
            class: probe.class.clone(),
            severity: probe.severity.to_string(),
            kept_in_full: format!("{} a minute of each title", probe.rate),
            privacy: "as the fields are that it keeps".to_owned(),
            ways: vec![WaySheet {
                attach: "tracepoint".to_owned(),
                target: probe.tracepoint(),
                module: None,
                filter: probe.filter.to_string(),
                reads: probe
                    .fields
                    .iter()
                    .map(|field| FieldSheet {
                        field: field.clone(),
                        from: "the tracepoint's format file".to_owned(),
                        required: true,
                    })
                    .collect(),
            }],
            here: None,
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        let mut row = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _infallible = writeln!(out, "{name:<14} {}", harmless(value));
        };
        row("hook", &self.hook);
        row("sees", &self.sees);
        row("without it", &self.without);
        row("records", &format!("{}, {}", self.class, self.severity));
        row("kept in full", &self.kept_in_full);
        row("privacy", &self.privacy);
        for way in &self.ways {
            let module = way
                .module
                .map_or(String::new(), |module| format!(", of module {module}"));
            row("attached to", &format!("{} {}{module}", way.attach, way.target));
            if !way.filter.is_empty() {
                row("  only if", &way.filter);
            }
            for field in &way.reads {
                let required = if field.required {
                    ""
                } else {
                    ", where the kernel has it"
                };
                row(
                    "  reads",
                    &format!("{:<20} {}{required}", field.field, field.from),
                );
            }
        }
        row(
            "here",
            self.here
                .as_deref()
                .unwrap_or("not known: telemd does not run, or this is not root"),
        );
        out.trim_end().to_owned()
    }
}
