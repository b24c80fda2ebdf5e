//! What the generic program can be asked to watch: a row of the catalogue, or a probe of the configuration.

use std::{fmt, sync::Arc};

use faults::Class;

use crate::{
    catalogue::{self, HookSpec, Record, Records, Source, Term, Told, limit_of_rate},
    fields::Fields,
    user_probe::UserProbe,
};

/// What is watched.
#[derive(Clone)]
pub(crate) enum Watch {
    /// A hook of the catalogue.
    Row(&'static HookSpec, &'static Records),
    /// A probe of the configuration.
    Probe(Arc<UserProbe>),
}

/// A tracepoint that may serve.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) category: &'a str,
    pub(crate) event: &'a str,
    /// The module that brings it.
    pub(crate) module: Module<'a>,
    /// See [`Record::required`].
    pub(crate) required: &'a [&'static str],
    /// See [`Record::filter`].
    pub(crate) filter: Vec<Term<'a>>,
}

/// Where a tracepoint that is not there may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Module<'a> {
    /// From nowhere: it is in the kernel or it is not.
    Never,
    /// From this module.
    Named(&'a str),
    /// From one that nobody has named.
    Any,
}

impl Watch {
    /// The hook's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Row(spec, _) => spec.name,
            Self::Probe(probe) => &probe.hook,
        }
    }

    /// The hook of the catalogue with this name, if the generic program serves it.
    pub(crate) fn row(name: &str) -> Option<Self> {
        let spec = catalogue::find(name)?;
        match &spec.source {
            Source::Records(records) => Some(Self::Row(spec, records)),
            Source::Own { .. } => None,
        }
    }

    /// The tracepoints, best first.
    pub(crate) fn candidates(&self) -> Vec<Candidate<'_>> {
        match self {
            Self::Row(_, records) => records.attempts.iter().filter_map(candidate).collect(),
            Self::Probe(probe) => vec![Candidate {
                category: &probe.category,
                event: &probe.event,
                module: Module::Any,
                required: &[],
                filter: probe.filter.of_integers().collect(),
            }],
        }
    }

    /// Whether the kernel's stack is taken with each event.
    pub(crate) fn takes_stack(&self) -> bool {
        match self {
            Self::Row(_, records) => records.stack,
            Self::Probe(probe) => probe.stack,
        }
    }

    /// The most events that the kernel sends in a second on one CPU; 0: as many as come. Where texts are compared, which
    /// happens here, what is not meant would use up the limit of what is.
    pub(crate) fn limit(&self) -> u32 {
        match self {
            Self::Row(spec, _) => spec.storm.limit(),
            Self::Probe(probe) if probe.filter.compares_texts() => 0,
            Self::Probe(probe) => limit_of_rate(probe.rate),
        }
    }

    /// What a record means and what is kept of it; `None` when it is not meant after all.
    pub(crate) fn tell(&self, fields: Fields) -> Option<(Told, Fields)> {
        match self {
            Self::Row(_, records) => records.told(&fields).map(|told| (told, fields)),
            Self::Probe(probe) => probe.tell(&fields).map(|(title, kept)| {
                let told = Told::new(Class::CustomTracepoint, probe.severity, title);
                (told, kept)
            }),
        }
    }
}

fn candidate(record: &'static Record) -> Option<Candidate<'static>> {
    let (category, event) = record.tracepoint.split_once(':')?;
    Some(Candidate {
        category,
        event,
        module: record.module.map_or(Module::Never, Module::Named),
        required: record.required,
        filter: record.filter.to_vec(),
    })
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.name()).finish()
    }
}
