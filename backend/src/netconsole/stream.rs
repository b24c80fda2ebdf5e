//! The lines of one sender: put in order, joined, and assembled into reports.
//!
//! Datagrams come in any order, twice or not at all. What comes is held for a moment ([`HOLD_US`]) and leaves by its number
//! in the sender's log. Numbers that do not come are no loss: a console is only sent what is important enough for it.

use std::collections::{BTreeMap, VecDeque};

use faults::{Assembled, Assembler, Limits, Line, log};

use super::packet::{self, Packet, RECORD_BYTES, Record, Token};
use super::record::Held;

/// How long a record waits for those before it, and for its parts, microseconds. Ways through one network differ by less.
pub const HOLD_US: u64 = 200_000;
/// Records of one sender that wait; the first ones leave early when there are more.
pub const HELD: usize = 512;
/// Their bytes.
pub const HELD_BYTES: usize = 256 << 10;
/// Records that left and are known when they come again.
const RECENT: usize = 128;
/// A step of the sender's clock backwards that only a new boot explains, microseconds: CPUs differ by less.
const REBOOT_US: u64 = 2_000_000;
/// Bounds of one sender's reports. Half of the usual contexts: few kernels tell who prints. A machine that dies may pause
/// while it prints, so that two seconds of silence are the end and not less than half a second.
const LIMITS: Limits = Limits {
    contexts: 4,
    lines: 1024,
    bytes: 64 << 10,
    line_bytes: 1024,
    quiet_us: 2_000_000,
    gap_us: 10_000_000,
};

/// The text of a report, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The text.
    pub text: Assembled,
    /// When its first line was printed, microseconds since boot; `None` where lines have no times.
    pub since_boot_us: Option<u64>,
    /// How long ago that was, microseconds.
    pub age_us: u64,
    /// The token of the boot, when it has told one.
    pub token: Option<Token>,
    /// `uname -r`, when the sender says so.
    pub release: Option<String>,
}

/// What one sender is telling. Idle, it is small.
#[derive(Debug)]
pub struct Stream {
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    /// Numbers of the records that left last.
    recent: VecDeque<u64>,
    assembler: Assembler,
    clock: Clock,
    /// A part of a line did not come: the report that it is in is not whole.
    is_damaged: bool,
    token: Option<Token>,
    release: Option<String>,
}

/// The sender's clock, as far as its lines tell.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    /// Latest time that was told, microseconds since boot.
    at_us: u64,
    /// When that was, by the receiver's clock.
    heard_us: u64,
    /// Lines have told times.
    is_told: bool,
}

impl Clock {
    /// The sender's time now.
    fn now(self, now_us: u64) -> u64 {
        self.at_us.saturating_add(now_us.saturating_sub(self.heard_us))
    }

    fn told(&mut self, at_us: u64, now_us: u64) {
        if at_us >= self.at_us || !self.is_told {
            (self.at_us, self.heard_us, self.is_told) = (at_us, now_us, true);
        }
    }

    /// Whether a line of this time is of a later boot.
    fn restarts_at(self, at_us: u64) -> bool {
        self.is_told && at_us.saturating_add(REBOOT_US) < self.at_us
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream {
    /// A sender that has told nothing yet.
    pub fn new() -> Self {
        Self {
            held: BTreeMap::new(),
            held_bytes: 0,
            recent: VecDeque::new(),
            assembler: Assembler::new(LIMITS),
            clock: Clock::default(),
            is_damaged: false,
            token: None,
            release: None,
        }
    }

    /// The token of the boot, when it has told one.
    pub fn token(&self) -> Option<Token> {
        self.token
    }

    /// How long the sender has been running, as far as its lines tell, microseconds.
    pub fn uptime_us(&self, now_us: u64) -> Option<u64> {
        self.clock.is_told.then(|| self.clock.now(now_us))
    }

    /// Takes a datagram that has just come. Reports that are complete are appended to `out`.
    pub fn take(&mut self, packet: &Packet<'_>, now_us: u64, out: &mut Vec<Told>) {
        match packet {
            Packet::Basic(text) => self.hold_text(text, now_us),
            Packet::Extended(record) => {
                if self.clock.restarts_at(record.at_us) {
                    self.flush(now_us, out);
                    *self = Self::new();
                }
                if let Some(release) = record.release
                    && self.release.as_deref() != Some(release)
                {
                    self.release = Some(release.to_owned());
                }
                self.hold(record, now_us);
            }
        }
        self.let_go(now_us, out);
    }

    /// Lets time pass; to be called at least every [`HOLD_US`] while [`Stream::is_busy`].
    pub fn tick(&mut self, now_us: u64, out: &mut Vec<Told>) {
        self.let_go(now_us, out);
        if self.held.is_empty() {
            let mut texts = Vec::new();
            self.assembler.flush_idle(self.clock.now(now_us), &mut texts);
            self.told(texts, now_us, out);
        }
    }

    /// Ends everything.
    pub fn flush(&mut self, now_us: u64, out: &mut Vec<Told>) {
        while let Some((number, held)) = self.held.pop_first() {
            self.leave(number, held, now_us, out);
        }
        self.flush_reports(now_us, out);
    }

    /// Whether something waits for [`Stream::tick`].
    pub fn is_busy(&self) -> bool {
        !self.held.is_empty() || self.assembler.is_collecting()
    }

    fn hold(&mut self, record: &Record<'_>, now_us: u64) {
        if self.recent.contains(&record.sequence) {
            return;
        }
        let before = self.held.get(&record.sequence).map_or(0, Held::bytes);
        let held = self
            .held
            .entry(record.sequence)
            .and_modify(|held| {
                held.add(record);
            })
            .or_insert_with(|| Held::new(record, now_us));
        self.held_bytes += held.bytes() - before;
    }

    /// Text without a number follows what is here.
    fn hold_text(&mut self, text: &[u8], now_us: u64) {
        if let Some(mut last) = self.held.last_entry()
            && last.get().at_us.is_none()
            && last.get_mut().extend(text)
        {
            self.held_bytes += text.len();
            return;
        }
        let held = self.held.last_key_value().map(|(number, _)| *number);
        let number = held
            .max(self.recent.back().copied())
            .map_or(0, |last| last.saturating_add(1));
        let text = Held::of_text(text, now_us);
        self.held_bytes += text.bytes();
        // There is no number above the highest: what has it makes way.
        if let Some(last) = self.held.insert(number, text) {
            self.held_bytes -= last.bytes();
        }
    }

    /// Lets what has waited long enough leave.
    fn let_go(&mut self, now_us: u64, out: &mut Vec<Told>) {
        loop {
            let is_full = self.held.len() > HELD || self.held_bytes > HELD_BYTES;
            let Some(first) = self.held.first_entry() else {
                return;
            };
            if !is_full && first.get().arrived_us.saturating_add(HOLD_US) > now_us {
                return;
            }
            let (number, held) = first.remove_entry();
            self.leave(number, held, now_us, out);
        }
    }

    /// A record leaves, with those that continue it.
    fn leave(&mut self, number: u64, held: Held, now_us: u64, out: &mut Vec<Told>) {
        self.left(number, held.bytes());
        let (prefix, at_us, caller) = (held.prefix, held.at_us, held.caller.clone());
        let body = self.body(held, now_us, out);
        let Some(at_us) = at_us else {
            return self.lines(&body, now_us, out);
        };
        let mut text = packet::text(&body).to_vec();
        while let Some(next) = self.continuation(&caller) {
            let body = self.body(next, now_us, out);
            text.extend_from_slice(packet::text(&body));
            text.truncate(RECORD_BYTES);
        }
        // As `/dev/kmsg` has it: the form in which lines are read knows the rest.
        let mut line = format!("{prefix},{number},{at_us},-").into_bytes();
        if !caller.is_empty() {
            line.extend_from_slice(b",caller=");
            line.extend_from_slice(&caller);
        }
        line.push(b';');
        line.extend_from_slice(&text);
        self.lines(&line, now_us, out);
    }

    fn left(&mut self, number: u64, bytes: usize) {
        self.held_bytes -= bytes;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(number);
    }

    /// The next record of a caller, when it continues the one before.
    fn continuation(&mut self, caller: &[u8]) -> Option<Held> {
        let (number, held) = self.held.iter().find(|(_, held)| held.caller == caller)?;
        if !held.continues {
            return None;
        }
        let number = *number;
        let held = self.held.remove(&number)?;
        self.left(number, held.bytes());
        Some(held)
    }

    /// The bytes of a record; a token among them is noted.
    fn body(&mut self, held: Held, now_us: u64, out: &mut Vec<Told>) -> Vec<u8> {
        let (body, is_whole) = held.into_body();
        self.is_damaged |= !is_whole;
        if let Some(token) = packet::token(&body) {
            self.claimed(token, now_us, out);
        }
        body
    }

    /// The sender says which boot it is.
    fn claimed(&mut self, token: Token, now_us: u64, out: &mut Vec<Told>) {
        if self.token.is_some_and(|known| known != token) {
            self.flush_reports(now_us, out);
        }
        self.token = Some(token);
    }

    /// Takes lines with their prefixes.
    fn lines(&mut self, raw: &[u8], now_us: u64, out: &mut Vec<Told>) {
        for line in log::lines(raw) {
            if let Some(token) = packet::announced(&line.text) {
                self.claimed(token, now_us, out);
            }
            // What programs write to the log is not the kernel's word.
            if line.of_program {
                continue;
            }
            if line.is_timed {
                if self.clock.restarts_at(line.at_us) {
                    self.flush_reports(now_us, out);
                    (self.clock, self.token) = (Clock::default(), None);
                }
                self.clock.told(line.at_us, now_us);
            }
            let at_us = if line.is_timed {
                line.at_us
            } else {
                self.clock.now(now_us)
            };
            let mut texts = Vec::new();
            let line = Line {
                at_us,
                ..line.as_line()
            };
            self.assembler.push(line, &mut texts);
            self.told(texts, now_us, out);
        }
    }

    fn flush_reports(&mut self, now_us: u64, out: &mut Vec<Told>) {
        let mut texts = Vec::new();
        self.assembler.flush(&mut texts);
        self.told(texts, now_us, out);
    }

    fn told(&mut self, texts: Vec<Assembled>, now_us: u64, out: &mut Vec<Told>) {
        for mut text in texts {
            text.truncated |= self.is_damaged;
            out.push(Told {
                since_boot_us: self.clock.is_told.then_some(text.first_at_us),
                age_us: self.clock.now(now_us).saturating_sub(text.first_at_us),
                token: self.token,
                release: self.release.clone(),
                text,
            });
        }
        self.is_damaged &= self.assembler.is_collecting();
    }
}

#[cfg(test)]
mod tests;
