//! Every scenario: one row each, in the file of its sort.

mod boots;
mod deaths;
mod events;
mod reports;

use super::{Boot, Cause, Expect, Scenario, Series, code};
use crate::vm::expect::{Field, Is};

/// A row's defaults.
const ROW: Scenario = Scenario {
    name: "",
    what: "",
    boot: Boot::Plain,
    cause: Cause::Script(""),
    modules: &[],
    is_fatal: false,
    expects: &[],
    beside: &[],
    impossible: &[],
    is_quick: false,
};

/// A report of the kernel that says where.
const PLACED: &[Field] = &[
    ("/kernel_report/function", Is::There),
    ("/kernel_report/traces", Is::There),
];

/// The same of what `insmod` was doing.
const BY_INSMOD: &[Field] = &[
    ("/kernel_report/function", Is::There),
    ("/kernel_report/traces", Is::There),
    ("/kernel_report/comm", Is::Text("insmod")),
];

/// The rows of each sort, in an order in which one boot can have them and each shows: what ends a boot comes first, then
/// what nothing dies of. The kernel tells of a failed allocation once in 10 s.
const SORTS: [&[Scenario]; 4] = [deaths::ROWS, events::ROWS, reports::ROWS, boots::ROWS];

/// The scenarios.
pub(crate) fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    SORTS.into_iter().flatten()
}
