//! What the fleet watches: each hook of the catalogue, on how many hosts it is attached, how, and why not.

use std::collections::BTreeMap;

use askama::Template;
use proto::v1::{HookState, record::Payload};
use uuid::Uuid;

use super::chart::{Share, percent};
use super::hosts::host_page_href;
use super::{counted, grouped, name_of_host};
use crate::http::access::Frame;
use crate::store::{Beats, HostBeat};

/// Hooks that are shown: those that most hosts told of. The catalogue has fewer; hosts may name others.
const HOOKS: usize = 200;
/// Reasons of a hook that are shown, those of most hosts.
const REASONS: usize = 3;
/// Characters of a reason.
const REASON_CHARS: usize = 160;
/// Hosts that do not watch a hook that are named.
const HOSTS: usize = 5;

/// The page `/probes`.
#[derive(Debug, Template)]
#[template(path = "probes.html")]
pub(in crate::http) struct ProbesPage {
    /// `40 hosts`; of how many, where those are not all.
    pub(in crate::http) hosts: String,
    /// Hosts on which every hook that they know is attached.
    pub(in crate::http) whole: String,
    pub(in crate::http) rows: Vec<HookRow>,
    /// Hooks that are left out.
    pub(in crate::http) more: usize,
    pub(in crate::http) frame: Frame,
}

/// A hook.
#[derive(Debug, PartialEq)]
pub(in crate::http) struct HookRow {
    pub(in crate::http) name: String,
    /// `38 of 40`.
    pub(in crate::http) attached: String,
    pub(in crate::http) percent: String,
    pub(in crate::http) share: Share,
    /// `tp_btf 30, tracepoint 8`.
    pub(in crate::http) ways: String,
    /// Why it is not attached, with how many hosts say so.
    pub(in crate::http) reasons: Vec<(String, String)>,
    /// Names and addresses of some hosts that do not watch it.
    pub(in crate::http) missing: Vec<(String, String)>,
    /// Those beyond.
    pub(in crate::http) more: usize,
    pub(in crate::http) events: String,
    pub(in crate::http) lost: String,
}

/// What hosts say of one hook.
#[derive(Debug, Default)]
struct Told<'a> {
    attached: u64,
    ways: BTreeMap<&'a str, u64>,
    reasons: BTreeMap<String, u64>,
    missing: Vec<(String, Uuid)>,
    events: u64,
    lost: u64,
}

impl ProbesPage {
    /// From the newest heartbeat of each host that was heard lately.
    pub(in crate::http) fn new(newest: &Beats, frame: Frame) -> Self {
        let mut told: BTreeMap<&str, Told<'_>> = BTreeMap::new();
        let (mut hosts, mut whole) = (0_u64, 0_u64);
        for beat in &newest.beats {
            let Some(Payload::Heartbeat(heartbeat)) = &beat.record.payload else {
                continue;
            };
            hosts += 1;
            whole += u64::from(heartbeat.hooks.iter().all(|hook| !hook.attach.is_empty()));
            for hook in &heartbeat.hooks {
                told.entry(&hook.name).or_default().add(hook, beat);
            }
        }
        let mut told: Vec<_> = told.into_iter().collect();
        told.sort_by_key(|(_, of_it)| std::cmp::Reverse(of_it.hosts()));
        let more = told.len().saturating_sub(HOOKS);
        told.truncate(HOOKS);
        // What is watched on the fewest hosts is what is looked for here.
        told.sort_by(|(name, one), (other_name, other)| {
            let part = |of_it: &Told<'_>| percent(of_it.attached, of_it.hosts());
            part(one).total_cmp(&part(other)).then(name.cmp(other_name))
        });
        Self {
            hosts: if newest.hosts > newest.beats.len() as u64 {
                format!(
                    "{} of {} heard within a day, the latest",
                    grouped(hosts),
                    counted(newest.hosts, "host")
                )
            } else {
                counted(hosts, "host")
            },
            whole: grouped(whole),
            rows: told
                .into_iter()
                .map(|(name, of_it)| HookRow::new(name, of_it))
                .collect(),
            more,
            frame,
        }
    }
}

impl<'a> Told<'a> {
    fn hosts(&self) -> u64 {
        self.attached + self.missing.len() as u64
    }

    fn add(&mut self, hook: &'a HookState, beat: &HostBeat) {
        self.events = self.events.saturating_add(hook.events);
        self.lost = self.lost.saturating_add(hook.lost);
        if hook.attach.is_empty() {
            let reason: String = hook.reason.chars().take(REASON_CHARS).collect();
            *self.reasons.entry(reason).or_default() += 1;
            self.missing.push((beat.hostname.clone(), beat.agent_id));
        } else {
            self.attached += 1;
            *self.ways.entry(&hook.attach).or_default() += 1;
        }
    }
}

impl HookRow {
    fn new(name: &str, told: Told<'_>) -> Self {
        let hosts = told.hosts();
        let mut ways: Vec<_> = told.ways.into_iter().collect();
        ways.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut reasons: Vec<_> = told.reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let named = told.missing.iter().take(HOSTS).map(|(hostname, agent_id)| {
            (
                name_of_host(hostname, agent_id),
                host_page_href(&agent_id.to_string()),
            )
        });
        Self {
            name: name.to_owned(),
            attached: format!("{} of {}", grouped(told.attached), grouped(hosts)),
            percent: format!("{:.0} %", percent(told.attached, hosts)),
            share: Share::new(told.attached, hosts),
            ways: ways
                .into_iter()
                // A number stays with its word.
                .map(|(way, count)| format!("{way}\u{a0}{}", grouped(count)))
                .collect::<Vec<_>>()
                .join(", "),
            reasons: reasons
                .into_iter()
                .take(REASONS)
                .map(|(reason, count)| {
                    let said = if reason.is_empty() {
                        "no reason told".to_owned()
                    } else {
                        reason
                    };
                    (said, grouped(count))
                })
                .collect(),
            missing: named.collect(),
            more: told.missing.len().saturating_sub(HOSTS),
            events: grouped(told.events),
            lost: grouped(told.lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::{Heartbeat, Record};

    use super::*;

    fn beat(number: u128, hooks: &[(&str, &str, &str)]) -> HostBeat {
        let hooks = hooks.iter().map(|(name, attach, reason)| HookState {
            name: (*name).to_owned(),
            attach: (*attach).to_owned(),
            reason: (*reason).to_owned(),
            events: u64::MAX,
            ..HookState::default()
        });
        HostBeat {
            agent_id: Uuid::from_u128(number),
            hostname: format!("host-{number}"),
            record: Record {
                payload: Some(Payload::Heartbeat(Heartbeat {
                    hooks: hooks.collect(),
                    ..Heartbeat::default()
                })),
                ..Record::default()
            },
        }
    }

    fn page(beats: Vec<HostBeat>) -> ProbesPage {
        let hosts = beats.len() as u64;
        ProbesPage::new(&Beats { beats, hosts }, Frame::default())
    }

    #[test]
    fn the_page_says_when_it_is_not_of_all_hosts() {
        let beats = vec![beat(1, &[("console", "tp_btf", "")])];
        let page = ProbesPage::new(&Beats { beats, hosts: 1234 }, Frame::default());
        assert_eq!(page.hosts, "1 of 1,234 hosts heard within a day, the latest");
    }

    #[test]
    fn what_is_watched_least_comes_first_with_the_reason() {
        let page = page(vec![
            beat(1, &[("console", "tp_btf", ""), ("mce", "", "no tracepoint")]),
            beat(2, &[("console", "raw_tp", ""), ("mce", "tp_btf", "")]),
            beat(3, &[("console", "tp_btf", "")]),
        ]);
        assert_eq!((page.hosts.as_str(), page.whole.as_str()), ("3 hosts", "2"));
        let names: Vec<&str> = page.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["mce", "console"]);
        let mce = &page.rows[0];
        assert_eq!(mce.attached, "1 of 2");
        assert_eq!(mce.reasons, [("no tracepoint".to_owned(), "1".to_owned())]);
        assert_eq!(mce.missing[0].0, "host-1");
        assert_eq!(page.rows[1].ways, "tp_btf\u{a0}2, raw_tp\u{a0}1");
    }

    #[test]
    fn however_many_hooks_hosts_name_a_page_has_an_end() {
        let names: Vec<String> = (0..300).map(|number| format!("hook-{number}")).collect();
        let hooks: Vec<_> = names.iter().map(|name| (name.as_str(), "", "")).collect();
        let page = page(vec![beat(1, &hooks)]);
        assert_eq!((page.rows.len(), page.more), (200, 100));
    }
}
