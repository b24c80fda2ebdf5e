//! `telemctl probes`: every hook and its state on this host, as a table.

use std::fmt::Write as _;
use std::process::ExitCode;

use probe_user::catalogue::{self, Offer};
use serde::Serialize;
use telemd::cli;
use telemd::config::Config;
use telemd::config::probes_d::Probes;
use telemd::control::{Question, ask};
use telemd::status::HookStatus;
use telemd::text::chain;

use crate::cost::{self, Cost};
use crate::output::harmless;
use crate::show;

/// A hook, as the table shows it.
#[derive(Debug, Default, Serialize)]
struct Row {
    hook: String,
    class: String,
    severity: String,
    /// How it is attached; `null` when it is not, or nobody knows.
    attached: Option<String>,
    /// Why it is not, or what stands in the way of better ones.
    reason: String,
    events: u64,
    lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
}

pub(super) fn list(measure: Option<u64>, config: &Config, json: bool) -> ExitCode {
    let user = &config.probes.user;
    let asked = ask(&config.control_path, Question::Status);
    let mut problem = None;
    let (mut rows, watched) = match asked.map(|status| status.session.map(|session| session.hooks)) {
        Ok(Some(hooks)) => (hooks.iter().map(|hook| Row::watched(hook, user)).collect(), hooks),
        Ok(None) => {
            problem = Some("this host has not opted in, nothing is watched: `telemctl opt-in`".to_owned());
            (offered(user), Vec::new())
        }
        Err(error) => {
            problem = Some(format!("{}: this is what the kernel offers", chain(&error)));
            (offered(user), Vec::new())
        }
    };
    if let Some(seconds) = measure {
        match cost::measure(&watched, seconds, || ()) {
            Ok(costs) => {
                for cost in costs {
                    if let Some(row) = rows.iter_mut().find(|row: &&mut Row| row.hook == cost.hook) {
                        row.cost = Some(cost);
                    }
                }
            }
            Err(error) => problem = Some(format!("nothing was measured: {}", chain(&error))),
        }
    }
    cli::say(&if json { show::json(&rows) } else { table(&rows) });
    for mistake in &user.mistakes {
        cli::complain(&mistake.to_string());
    }
    if let Some(problem) = &problem {
        cli::complain(&format!("telemctl: {problem}"));
    }
    ExitCode::from(u8::from(problem.is_some() || !user.mistakes.is_empty()))
}

impl Row {
    fn watched(hook: &HookStatus, user: &Probes) -> Self {
        let (class, severity) = what(&hook.name, user);
        Self {
            hook: hook.name.clone(),
            class,
            severity,
            attached: Some(hook.attach.clone()).filter(|attach| !attach.is_empty()),
            reason: hook.reason.clone(),
            events: hook.events,
            lost: hook.lost,
            cost: None,
        }
    }
}

/// What nobody watches now: the catalogue and the host's probes, with what the kernel offers to each.
fn offered(user: &Probes) -> Vec<Row> {
    let offers = catalogue::offers();
    let hooks = offers
        .into_iter()
        .map(|(hook, offer)| (hook.name.to_owned(), offer));
    let alone: Vec<_> = user.alone().cloned().collect();
    let probes = alone
        .iter()
        .zip(probe_user::user_probe::look_up(&alone))
        .map(|(probe, verdict)| (probe.hook.clone(), Offer::from(verdict)));
    let rows = hooks.chain(probes).map(|(hook, offer)| {
        let (class, severity) = what(&hook, user);
        Row {
            hook,
            class,
            severity,
            reason: offer.to_string(),
            ..Row::default()
        }
    });
    rows.collect()
}

/// Class and severity of a hook's records.
fn what(hook: &str, user: &Probes) -> (String, String) {
    if let Some(spec) = catalogue::HOOKS.iter().find(|spec| spec.name == hook) {
        return (spec.class.to_string(), spec.severity.to_string());
    }
    let probe = user.probes.iter().find(|probe| probe.probe.hook == hook);
    probe.map_or_else(Default::default, |probe| {
        (probe.probe.class.clone(), probe.probe.severity.to_string())
    })
}

fn table(rows: &[Row]) -> String {
    let width = |text: fn(&Row) -> &str, least: usize| {
        rows.iter()
            .map(|row| text(row).len())
            .max()
            .unwrap_or(0)
            .max(least)
    };
    let (hooks, classes) = (width(|row| &row.hook, 4), width(|row| &row.class, 5));
    let measured = rows.iter().any(|row| row.cost.is_some());
    let mut out = format!(
        "{:<hooks$}  {:<classes$}  {:<8}  {:<10}  {:>10}  {:>8}",
        "HOOK", "CLASS", "SEVERITY", "ATTACHED", "EVENTS", "LOST"
    );
    if measured {
        out.push_str("  NS/EVENT   EVENTS/S    MISSED");
    }
    for row in rows {
        // Writing to a String cannot fail, here and below.
        let _infallible = write!(
            out,
            "\n{:<hooks$}  {:<classes$}  {:<8}  {:<10}  {:>10}  {:>8}",
            row.hook,
            row.class,
            row.severity,
            row.attached.as_deref().unwrap_or("-"),
            row.events,
            row.lost
        );
        if let Some(cost) = &row.cost {
            let _infallible = write!(out, "  {}  {:>8}", cost.columns(), cost.missed);
        }
        if !row.reason.is_empty() {
            let _infallible = write!(out, "\n{:hooks$}  {}", "", harmless(&row.reason));
        }
    }
    out
}
