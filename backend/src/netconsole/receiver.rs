//! All senders: who they are, and what they may cost.
//!
//! Nobody knows who sends a datagram, so everything about a sender is bounded: how many there are, how many of them tell
//! something at the same time, how much one of them may say. What is beyond that is counted.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use faults::KernelReport;

use super::packet::{Packet, Token};
use super::repeats::Repeats;
use super::stream::{Stream, Told};

/// Senders that are known at the same time; who was silent longest is forgotten when there are more.
pub const SENDERS: usize = 4096;
/// Senders of which lines wait or reports are being collected, each of about 1 MiB at most; who was silent longest has
/// to end when there are more.
pub const BUSY: usize = 64;
/// A sender that is silent for so long is forgotten, microseconds.
pub const SILENCE_US: u64 = 3_600_000_000;
/// Datagrams that a sender may send at once: twice the longest report with all its neighbours.
pub const BURST: u64 = 8192;
/// Datagrams that it may send in the long run, a second. A serial console does 100.
pub const RATE: u64 = 1024;
/// How often datagrams that were too many are told, microseconds.
const FLOOD_US: u64 = 60_000_000;

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A report.
    Report(Box<Report>),
    /// What was said and is not passed on.
    Lost(Lost),
    /// A sender says which boot it is.
    Claim(Claim),
}

/// A report that a sender told.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Who.
    pub from: SocketAddr,
    /// Its text.
    pub told: Told,
    /// What the text says.
    pub report: KernelReport,
}

/// Things that were said and are not passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// By whom.
    pub from: SocketAddr,
    /// The token of the boot, when it has told one.
    pub token: Option<Token>,
    /// Class of the reports; empty: several, or lines.
    pub class: String,
    /// Title of the reports; empty: several.
    pub title: String,
    /// How many.
    pub count: u64,
}

/// A sender and the boot that it says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub from: SocketAddr,
    /// The token of the boot.
    pub token: Token,
    /// How long the boot has been running, microseconds; `None`: it does not say.
    pub uptime_us: Option<u64>,
}

/// Takes datagrams in, gives reports out. It has no clock and opens nothing.
#[derive(Debug, Default)]
pub struct Receiver {
    senders: HashMap<SocketAddr, Sender>,
    busy: BTreeSet<SocketAddr>,
}

#[derive(Debug)]
struct Sender {
    stream: Stream,
    repeats: Repeats,
    /// When the last datagram came, microseconds of the receiver's clock.
    heard_us: u64,
    /// Datagrams that it may send now, in millionths.
    budget: u64,
    /// Datagrams that were too many.
    flooded: u64,
    /// When the first of them came.
    flooded_us: u64,
}

impl Sender {
    fn new(now_us: u64) -> Self {
        Self {
            stream: Stream::new(),
            repeats: Repeats::default(),
            heard_us: now_us,
            budget: BURST * 1_000_000,
            flooded: 0,
            flooded_us: 0,
        }
    }

    /// Whether it may send another datagram.
    fn may_send(&mut self, now_us: u64) -> bool {
        let earned = now_us.saturating_sub(self.heard_us).saturating_mul(RATE);
        self.budget = self.budget.saturating_add(earned).min(BURST * 1_000_000);
        self.heard_us = now_us;
        if let Some(rest) = self.budget.checked_sub(1_000_000) {
            self.budget = rest;
            return true;
        }
        if self.flooded == 0 {
            self.flooded_us = now_us;
        }
        self.flooded += 1;
        false
    }

    /// Passes reports on, unless they are repeats.
    fn pass(&mut self, from: SocketAddr, told: Vec<Told>, now_us: u64, out: &mut Vec<Heard>) {
        for told in told {
            let Some(report) = faults::parse(&told.text.text) else {
                continue;
            };
            if self.repeats.admit(report.class.as_str(), &report.title, now_us) {
                out.push(Heard::Report(Box::new(Report { from, told, report })));
            }
        }
    }

    /// What was not passed on, when it is time to tell; `all`: at once.
    fn losses(&mut self, from: SocketAddr, now_us: u64, all: bool, out: &mut Vec<Heard>) {
        let token = self.stream.token();
        let mut lost = |class, title, count| {
            out.push(Heard::Lost(Lost {
                from,
                token,
                class,
                title,
                count,
            }));
        };
        if all || self.repeats.is_due(now_us) {
            for of in self.repeats.end() {
                lost(of.class, of.title, of.count);
            }
        }
        if self.flooded > 0 && (all || self.flooded_us.saturating_add(FLOOD_US) <= now_us) {
            lost(String::new(), String::new(), std::mem::take(&mut self.flooded));
        }
    }
}

impl Receiver {
    /// Takes a datagram that has just come. `now_us` never goes back.
    pub fn datagram(&mut self, from: SocketAddr, datagram: &[u8], now_us: u64, out: &mut Vec<Heard>) {
        if !self.senders.contains_key(&from) && self.senders.len() >= SENDERS {
            self.forget_one(now_us, out);
        }
        let sender = self.senders.entry(from).or_insert_with(|| Sender::new(now_us));
        if !sender.may_send(now_us) {
            return;
        }
        let known = sender.stream.token();
        let mut told = Vec::new();
        sender.stream.take(&Packet::parse(datagram), now_us, &mut told);
        sender.pass(from, told, now_us, out);
        claim(from, sender, known, now_us, out);
        self.note_busy(from, now_us, out);
    }

    /// Lets time pass; to be called about every 100 ms.
    pub fn tick(&mut self, now_us: u64, out: &mut Vec<Heard>) {
        for from in self.busy.clone() {
            self.with(from, now_us, out, |stream, told| stream.tick(now_us, told));
        }
        self.senders.retain(|from, sender| {
            let stays = sender.heard_us.saturating_add(SILENCE_US) > now_us || sender.stream.is_busy();
            sender.losses(*from, now_us, !stays, out);
            stays
        });
    }

    /// Ends everything.
    pub fn flush(&mut self, now_us: u64, out: &mut Vec<Heard>) {
        for from in self.senders.keys().copied().collect::<Vec<_>>() {
            self.forget(from, now_us, out);
        }
    }

    /// Lets a sender's stream work, and passes on what it tells.
    fn with(
        &mut self,
        from: SocketAddr,
        now_us: u64,
        out: &mut Vec<Heard>,
        work: impl FnOnce(&mut Stream, &mut Vec<Told>),
    ) {
        let Some(sender) = self.senders.get_mut(&from) else {
            return;
        };
        let known = sender.stream.token();
        let mut told = Vec::new();
        work(&mut sender.stream, &mut told);
        sender.pass(from, told, now_us, out);
        claim(from, sender, known, now_us, out);
        if !sender.stream.is_busy() {
            self.busy.remove(&from);
        }
    }

    fn note_busy(&mut self, from: SocketAddr, now_us: u64, out: &mut Vec<Heard>) {
        if !self
            .senders
            .get(&from)
            .is_some_and(|sender| sender.stream.is_busy())
        {
            self.busy.remove(&from);
            return;
        }
        self.busy.insert(from);
        if self.busy.len() > BUSY
            && let Some(oldest) = self.silent_longest(self.busy.iter().copied())
        {
            self.with(oldest, now_us, out, |stream, told| stream.flush(now_us, told));
        }
    }

    fn forget_one(&mut self, now_us: u64, out: &mut Vec<Heard>) {
        if let Some(oldest) = self.silent_longest(self.senders.keys().copied()) {
            self.forget(oldest, now_us, out);
        }
    }

    fn forget(&mut self, from: SocketAddr, now_us: u64, out: &mut Vec<Heard>) {
        self.with(from, now_us, out, |stream, told| stream.flush(now_us, told));
        if let Some(mut sender) = self.senders.remove(&from) {
            sender.losses(from, now_us, true, out);
        }
    }

    fn silent_longest(&self, among: impl Iterator<Item = SocketAddr>) -> Option<SocketAddr> {
        among.min_by_key(|from| self.senders.get(from).map_or(0, |sender| sender.heard_us))
    }
}

/// Tells of a token that was not known before.
fn claim(from: SocketAddr, sender: &Sender, known: Option<Token>, now_us: u64, out: &mut Vec<Heard>) {
    if let Some(token) = sender.stream.token().filter(|token| known != Some(*token)) {
        out.push(Heard::Claim(Claim {
            from,
            token,
            uptime_us: sender.stream.uptime_us(now_us),
        }));
    }
}

#[cfg(test)]
mod tests;
