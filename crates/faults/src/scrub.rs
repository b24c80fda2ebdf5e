//! Taking what is private out of texts and reports.
//!
//! A [`Policy`] says which [`Rule`]s are on and what each does with what it finds; nothing is on by itself. A [`Scrubber`]
//! does it and counts. What was found is replaced by a token, so that a reader sees that something was there:
//!
//! | action | text | pointer |
//! | --- | --- | --- |
//! | [`Action::Replace`] | `<ip>` | `0add000000000000` |
//! | [`Action::Mask`] | letters and digits become `x`: `xx.x.x.xx` | the upper quarter stays: `ffff000000000000` |
//! | [`Action::Hash`] | `<ip:5d41402abc4b>`, equal for equal values under one key | `0add7c1f09ab35e2` |
//!
//! Scrubbing changes neither kind nor title nor fingerprint of a report: functions, offsets, modules, `file:line` and the words
//! around them stay, and a pointer stays a hexadecimal number of its width, because parsers expect one. Scrubbing twice
//! gives the same text as scrubbing once. It takes time in proportion to the text.
//!
//! ```
//! use faults::scrub::{Action, Policy, Rule, Scrubber};
//!
//! let scrubber = Scrubber::new(&Policy::all(Action::Replace)).unwrap();
//! let scrubbed = scrubber.text("EXT4-fs error (device sda1): comm ls: path '/home/alice/plan': from 192.0.2.7 at ffff888012345678");
//! assert_eq!(scrubbed.text, "EXT4-fs error (device sda1): comm ls: path '<file>': from <ip> at 0add000000000000");
//! assert_eq!(scrubbed.counts.of(Rule::Pointer), 1);
//! ```

mod address;
mod mark;
mod name;
mod pointer;
mod token;
mod typed;

use std::collections::BTreeMap;
use std::ops::Range;
use token::Tokens;

/// Names of hosts that a policy may give.
pub const HOSTS_MAX: usize = 256;

/// Spans that [`Scrubbed::spans`] lists; what is beyond is scrubbed and counted, but not listed.
pub const SPANS_MAX: usize = 4096;

names! {
    /// What is looked for.
    Rule {
        /// Addresses of the kernel and of programs, also in registers, and those that `%p` hashes; not offsets and small numbers.
        Pointer = "pointer": "an address in memory",
        /// Hardware addresses of network cards: six, eight or twenty bytes in hexadecimal between `:` or `-`.
        Mac = "mac": "a hardware address of a network card",
        /// IPv4 and IPv6 addresses; not versions such as `6.1.0.12`.
        Ip = "ip": "an IP address",
        /// Names of hosts: those that the policy gives, and the one before the program in lines of syslog.
        Host = "host": "the name of a host",
        /// The user's part of a path: `/home/NAME`, `/Users/NAME`, `/media/NAME`, `/var/mail/NAME`.
        User = "user": "the name of a user",
        /// Names of files in messages of file systems: quoted, paths, and behind `name` or `path`.
        FileName = "file": "the name of a file",
        /// What follows `Kernel command line:`, `cmdline=`, `COMMAND=` and `argv`.
        CommandLine = "cmdline": "a command line",
        /// E-mail addresses.
        Email = "email": "an e-mail address",
        /// What follows `SerialNumber:`, `S/N`, `PPIN` and the like; UUIDs; names of disks by their number (`wwn-0x...`).
        Serial = "serial": "a serial number or another unique one",
    }
}

/// What happens to what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Action {
    /// The rule's name takes its place.
    Replace,
    /// Its shape stays, its letters and digits don't.
    Mask,
    /// A keyed hash takes its place: equal values stay equal, and nobody without the key can try values out.
    Hash,
}

/// Which rules are on, and what they do.
#[derive(Clone, Default)]
pub struct Policy {
    actions: BTreeMap<Rule, Action>,
    key: Vec<u8>,
    hosts: Vec<String>,
}

impl Policy {
    /// Every rule with one action. [`Action::Hash`] needs a [`Policy::key`].
    pub fn all(action: Action) -> Self {
        Self {
            actions: Rule::ALL.iter().map(|rule| (*rule, action)).collect(),
            ..Self::default()
        }
    }

    /// Switches a rule on.
    #[must_use]
    pub fn with(mut self, rule: Rule, action: Action) -> Self {
        self.actions.insert(rule, action);
        self
    }

    /// Switches a rule off.
    #[must_use]
    pub fn without(mut self, rule: Rule) -> Self {
        self.actions.remove(&rule);
        self
    }

    /// The key of hashes: 16 random bytes or more, kept secret.
    #[must_use]
    pub fn key(mut self, key: &[u8]) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// Names of hosts to look for, such as the machine's own; at most [`HOSTS_MAX`].
    #[must_use]
    pub fn hosts(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.hosts.extend(names);
        self
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("actions", &self.actions)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// A policy that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A rule hashes, but the key is too short to keep anyone from trying values out.
    #[error("hashing needs a key of {KEY_MIN} bytes or more, this one has {length}")]
    ShortKey {
        /// Its bytes.
        length: usize,
    },
    /// Too many names of hosts.
    #[error("{count} names of hosts, more than {HOSTS_MAX}")]
    TooManyHosts {
        /// How many there are.
        count: usize,
    },
    /// The names of hosts cannot be searched for.
    #[error("the names of hosts cannot be searched for")]
    Hosts(#[source] aho_corasick::BuildError),
}

/// Bytes of the shortest key.
pub const KEY_MIN: usize = 16;

/// Scrubs texts and reports by one policy.
#[derive(Debug)]
pub struct Scrubber {
    actions: BTreeMap<Rule, Action>,
    tokens: Tokens,
    hosts: name::Hosts,
}

impl Scrubber {
    /// Prepares a policy.
    pub fn new(policy: &Policy) -> Result<Self, PolicyError> {
        let hashes = policy.actions.values().any(|action| *action == Action::Hash);
        if hashes && policy.key.len() < KEY_MIN {
            return Err(PolicyError::ShortKey {
                length: policy.key.len(),
            });
        }
        if policy.hosts.len() > HOSTS_MAX {
            return Err(PolicyError::TooManyHosts {
                count: policy.hosts.len(),
            });
        }
        Ok(Self {
            actions: policy.actions.clone(),
            tokens: Tokens::new(&policy.key),
            hosts: name::Hosts::new(&policy.hosts).map_err(PolicyError::Hosts)?,
        })
    }

    /// Scrubs a text of any number of lines. Doing it again changes nothing, unless values of two rules are joined by a dot, a dash or
    /// a colon: of `ann@mail.example-fe80::1` the address of a machine is found, and the other one when that is gone.
    pub fn text(&self, text: &str) -> Scrubbed {
        let mut out = String::with_capacity(text.len());
        let mut scrubbed = Scrubbed::default();
        let mut copied = 0;
        for Found { rule, range } in self.found(text) {
            let Some(action) = self.actions.get(&rule) else {
                continue;
            };
            out.push_str(text.get(copied..range.start).unwrap_or_default());
            let start = out.len();
            let found = text.get(range.clone()).unwrap_or_default();
            self.tokens.write(rule, *action, found, &mut out);
            copied = range.end;
            scrubbed.counts.add(rule);
            if scrubbed.spans.len() < SPANS_MAX {
                scrubbed.spans.push(Span {
                    rule,
                    before: range,
                    after: start..out.len(),
                });
            }
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        scrubbed.text = out;
        scrubbed
    }

    /// What is to be scrubbed, in order and apart from each other.
    fn found(&self, text: &str) -> Vec<Found> {
        let mut names = Vec::new();
        for rule in self.actions.keys() {
            let mut note = |range| note(text, *rule, range, &mut names);
            match rule {
                Rule::Mac => address::macs(text, &mut note),
                Rule::Host => self.hosts.find(text, &mut note),
                Rule::User => name::users(text, &mut note),
                Rule::FileName => name::files(text, &mut note),
                Rule::CommandLine => name::command_lines(text, &mut note),
                Rule::Email => mark::emails(text, &mut note),
                Rule::Serial => mark::serials(text, &mut note),
                Rule::Pointer | Rule::Ip => {}
            }
        }
        // What a number is may depend on the word before it. A word that is about to go does not count, so that another pass
        // finds nothing new.
        let taken = apart(names);
        let mut all = taken.clone();
        let stays = |range: &Range<usize>| !overlaps(&taken, range);
        if self.actions.contains_key(&Rule::Pointer) {
            pointer::find(text, stays, &mut |range| {
                note(text, Rule::Pointer, range, &mut all);
            });
        }
        if self.actions.contains_key(&Rule::Ip) {
            address::ips(text, stays, &mut |range| note(text, Rule::Ip, range, &mut all));
        }
        apart(all)
    }
}

/// Notes what a rule found, unless it was scrubbed before.
fn note(text: &str, rule: Rule, range: Range<usize>, found: &mut Vec<Found>) {
    if !range.is_empty() && !token::covers(text, &range) {
        found.push(Found { rule, range });
    }
}

/// In order and without overlaps: of two that begin together the longer one counts, of two that overlap the first takes the other's
/// rest too. Of two at one place a number is what the words around say: the address in `cmdline=ffff888012345678` is a command line,
/// as another pass would find.
fn apart(mut found: Vec<Found>) -> Vec<Found> {
    let is_number = |rule| matches!(rule, Rule::Pointer | Rule::Ip);
    found.sort_by_key(|found| {
        let length = std::cmp::Reverse(found.range.end);
        (found.range.start, length, is_number(found.rule), found.rule)
    });
    let mut apart: Vec<Found> = Vec::with_capacity(found.len());
    for next in found {
        match apart.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                last.range.end = last.range.end.max(next.range.end);
            }
            _ => apart.push(next),
        }
    }
    apart
}

/// Whether one of them, in order and apart, has bytes of a range.
fn overlaps(found: &[Found], range: &Range<usize>) -> bool {
    let next = found.partition_point(|found| found.range.end <= range.start);
    found.get(next).is_some_and(|found| found.range.start < range.end)
}

/// Something to be scrubbed.
#[derive(Debug, Clone)]
struct Found {
    rule: Rule,
    range: Range<usize>,
}

/// A text without what the policy names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Scrubbed {
    /// The text.
    pub text: String,
    /// How often each rule found something.
    pub counts: Counts,
    /// What was scrubbed, in order, at most [`SPANS_MAX`].
    pub spans: Vec<Span>,
}

impl Scrubbed {
    /// Where a place of the text before is in the scrubbed one. Inside of what was scrubbed it is where the token begins.
    ///
    /// [`crate::report::Part::range`] is such a place, for one.
    pub fn moved(&self, at: usize) -> usize {
        let next = self.spans.partition_point(|span| span.before.start <= at);
        let Some(span) = next.checked_sub(1).and_then(|last| self.spans.get(last)) else {
            return at;
        };
        if at < span.before.end {
            span.after.start
        } else {
            (at - span.before.end + span.after.end).min(self.text.len())
        }
    }
}

/// Something that was scrubbed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Span {
    /// The rule that found it.
    pub rule: Rule,
    /// Bytes of the text before.
    pub before: Range<usize>,
    /// Bytes of the scrubbed text.
    pub after: Range<usize>,
}

/// How often each rule found something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Counts(BTreeMap<Rule, u64>);

impl Counts {
    /// The count of one rule.
    pub fn of(&self, rule: Rule) -> u64 {
        self.0.get(&rule).copied().unwrap_or_default()
    }

    /// The rules that found something, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Rule, u64)> {
        self.0.iter().map(|(rule, count)| (*rule, *count))
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Adds another text's counts.
    pub fn merge(&mut self, other: &Self) {
        for (rule, count) in other.iter() {
            *self.0.entry(rule).or_default() += count;
        }
    }

    /// Counts one more.
    pub fn add(&mut self, rule: Rule) {
        *self.0.entry(rule).or_default() += 1;
    }
}

#[cfg(test)]
mod tests;
