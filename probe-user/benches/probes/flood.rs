//! Events at the rate that one ring has to stand, and the books afterwards.

use std::error::Error;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, io};

use probe_user::cost::usages;
use probe_user::user_probe::{MAX_RATE, UserProbe, Written};
use probe_user::{Event, Options, Probes, Reader, hook};

use crate::signals::{Disposition, SIGNAL, dispose, send};

/// How long the flood lasts when nobody says otherwise.
pub(crate) const SECONDS: u64 = 30;
/// Events a second.
const RATE: u64 = 100_000;
/// They are sent in portions.
const PORTION: Duration = Duration::from_millis(1);
/// When nothing comes for so long after the flood, all has been read.
const QUIET: Duration = Duration::from_secs(2);
/// What the reader may grow by, KiB: the kernel's ring is mapped twice and counts as its memory.
const GROWTH_BAR_KIB: u64 = 4 * 1024;

/// The books of a flood.
pub(crate) struct Flood {
    took: Duration,
    /// Signals sent.
    produced: u64,
    /// Events read.
    decoded: u64,
    /// By the program's counters.
    sent: u64,
    lost: u64,
    /// Only counted: the probe has no limit that this rate reaches.
    limited: u64,
    /// Calls that the kernel left out.
    missed: u64,
    before_kib: u64,
    most_kib: u64,
}

impl Flood {
    fn per_second(&self) -> u128 {
        u128::from(self.produced) * 1_000_000_000 / self.took.as_nanos().max(1)
    }

    fn growth_kib(&self) -> u64 {
        self.most_kib.saturating_sub(self.before_kib)
    }

    pub(crate) fn rows(&self) -> String {
        format!(
            "flood: {} events/s for {:.1} s: {} produced = {} decoded + {} lost + {} limited + {} missed\n\
             memory: {} KiB before, {} KiB at most, growth {} KiB (bar {GROWTH_BAR_KIB})",
            self.per_second(),
            self.took.as_secs_f64(),
            self.produced,
            self.decoded,
            self.lost,
            self.limited,
            self.missed,
            self.before_kib,
            self.most_kib,
            self.growth_kib()
        )
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "seconds": self.took.as_secs_f64(),
            "events_per_s": u64::try_from(self.per_second()).unwrap_or(u64::MAX),
            "produced": self.produced,
            "decoded": self.decoded,
            "lost": self.lost,
            "limited": self.limited,
            "missed": self.missed,
            "rss_kib_before": self.before_kib,
            "rss_kib_most": self.most_kib,
            "growth_bar_kib": GROWTH_BAR_KIB,
        })
    }

    /// The books balance, and memory is bounded.
    pub(crate) fn check(&self) -> Result<(), Box<dyn Error>> {
        if self.sent != self.decoded || self.produced != self.sent + self.lost + self.limited + self.missed {
            return Err(format!(
                "the books do not balance; the programs counted {} as sent",
                self.sent
            )
            .into());
        }
        if self.growth_kib() > GROWTH_BAR_KIB {
            return Err("the reader's memory grew over its bar".into());
        }
        Ok(())
    }
}

/// Floods the ring for so many seconds and reads it in this process meanwhile.
pub(crate) async fn measure(seconds: u64) -> Result<Flood, Box<dyn Error>> {
    dispose(Disposition::Ignored)?;
    let mut probes = Probes::attach(&Options {
        disable: hook::ALL.iter().map(|name| (*name).to_owned()).collect(),
        probes: vec![probe()?],
        ..Options::default()
    })?;
    let state = probes.states().pop().ok_or("there is no probe")?;
    let program = state.program.ok_or(state.reason)?;
    let before_kib = rss_kib()?;
    let sender = thread::spawn(move || send_all(Duration::from_secs(seconds)));
    let (decoded, most_kib) = read_all(&mut probes.reader()?, &sender).await?;
    let (took, produced) = sender.join().map_err(|_panic| "the sender failed")??;
    let usage = usages(&[program])?
        .remove(&program)
        .ok_or("the program is gone")?;
    let state = probes.states().pop().ok_or("there is no probe")?;
    Ok(Flood {
        took,
        produced,
        decoded,
        sent: state.events,
        lost: state.lost,
        limited: state.limited,
        missed: usage.missed,
        before_kib,
        most_kib,
    })
}

/// A probe of the signals that this process sends, and of no others.
fn probe() -> Result<UserProbe, Box<dyn Error>> {
    let written = Written {
        name: "flood".into(),
        tracepoint: "signal:signal_generate".into(),
        filter: format!("sig == {} && pid == {}", SIGNAL.as_raw(), std::process::id()),
        rate: MAX_RATE,
        ..Written::default()
    };
    UserProbe::new(&written).map_err(|wrongs| format!("{wrongs:?}").into())
}

/// Reads until nothing comes after the sender's end: how many events, and the most memory meanwhile.
async fn read_all<T>(reader: &mut Reader, sender: &JoinHandle<T>) -> Result<(u64, u64), Box<dyn Error>> {
    let mut events = Vec::new();
    let (mut decoded, mut most_kib) = (0, 0);
    loop {
        match tokio::time::timeout(QUIET, reader.next(&mut events)).await {
            Ok(read) => read?,
            Err(_quiet) if sender.is_finished() => return Ok((decoded, most_kib)),
            Err(_quiet) => continue,
        }
        for event in events.drain(..) {
            match event {
                Event::Record { .. } => decoded += 1,
                other => return Err(format!("this is no record: {other:?}").into()),
            }
        }
        most_kib = most_kib.max(rss_kib()?);
    }
}

/// Sends [`RATE`] signals a second; answers how long it took, and how many they were.
fn send_all(time: Duration) -> io::Result<(Duration, u64)> {
    let started = Instant::now();
    let mut sent = 0;
    loop {
        let elapsed = started.elapsed();
        if elapsed >= time {
            return Ok((elapsed, sent));
        }
        let due = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX) / (1_000_000 / RATE);
        while sent < due {
            send()?;
            sent += 1;
        }
        thread::sleep(PORTION);
    }
}

/// Resident memory of this process.
fn rss_kib() -> Result<u64, Box<dyn Error>> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .ok_or("/proc/self/statm is cut")?
        .parse()?;
    Ok(pages * rustix::param::page_size() as u64 / 1024)
}
