//! The values of the programs' globals on this kernel.

use crate::{
    btf::Btf,
    catalogue::{self, FieldSpec, MemberSpec, Shape, Target, TpBtf, Tracepoint},
    event::Attach,
    format::{Format, Place},
    tracefs::{Tracefs, TracefsError},
};

/// The value of an offset when the record has no such field; the same as in `probe-ebpf/src/offset.rs`.
const ABSENT: u32 = u32::MAX;

/// What is known of the tracepoints.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    /// Globals of the object and their values.
    pub(crate) globals: Vec<(&'static str, u32)>,
    /// Targets that cannot be used, by way and name, and why.
    unusable: Vec<(Attach, &'static str, String)>,
}

impl Offsets {
    /// Finds what every target of a hook needs: in its `format` file, or in the kernel's type information.
    pub(crate) fn resolve(tracefs: &Result<Tracefs, TracefsError>, btf: &Result<Btf<'_>, String>) -> Self {
        let mut offsets = Self::default();
        for attempt in catalogue::attempts() {
            match attempt.target {
                Target::Tracepoint(tracepoint) => offsets.of_record(tracepoint, tracefs),
                Target::TpBtf(tracepoint) => offsets.of_pointers(tracepoint, btf),
                Target::RawTp(_) | Target::Fentry(_) | Target::Kprobe(_) => {}
            }
        }
        for spec in catalogue::members() {
            let found = btf.as_ref().ok().and_then(|btf| of_member(btf, spec));
            offsets.globals.push((spec.global, found.unwrap_or(ABSENT)));
        }
        offsets
    }

    /// Why a target cannot be used, if it cannot.
    pub(crate) fn unusable(&self, target: Target) -> Option<&str> {
        self.unusable
            .iter()
            .find(|(attach, name, _)| (*attach, *name) == (target.attach(), target.name()))
            .map(|(_, _, reason)| reason.as_str())
    }

    fn of_record(&mut self, tracepoint: &'static Tracepoint, tracefs: &Result<Tracefs, TracefsError>) {
        let format = match tracefs {
            Ok(tracefs) => tracefs
                .format(tracepoint.category, tracepoint.name)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match format {
            Ok(format) => self.add(tracepoint, &format),
            Err(reason) => self.refuse(Target::Tracepoint(tracepoint), reason),
        }
    }

    /// A member that is missing, or has another size, makes the target unusable.
    fn of_pointers(&mut self, tracepoint: &'static TpBtf, btf: &Result<Btf<'_>, String>) {
        for spec in tracepoint.members {
            let found = match btf {
                Ok(btf) => of_member(btf, spec).ok_or_else(|| {
                    format!(
                        "this kernel's `struct {}` has no member `{}` of a known shape",
                        spec.structure, spec.path
                    )
                }),
                Err(reason) => Err(reason.clone()),
            };
            match found {
                Ok(offset) => self.globals.push((spec.global, offset)),
                Err(reason) => return self.refuse(Target::TpBtf(tracepoint), reason),
            }
        }
    }

    fn refuse(&mut self, target: Target, reason: String) {
        self.unusable.push((target.attach(), target.name(), reason));
    }

    fn add(&mut self, tracepoint: &'static Tracepoint, format: &Format) {
        for spec in tracepoint.fields {
            let found = find(spec, format);
            if found.is_none() && spec.required {
                self.refuse(
                    Target::Tracepoint(tracepoint),
                    format!("its record has no field `{}` of a known shape", spec.name),
                );
            }
            let (offset, is_data_loc) = found.unwrap_or((ABSENT, false));
            self.globals.push((spec.global, offset));
            if let Shape::Comm { is_data_loc: global } = spec.shape {
                self.globals.push((global, u32::from(is_data_loc)));
            }
        }
    }
}

/// The offset of a member, if this kernel has it in the size that programs read.
fn of_member(btf: &Btf<'_>, spec: &MemberSpec) -> Option<u32> {
    let member = btf.member(spec.structure, spec.path)?;
    (member.size == spec.size).then_some(member.offset)
}

/// The field's offset and whether it is a location, if the record has it in a shape that the program can read.
fn find(spec: &FieldSpec, format: &Format) -> Option<(u32, bool)> {
    let field = format.field(spec.name)?;
    let fits = match (spec.shape, field.place) {
        (Shape::Integer(size), Place::Inline) => field.size == size,
        (Shape::DataLoc | Shape::Comm { .. }, Place::DataLoc) => field.size == 4,
        (Shape::Comm { .. }, Place::Inline) => field.size as usize == probe_common::COMM_LEN,
        _ => false,
    };
    fits.then_some((field.offset, field.place == Place::DataLoc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oom() -> &'static Tracepoint {
        catalogue::attempts()
            .find_map(|attempt| match attempt.target {
                Target::Tracepoint(tracepoint) if tracepoint.name == "mark_victim" => Some(tracepoint),
                _ => None,
            })
            .unwrap()
    }

    fn resolve(fields: &str) -> Offsets {
        let mut offsets = Offsets::default();
        offsets.add(
            oom(),
            &Format::parse(&format!("name: mark_victim\n{fields}")).unwrap(),
        );
        offsets
    }

    fn global(offsets: &Offsets, name: &str) -> u32 {
        offsets
            .globals
            .iter()
            .find(|(global, _)| *global == name)
            .unwrap()
            .1
    }

    #[test]
    fn the_short_form_of_mark_victim_has_absent_fields() {
        let offsets = resolve("field:int pid; offset:8; size:4; signed:1;");
        assert_eq!(offsets.unusable(Target::Tracepoint(oom())), None);
        assert_eq!(global(&offsets, "OOM_OFF_PID"), 8);
        assert_eq!(global(&offsets, "OOM_OFF_COMM"), ABSENT);
        assert_eq!(global(&offsets, "OOM_OFF_TOTAL_VM"), ABSENT);
    }

    #[test]
    fn a_name_is_a_location_or_an_array() {
        let offsets = resolve(
            "field:int pid; offset:8; size:4; signed:1;\nfield:__data_loc char[] comm; offset:12; size:4; signed:0;",
        );
        assert_eq!(
            (
                global(&offsets, "OOM_OFF_COMM"),
                global(&offsets, "OOM_COMM_IS_DATA_LOC")
            ),
            (12, 1)
        );
        let offsets = resolve(
            "field:int pid; offset:8; size:4; signed:1;\nfield:char comm[16]; offset:12; size:16; signed:0;",
        );
        assert_eq!(
            (
                global(&offsets, "OOM_OFF_COMM"),
                global(&offsets, "OOM_COMM_IS_DATA_LOC")
            ),
            (12, 0)
        );
    }

    #[test]
    fn a_field_of_another_size_is_absent_and_a_required_one_makes_the_tracepoint_unusable() {
        let offsets = resolve(
            "field:long pid; offset:8; size:8; signed:1;\nfield:int total_vm; offset:16; size:4; signed:0;",
        );
        assert_eq!(global(&offsets, "OOM_OFF_TOTAL_VM"), ABSENT);
        assert!(
            offsets
                .unusable(Target::Tracepoint(oom()))
                .unwrap()
                .contains("pid")
        );
    }
}
