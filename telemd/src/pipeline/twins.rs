//! Faults that are seen twice, by a hook and in the kernel's text, and told once.
//!
//! A hook says by a [`Twin`] which text tells the same fault and which of the two tells it better. Where the hook does,
//! its record is told at once; the text waits for a moment, because it may be complete before the hook fires, and is
//! dropped when a hook told its fault. Where the text does, the record of the hook waits for it, lends it its context,
//! and is told only when no text comes. A hook that keeps seeing one fault says so by [`Once`].

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use faults::{Assembled, KernelReport, ReportKind};
use probe_user::{Best, Context, Once, Twin, catalogue};
use proto::v1::Record;

use super::fault::{MACHINE_CHECK, OOM_KILL};

/// A record of a hook whose text does not come within this time is told without it.
const TEXT_NS: u64 = 5_000_000_000;
/// The hook and the text of one fault are at most this far apart.
const SAME_FAULT_NS: u64 = 2_000_000_000;
/// Records of hooks that wait for their text: in a storm, what comes while one text is being printed.
const WAITING: usize = 64;
/// Faults told by their hooks that are remembered to know their text by. A storm of one sort is one.
const TOLD: usize = 64;
/// Texts that wait for a hook to tell their fault.
const HELD: usize = 16;
/// Texts that are remembered, because a hook that fires behind its text may follow.
const TEXTS: usize = 64;
/// Faults that go on which are remembered.
const ONGOING: usize = 256;
/// How much of a remembered text is kept, bytes: its first lines say what it is about.
const TEXT_BYTES: usize = 256;

/// What a hook found that its text tells better.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) record: Record,
    pub(super) hook: Arc<str>,
    pub(super) twin: Twin,
    pub(super) once: Option<Once>,
    /// It is told without its text even where texts reach us: the text is better, but the fault is worth a record.
    pub(super) alone: bool,
    pub(super) cpu: u32,
    pub(super) task: u32,
    pub(super) at_ns: u64,
}

impl Waiting {
    /// A record that is told when its text does not come.
    pub(super) fn of(record: Record, twin: Twin, context: &Context) -> Self {
        Self {
            record,
            hook: Arc::clone(&context.hook),
            twin,
            once: None,
            alone: true,
            cpu: context.cpu,
            task: context.pid,
            at_ns: context.since_boot_ns,
        }
    }
}

/// A text, and the context that hooks lend it.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) assembled: Assembled,
    pub(super) report: KernelReport,
    pub(super) context: Option<proto::v1::Context>,
}

/// What hooks and texts told lately.
#[derive(Debug, Default)]
pub(super) struct Twins {
    told: VecDeque<Told>,
    waiting: VecDeque<Waiting>,
    held: VecDeque<Text>,
    texts: VecDeque<Past>,
    ongoing: VecDeque<(String, u64)>,
}

/// Faults of one sort that hooks told.
#[derive(Debug)]
struct Told {
    twin: Twin,
    first_ns: u64,
    last_ns: u64,
}

/// A text that was complete.
#[derive(Debug)]
struct Past {
    kind: ReportKind,
    text: String,
    cpu: Option<u32>,
    task: Option<u32>,
    around: RangeInclusive<u64>,
    /// Hooks that saw the same fault.
    hooks: Vec<Arc<str>>,
}

impl Twins {
    /// Whether something waits for [`Twins::late_texts`] or [`Twins::late_hooks`].
    pub(super) fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || !self.held.is_empty()
    }

    /// A hook told, at `at_ns`, what no text tells better: the text is not told.
    pub(super) fn told_by_hook(&mut self, twin: Twin, at_ns: u64) {
        self.held.retain(|text| {
            !(around(&text.assembled).contains(&at_ns) && fits(&twin, text.report.kind, &text.assembled.text))
        });
        let same = |told: &&mut Told| told.twin == twin && at_ns.abs_diff(told.last_ns) <= SAME_FAULT_NS;
        if let Some(told) = self.told.iter_mut().find(same) {
            told.first_ns = told.first_ns.min(at_ns);
            told.last_ns = told.last_ns.max(at_ns);
            return;
        }
        let told = Told {
            twin,
            first_ns: at_ns,
            last_ns: at_ns,
        };
        remember(&mut self.told, TOLD, told);
    }

    /// Lets a hook's record wait for its text, unless the text was there before it. Answers what has to be told now
    /// because no more can wait.
    pub(super) fn wait(&mut self, waiting: Waiting) -> Option<Waiting> {
        let behind = self.texts.iter_mut().find(|text| {
            let place = text.cpu.is_none_or(|cpu| cpu == waiting.cpu) || text.task == Some(waiting.task);
            let fresh = place && text.around.contains(&waiting.at_ns) && !text.hooks.contains(&waiting.hook);
            fresh && fits(&waiting.twin, text.kind, &text.text)
        });
        if let Some(text) = behind {
            text.hooks.push(Arc::clone(&waiting.hook));
            if let Some(once) = &waiting.once {
                self.is_again(once, waiting.at_ns);
            }
            return None;
        }
        let full = self.waiting.len() == WAITING;
        let oldest = full.then(|| self.waiting.pop_front()).flatten();
        self.waiting.push_back(waiting);
        oldest
    }

    /// Takes a text that is complete. Answers it when it is to be told now.
    pub(super) fn text(&mut self, assembled: Assembled, report: KernelReport) -> Option<Text> {
        let around = around(&assembled);
        let by_hook = |told: &&Told| {
            let near = told.first_ns <= *around.end() && *around.start() <= told.last_ns;
            near && fits(&told.twin, report.kind, &assembled.text)
        };
        let told: Vec<Twin> = self.told.iter().filter(by_hook).map(|told| told.twin).collect();
        let (hooks, context) = self.take_waiting(&assembled, report.kind, &around, &told);
        let past = Past {
            kind: report.kind,
            text: crate::text::cut(&assembled.text, TEXT_BYTES).to_owned(),
            cpu: assembled.cpu,
            task: assembled.task,
            around: around.clone(),
            hooks,
        };
        remember(&mut self.texts, TEXTS, past);
        if !told.is_empty() {
            return None;
        }
        let text = Text {
            assembled,
            report,
            context,
        };
        if !may_be_told_by_hook(text.report.kind, &text.assembled.text) {
            return Some(text);
        }
        let full = self.held.len() == HELD;
        let oldest = full.then(|| self.held.pop_front()).flatten();
        self.held.push_back(text);
        oldest
    }

    /// The records of hooks that this text tells: those of its CPU or task and time, of each hook the oldest and one for
    /// each repetition that the text leaves out; of deaths all. The first lends its context. Where hooks tell such faults
    /// without their texts (`told`), the text tells none.
    fn take_waiting(
        &mut self,
        text: &Assembled,
        kind: ReportKind,
        around: &RangeInclusive<u64>,
        told: &[Twin],
    ) -> (Vec<Arc<str>>, Option<proto::v1::Context>) {
        let (mut hooks, mut context, mut ongoing) = (Vec::new(), None, Vec::new());
        self.waiting.retain_mut(|waiting| {
            let place = text.cpu.is_none_or(|cpu| cpu == waiting.cpu) || text.task == Some(waiting.task);
            let same = place && around.contains(&waiting.at_ns) && fits(&waiting.twin, kind, &text.text);
            let before = hooks.iter().filter(|hook| **hook == waiting.hook).count() as u64;
            let more = waiting.twin.kinds.is_empty() || before <= text.left_out;
            let is_told = same && more && !told.contains(&waiting.twin);
            if is_told {
                hooks.push(Arc::clone(&waiting.hook));
                context = context.take().or_else(|| waiting.record.context.take());
                ongoing.extend(waiting.once.take().map(|once| (once, waiting.at_ns)));
            }
            !is_told
        });
        for (once, at_ns) in ongoing {
            self.is_again(&once, at_ns);
        }
        (hooks, context)
    }

    /// The next text that no hook told in time; every one when `now_ns` is the end of time.
    pub(super) fn late_text(&mut self, now_ns: u64) -> Option<Text> {
        self.held
            .pop_front_if(|text| *around(&text.assembled).end() < now_ns)
    }

    /// The next record of a hook that no text told in time; every one when `now_ns` is the end of time.
    pub(super) fn late_hook(&mut self, now_ns: u64) -> Option<Waiting> {
        self.waiting
            .pop_front_if(|waiting| waiting.at_ns.saturating_add(TEXT_NS) < now_ns)
    }

    /// Whether a fault that goes on was seen before `at_ns`; it is remembered as seen.
    pub(super) fn is_again(&mut self, once: &Once, at_ns: u64) -> bool {
        let known = self.ongoing.iter().position(|(key, _)| *key == once.key);
        let seen = known.and_then(|index| self.ongoing.remove(index));
        remember(&mut self.ongoing, ONGOING, (once.key.clone(), at_ns));
        seen.is_some_and(|(_, seen_ns)| at_ns.saturating_sub(seen_ns) <= once.quiet_ns)
    }
}

/// Whether some hook tells what a text is about, and tells it better: behind the text perhaps.
fn may_be_told_by_hook(kind: ReportKind, text: &str) -> bool {
    let own = [MACHINE_CHECK, OOM_KILL].into_iter();
    own.chain(catalogue::twins())
        .any(|twin| twin.best == Best::Hook && fits(&twin, kind, text))
}

/// Whether a text is of a twin's form.
fn fits(twin: &Twin, kind: ReportKind, text: &str) -> bool {
    let form = match twin.kinds {
        [] => !kind.is_message(),
        kinds => kinds.contains(&kind),
    };
    form && (twin.says.is_empty() || twin.says.iter().any(|said| text.contains(said)))
}

/// When a hook may have seen what the text tells, nanoseconds since boot.
fn around(text: &Assembled) -> RangeInclusive<u64> {
    let first = text.first_at_us.saturating_mul(1_000);
    let last = text.last_at_us.saturating_mul(1_000);
    first.saturating_sub(SAME_FAULT_NS)..=last.saturating_add(SAME_FAULT_NS)
}

pub(super) fn remember<T>(list: &mut VecDeque<T>, limit: usize, item: T) {
    if list.len() == limit {
        list.pop_front();
    }
    list.push_back(item);
}
