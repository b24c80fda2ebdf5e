//! What may stand before the colon.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `class:kernel.*`, and so on.
    Of(Field),
    /// `severity>=high`: also `:`, `=`, `>`, `<`, `<=`.
    Severity,
    /// `issue:` and 32 hexadecimal digits.
    Issue,
    /// `fingerprint:` and 32 hexadecimal digits.
    Fingerprint,
    /// `event:` and 32 hexadecimal digits.
    Event,
    /// `after:-7d`, `after:2026-02-28`, `after:2026-02-28T09:30:00Z`.
    After,
    /// The same, for what was earlier.
    Before,
    /// `payload:segfault`.
    Payload,
    /// `housekeeping:true`.
    Housekeeping,
    /// `state:new`.
    State,
    /// `hosts>=10`: also `:`, `=`, `>`, `<`, `<=`.
    Hosts,
    /// `records>1000`, likewise.
    Records,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Records of faults.
    Faults,
    /// Issues, which faults are grouped to.
    Issues,
    /// Hosts.
    Hosts,
}

/// A text that faults are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// What sort of fault it is, such as `kernel.oops`.
    Class,
    /// `uname -r` of the kernel that it happened in.
    Kernel,
    /// Host name, or the agent's id.
    Host,
    /// Build of the system that the host runs.
    Build,
    /// Hardware model of the host.
    Model,
    /// System of the host, as os-release has it.
    Os,
    /// `uname -m` of the host.
    Arch,
    /// Model of the host's processors.
    Cpu,
    /// Version of the host's firmware.
    Bios,
    /// Who looks after the issue.
    Owner,
}

/// What became of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody decided anything, and it is not old.
    New,
    /// It is known.
    Ongoing,
    /// It is more than before.
    Escalating,
    /// It came again after it was resolved.
    Regressed,
    /// It is mended.
    Resolved,
    /// Nobody wants to hear of it.
    Ignored,
}

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// 1.
    Low = 1,
    /// 2.
    Medium,
    /// 3.
    High,
    /// 4.
    Critical,
}

impl Key {
    /// All keys with what they are for, in the order in which they are offered.
    pub const ALL: [(&'static str, Self, &'static str); 21] = [
        (
            "class",
            Self::Of(Field::Class),
            "sort of fault, such as kernel.oops or kernel.*",
        ),
        (
            "severity",
            Self::Severity,
            "how bad: low, medium, high, critical; also with >= and the like",
        ),
        ("kernel", Self::Of(Field::Kernel), "kernel release, such as 6.1.*"),
        ("host", Self::Of(Field::Host), "host name, or an agent's id"),
        ("build", Self::Of(Field::Build), "build of the host's system"),
        ("model", Self::Of(Field::Model), "hardware model of the host"),
        ("os", Self::Of(Field::Os), "system of the host, such as debian"),
        (
            "arch",
            Self::Of(Field::Arch),
            "architecture of the host, such as x86_64",
        ),
        ("cpu", Self::Of(Field::Cpu), "processor model of the host"),
        ("bios", Self::Of(Field::Bios), "firmware version of the host"),
        (
            "state",
            Self::State,
            "new, ongoing, escalating, regressed, resolved or ignored",
        ),
        (
            "owner",
            Self::Of(Field::Owner),
            "who looks after the issue; \"\": nobody",
        ),
        (
            "hosts",
            Self::Hosts,
            "how many hosts have it; also with >= and the like",
        ),
        (
            "records",
            Self::Records,
            "how many records it has; also with >= and the like",
        ),
        (
            "issue",
            Self::Issue,
            "the issue that it belongs to, 32 hexadecimal digits",
        ),
        (
            "fingerprint",
            Self::Fingerprint,
            "a fingerprint of any level, 32 hexadecimal digits",
        ),
        (
            "event",
            Self::Event,
            "the event that a program says it is of, 32 hexadecimal digits",
        ),
        (
            "payload",
            Self::Payload,
            "text in the record, such as a log, a stack or what a program sent",
        ),
        (
            "after",
            Self::After,
            "stored or heard then or later: -7d, 2026-02-28, 2026-02-28T09:30:00Z",
        ),
        (
            "before",
            Self::Before,
            "stored or last heard earlier: -7d, 2026-02-28, 2026-02-28T09:30:00Z",
        ),
        (
            "housekeeping",
            Self::Housekeeping,
            "true: heartbeats and losses; false: none of them",
        ),
    ];

    /// The key of a name.
    pub fn of(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(known, ..)| *known == name).map(|(_, key, _)| *key)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, key, _)| *key == self).map_or("", |(name, ..)| name)
    }

    /// Whether a subject can be asked for by it.
    pub fn is_of(self, subject: Subject) -> bool {
        match self {
            Self::Of(Field::Owner) | Self::State | Self::Hosts | Self::Records => subject == Subject::Issues,
            Self::Of(Field::Class) | Self::Severity | Self::Issue => subject != Subject::Hosts,
            Self::Fingerprint | Self::Event | Self::Payload | Self::Housekeeping => {
                subject == Subject::Faults
            }
            Self::Of(_) | Self::After | Self::Before => true,
        }
    }

    /// Whether it takes `>=` and the like beside `:`.
    pub fn has_order(self) -> bool {
        matches!(self, Self::Severity | Self::Hosts | Self::Records)
    }

    /// The names of those by which a subject can be asked for, in the order in which they are offered.
    pub fn names_of(subject: Subject) -> impl Iterator<Item = &'static str> {
        let of_it = Self::ALL
            .into_iter()
            .filter(move |(_, key, _)| key.is_of(subject));
        of_it.map(|(name, ..)| name)
    }
}

impl Subject {
    /// All of them by their names.
    pub const ALL: [(&'static str, Self); 3] = [
        ("faults", Self::Faults),
        ("issues", Self::Issues),
        ("hosts", Self::Hosts),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, subject)| *subject == self)
            .map_or("", |(name, _)| name)
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(known, _)| *known == name).map(|(_, subject)| subject)
    }
}

impl State {
    /// All of them by their names.
    pub const ALL: [(&'static str, Self); 6] = [
        ("new", Self::New),
        ("ongoing", Self::Ongoing),
        ("escalating", Self::Escalating),
        ("regressed", Self::Regressed),
        ("resolved", Self::Resolved),
        ("ignored", Self::Ignored),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }
}

impl Severity {
    /// All of them by their names, the least first.
    pub const ALL: [(&'static str, Self); 4] = [
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("critical", Self::Critical),
    ];

    /// From its name or number.
    pub fn of(text: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(name, severity)| *name == text || severity.number().to_string() == text)
            .map(|(_, severity)| severity)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, severity)| *severity == self)
            .map_or("", |(name, _)| name)
    }

    /// 1 to 4.
    pub fn number(self) -> i16 {
        self as i16
    }
}
