//! What an event costs that a program turns away.

use std::error::Error;
use std::time::{Duration, Instant};

use probe_user::cost::{Counting, Usage, usages};
use probe_user::user_probe::{DEFAULT_RATE, UserProbe, Written};
use probe_user::{Options, Probes, hook};

use crate::empty::Empty;
use crate::signals::{Disposition, dispose, send};

/// Signals in a round.
const SIGNALS: u32 = 20_000;
/// The best of so many rounds counts: what else runs on the machine only makes rounds longer.
const ROUNDS: u32 = 30;
/// What a filtered event may take, nanoseconds.
const BAR_NS: u64 = 40;

/// The cost of one program.
pub(crate) struct Filtered {
    what: &'static str,
    /// How it is attached.
    attach: String,
    /// By the kernel's statistics, nanoseconds a call.
    ns: u64,
    /// A signal with the program, nanoseconds, while the kernel keeps no statistics.
    with_ns: u64,
    /// A signal without it.
    without_ns: u64,
}

impl Filtered {
    pub(crate) fn row(&self) -> String {
        format!(
            "{:<44} {:>5} ns/event by the kernel's statistics (bar {BAR_NS})   a signal takes {} ns, {} without it",
            format!("{} ({})", self.what, self.attach),
            self.ns,
            self.with_ns,
            self.without_ns
        )
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "what": self.what,
            "attach": self.attach,
            "ns_per_event": self.ns,
            "bar_ns": BAR_NS,
            "signal_ns": self.with_ns,
            "signal_ns_without": self.without_ns,
        })
    }
}

/// Measures a program that does nothing, the hook of fatal signals, and the generic program with a filter that never holds.
pub(crate) fn measure() -> Result<Vec<Filtered>, Box<dyn Error>> {
    dispose(Disposition::Handled)?;
    let hook_alone = Options {
        disable: all_but(hook::SIGNAL_DELIVER),
        ..Options::default()
    };
    let probe_alone = Options {
        disable: all_but(""),
        probes: vec![never()?],
        ..Options::default()
    };
    Ok(vec![
        empty()?,
        program("signal_deliver, a handled signal", &hook_alone)?,
        program("a probe on signal:signal_deliver, refused", &probe_alone)?,
    ])
}

fn all_but(hook: &str) -> Vec<String> {
    let others = hook::ALL.iter().filter(|name| **name != hook);
    others.map(|name| (*name).to_owned()).collect()
}

fn never() -> Result<UserProbe, Box<dyn Error>> {
    let written = Written {
        name: "never".into(),
        tracepoint: "signal:signal_deliver".into(),
        filter: "sig == 64".into(),
        rate: DEFAULT_RATE,
        ..Written::default()
    };
    UserProbe::new(&written).map_err(|wrongs| format!("{wrongs:?}").into())
}

/// What is behind any figure: the kernel's reading of the clock, and the call.
fn empty() -> Result<Filtered, Box<dyn Error>> {
    measured("a program that does nothing", || {
        let empty = Empty::attach()?;
        Ok(("raw_tp".to_owned(), empty.id, empty))
    })
}

fn program(what: &'static str, options: &Options) -> Result<Filtered, Box<dyn Error>> {
    measured(what, || {
        let mut probes = Probes::attach(options)?;
        let states = probes.states();
        let attached = states
            .iter()
            .find_map(|state| Some((state.attach?, state.program?)));
        let Some((attach, id)) = attached else {
            let reasons: Vec<_> = states.iter().map(|state| state.reason.as_str()).collect();
            return Err(format!("{what}: not attached: {}", reasons.join("; ")).into());
        };
        Ok((attach.to_string(), id, probes))
    })
}

/// The figures of what `attach` attaches: how, the kernel's number of it, and what holds it.
fn measured<T>(
    what: &'static str,
    attach: impl FnOnce() -> Result<(String, u32, T), Box<dyn Error>>,
) -> Result<Filtered, Box<dyn Error>> {
    let without_ns = best(round)?;
    let (attach, id, _held) = attach()?;
    Ok(Filtered {
        what,
        attach,
        ns: best(|| Ok(counted(id)?.ns_per_run()))?,
        with_ns: best(round)?,
        without_ns,
    })
}

/// The least of some rounds.
fn best(mut figure: impl FnMut() -> Result<u64, Box<dyn Error>>) -> Result<u64, Box<dyn Error>> {
    (0..ROUNDS).try_fold(u64::MAX, |least, _| Ok(least.min(figure()?)))
}

/// What a program did in a round.
fn counted(program: u32) -> Result<Usage, Box<dyn Error>> {
    let _counting = Counting::begin()?;
    let usage = || {
        Ok::<_, Box<dyn Error>>(
            usages(&[program])?
                .remove(&program)
                .ok_or("the program is gone")?,
        )
    };
    let before = usage()?;
    round()?;
    let usage = usage()?.since(before);
    if usage.runs < u64::from(SIGNALS) {
        return Err(format!("the program ran {} times for {SIGNALS} signals", usage.runs).into());
    }
    Ok(usage)
}

/// Sends the signals, and answers what one takes, nanoseconds.
fn round() -> Result<u64, Box<dyn Error>> {
    let started = Instant::now();
    for _ in 0..SIGNALS {
        send()?;
    }
    let each: Duration = started.elapsed() / SIGNALS;
    Ok(u64::try_from(each.as_nanos())?)
}
