//! The ways to watch a hook, for people: what is attached to, what is read there, and whether this kernel has it.

use std::{fmt, path::Path};

use super::{HOOKS, HookSpec, Source, Target};
use crate::{
    event::Attach,
    reason::no_kprobes,
    tracefs::{Tracefs, TracefsError, with_tracefs},
    user_probe::Verdict,
};

/// Where the kernel's own type information is.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// One way to watch a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What sort of program.
    pub attach: Attach,
    /// What it is attached to: a function, or a tracepoint, which has its category where that matters.
    pub target: String,
    /// What is read there; empty: nothing, or the whole record.
    pub reads: Vec<Read>,
    /// What the kernel tests before anything is copied; empty: nothing.
    pub filter: String,
    /// The module that brings the tracepoint, where it is one that may come late.
    pub module: Option<&'static str>,
}

/// A field that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Its name.
    pub field: &'static str,
    /// Where its place is found.
    pub place: Place,
    /// Whether the hook is of no use without it.
    pub required: bool,
}

/// Where the place of a field is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the `format` file of the tracepoint.
    Format,
    /// In the kernel's type information, as a member of this struct.
    Btf(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("the tracepoint's format file"),
            Self::Btf(structure) => write!(f, "struct {structure} in the kernel's type information"),
        }
    }
}

/// What a kernel has for a hook. Whether it also lets programs be attached there, only trying tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// What it has.
    pub has: Vec<String>,
    /// What it lacks, and why.
    pub lacks: Vec<(String, String)>,
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has.is_empty() {
            return f.write_str(&crate::reason::summary(&self.lacks));
        }
        write!(f, "offered: {}", self.has.join(", "))
    }
}

impl From<Verdict> for Offer {
    fn from(verdict: Verdict) -> Self {
        let tracepoint = Attach::Tracepoint.to_string();
        let lacks = match verdict {
            Verdict::Fits(_) => {
                return Self {
                    has: vec![tracepoint],
                    lacks: Vec::new(),
                };
            }
            Verdict::Wrong(wrongs) => wrongs
                .iter()
                .map(|wrong| (tracepoint.clone(), wrong.to_string()))
                .collect(),
            Verdict::Unknown(reason) => vec![(tracepoint, reason)],
        };
        Self {
            has: Vec::new(),
            lacks,
        }
    }
}

/// What this kernel has for each hook of the catalogue.
pub fn offers() -> Vec<(&'static HookSpec, Offer)> {
    with_tracefs(|tracefs| {
        let offer = |spec: &&'static HookSpec| {
            let mut offer = Offer::default();
            for way in spec.ways() {
                let name = format!("{} {}", way.attach, way.target);
                match way.lack(&tracefs) {
                    None => offer.has.push(name),
                    Some(reason) => offer.lacks.push((name, reason)),
                }
            }
            (*spec, offer)
        };
        HOOKS.iter().map(offer).collect()
    })
}

impl HookSpec {
    /// The ways to watch it, in the order in which they are tried.
    pub fn ways(&self) -> Vec<Way> {
        match &self.source {
            Source::Own { attempts, .. } => attempts.iter().map(|attempt| own(attempt.target)).collect(),
            Source::Records(records) => records.attempts.iter().map(record).collect(),
        }
    }
}

impl Way {
    /// Why this kernel does not have it.
    fn lack(&self, tracefs: &Result<Tracefs, TracefsError>) -> Option<String> {
        match self.attach {
            Attach::Kprobe => no_kprobes(),
            Attach::TpBtf | Attach::Fentry => (!Path::new(KERNEL_BTF).exists())
                .then(|| "this kernel offers no type information (CONFIG_DEBUG_INFO_BTF)".to_owned()),
            Attach::RawTp => None,
            Attach::Tracepoint => {
                let (category, name) = self.target.split_once(':')?;
                match tracefs {
                    Ok(tracefs) => tracefs
                        .format(category, name)
                        .err()
                        .map(|error| error.to_string()),
                    Err(error) => Some(error.to_string()),
                }
            }
        }
    }
}

fn own(target: Target) -> Way {
    let reads = match target {
        Target::TpBtf(tracepoint) => tracepoint
            .members
            .iter()
            .map(|member| Read {
                field: member.path,
                place: Place::Btf(member.structure),
                required: true,
            })
            .collect(),
        Target::Tracepoint(tracepoint) => tracepoint
            .fields
            .iter()
            .map(|field| Read {
                field: field.name,
                place: Place::Format,
                required: field.required,
            })
            .collect(),
        Target::RawTp(_) | Target::Fentry(_) | Target::Kprobe(_) => Vec::new(),
    };
    let target_name = match target {
        Target::Tracepoint(tracepoint) => format!("{}:{}", tracepoint.category, tracepoint.name),
        other => other.name().to_owned(),
    };
    Way {
        attach: target.attach(),
        target: target_name,
        reads,
        filter: String::new(),
        module: None,
    }
}

fn record(record: &super::Record) -> Way {
    let reads = record.required.iter().map(|field| Read {
        field,
        place: Place::Format,
        required: true,
    });
    let terms: Vec<String> = record.filter.iter().map(ToString::to_string).collect();
    Way {
        attach: Attach::Tracepoint,
        target: record.tracepoint.to_owned(),
        reads: reads.collect(),
        filter: terms.join(" && "),
        module: record.module,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_ways_and_every_tracepoint_its_category() {
        for spec in HOOKS {
            let ways = spec.ways();
            assert!(!ways.is_empty(), "{}", spec.name);
            for way in ways {
                let is_record = way.attach == Attach::Tracepoint;
                assert_eq!(
                    way.target.contains(':'),
                    is_record,
                    "{}: {}",
                    spec.name,
                    way.target
                );
            }
        }
    }

    #[test]
    fn an_offer_says_what_there_is_or_why_there_is_nothing() {
        let mut offer = Offer {
            has: Vec::new(),
            lacks: vec![
                ("fentry x".to_owned(), "none".to_owned()),
                ("kprobe x".to_owned(), "none".to_owned()),
            ],
        };
        assert_eq!(offer.to_string(), "fentry x, kprobe x: none");
        offer.has.push("tracepoint a:b".to_owned());
        assert_eq!(offer.to_string(), "offered: tracepoint a:b");
    }
}
