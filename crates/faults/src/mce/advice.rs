//! What to do about a machine check.

use super::{Outcome, Unit};

/// One sentence for the people who run the machine.
pub(super) fn of(outcome: Outcome, unit: Unit, above_threshold: bool) -> &'static str {
    if above_threshold {
        return "Plan to replace the processor: its cache corrects more errors than the maker considers normal.";
    }
    match (outcome, unit) {
        (Outcome::Invalid, _) => "Nothing: the bank holds no error.",
        (_, Unit::Thermal) => {
            "Check fans, air flow and heat sinks: the processor slows down to protect itself."
        }
        (Outcome::Corrected, Unit::Memory) => {
            "Watch the rate: many corrected errors of one module, or ever more of them, call for its replacement."
        }
        (Outcome::Corrected, Unit::Link | Unit::Io) => {
            "Watch the rate: when it grows, reseat or replace what is at the two ends of the link."
        }
        (Outcome::Corrected, _) => {
            "Watch the rate: single corrected errors are normal, many from one core or socket call for its replacement."
        }
        (Outcome::Deferred | Outcome::ActionOptional, Unit::Memory) => {
            "Plan to replace the memory module; until then keep the page offline: the data there is lost, but was not used."
        }
        (Outcome::Deferred | Outcome::ActionOptional, _) => {
            "Plan a service of the part: data was lost, but was not used yet."
        }
        (Outcome::ActionRequired, Unit::Memory) => {
            "Replace the memory module soon: a program was about to use lost data and was stopped."
        }
        (Outcome::ActionRequired, _) => {
            "Move work away and service the part: a program was about to use lost data and was stopped."
        }
        (Outcome::Fatal, Unit::Memory) => "Replace the memory module before the machine carries load again.",
        (Outcome::Fatal, Unit::Io) => {
            "Look at the device and its slot before the processor: the error came in over I/O."
        }
        (Outcome::Fatal, _) => {
            "Take the machine out of service; update firmware and microcode, and replace the processor when it comes again."
        }
    }
}
