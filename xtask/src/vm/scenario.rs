//! What a guest can be made to go through, and what the collector should have stored afterwards.

mod broken;
mod code;
mod table;

use std::fmt;

pub(crate) use self::code::crashing_program;
pub(super) use self::{broken::broken_modules, table::scenarios};
use super::{boot::Boot, broken_module::Code, expect::Expect, kernels::Series};

/// One row of [`scenarios`].
pub(crate) struct Scenario {
    /// Its name on the command line, and the word that the guest is told.
    pub(crate) name: &'static str,
    /// What happens, for the legend of the matrix.
    pub(crate) what: &'static str,
    /// The boot that it needs.
    pub(super) boot: Boot,
    /// What causes it.
    pub(super) cause: Cause,
    /// Modules that the guest loads for it.
    pub(super) modules: &'static [&'static str],
    /// Whether the guest reboots.
    pub(super) is_fatal: bool,
    /// The records that it leaves. None: it is for the console's log only and not in the matrix.
    pub(crate) expects: &'static [Expect],
    /// Records that it may leave beside those, once each.
    pub(super) beside: &'static [Expect],
    /// Kernels that cannot have it, with the reason; a reason that the guest can find out is told by its script.
    impossible: &'static [(Series, &'static str)],
    /// Whether `cargo xtask test` has it.
    pub(super) is_quick: bool,
}

/// What causes a scenario. A shell script runs in the guest with the scenario's name as `$1`, see `init.sh`.
pub(super) enum Cause {
    /// A script.
    Script(&'static str),
    /// Machine code that a module runs when it is loaded, which is all there is to do.
    Code(fn(Series) -> Code),
    /// The same, loaded by a script.
    CodeAndScript(fn(Series) -> Code, &'static str),
    /// A script that answers at once, then a command for QEMU's monitor.
    ScriptAndMonitor(&'static str, &'static str),
}

impl Scenario {
    /// A row of that name; an error that lists the names there are.
    pub(crate) fn find(name: &str) -> Result<&'static Self, String> {
        scenarios().find(|scenario| scenario.name == name).ok_or_else(|| {
            let names: Vec<&str> = scenarios().map(|scenario| scenario.name).collect();
            format!("it is one of {}, all, any", names.join(", "))
        })
    }

    /// Why a kernel cannot have it, when that is known beforehand.
    pub(super) fn impossible_on(&self, series: Series) -> Option<&'static str> {
        let (_, reason) = self.impossible.iter().find(|(which, _)| *which == series)?;
        Some(reason)
    }

    /// Whether it is in the matrix.
    pub(super) const fn is_checked(&self) -> bool {
        !self.expects.is_empty()
    }

    /// Whether it loads a module that was changed, which taints the kernel.
    pub(super) const fn loads_a_broken_module(&self) -> bool {
        matches!(self.cause, Cause::Code(_) | Cause::CodeAndScript(..))
    }

    /// The machine code that causes it.
    pub(super) fn code(&self, series: Series) -> Option<Code> {
        match self.cause {
            Cause::Code(code) | Cause::CodeAndScript(code, _) => Some(code(series)),
            Cause::Script(_) | Cause::ScriptAndMonitor(..) => None,
        }
    }

    /// The script that the guest runs.
    pub(super) const fn script(&self) -> &'static str {
        match self.cause {
            Cause::Script(script) | Cause::CodeAndScript(_, script) | Cause::ScriptAndMonitor(script, _) => {
                script
            }
            Cause::Code(_) => "load_broken \"$1\"\n",
        }
    }

    /// The command for QEMU's monitor.
    pub(super) const fn monitor_command(&self) -> Option<&'static str> {
        match self.cause {
            Cause::ScriptAndMonitor(_, command) => Some(command),
            _ => None,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scenario").field(&self.name).finish()
    }
}

/// One scenario or many of them, by the word on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// Those of the matrix.
    All,
    /// Every one there is, for the console's log.
    Any,
    /// One.
    One(&'static Scenario),
}

impl std::str::FromStr for Choice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "all" => Ok(Self::All),
            "any" => Ok(Self::Any),
            _ => Scenario::find(name).map(Self::One),
        }
    }
}

impl Choice {
    /// The scenarios that are meant.
    pub(super) fn scenarios(self) -> Vec<&'static Scenario> {
        match self {
            Self::All => scenarios().filter(|scenario| scenario.is_checked()).collect(),
            Self::Any => scenarios().collect(),
            Self::One(scenario) => vec![scenario],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_words_and_each_is_one_rows() {
        let names: BTreeSet<&str> = scenarios().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), scenarios().count());
        for name in names {
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{name}"
            );
            assert!(name != "all" && name != "any");
        }
    }

    #[test]
    fn an_unknown_name_is_told_with_those_there_are() {
        let error = "ooops".parse::<Choice>().unwrap_err();
        assert!(error.contains(" oops,"), "{error}");
    }

    #[test]
    fn the_tests_cause_only_what_is_checked() {
        for scenario in scenarios().filter(|scenario| scenario.is_quick) {
            assert!(scenario.is_checked(), "{scenario}");
        }
    }
}
