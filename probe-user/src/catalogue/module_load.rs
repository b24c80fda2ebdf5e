//! A module that taints the kernel was loaded. `include/trace/events/module.h`.

use super::{Class, Fields, HookSpec, Is, Privacy, Record, Records, Severity, Source, Storm, Term, Told};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "module_load",
    sees: "a module that taints the kernel was loaded: its name, how it taints",
    without: "reports of the kernel still carry the taint",
    class: Class::KernelModuleTaint,
    severity: Severity::Low,
    storm: Storm::OncePerBoot,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "module:module_load",
            module: None,
            required: &["taints", "name"],
            filter: &[Term {
                field: "taints",
                is: Is::NotEqual,
                value: 0,
            }],
        }],
        stack: false,
        twin: None,
        tell,
    }),
};

/// `include/linux/panic.h`, `TAINT_*`: those of modules (`kernel/panic.c`, `taint_flags`).
const TAINTS: &[(u32, &str)] = &[
    (0, "proprietary"),
    (1, "loaded by force"),
    (10, "from staging"),
    (12, "out of tree"),
    (13, "unsigned"),
    (15, "live patch"),
    (18, "test"),
];

fn tell(fields: &Fields) -> Option<Told> {
    let taints = fields.unsigned("taints")?;
    let name = fields
        .text("name")
        .filter(|name| !name.is_empty())
        .unwrap_or("a module");
    let how: Vec<&str> = TAINTS
        .iter()
        .filter(|(bit, _)| taints >> bit & 1 != 0)
        .map(|(_, how)| *how)
        .collect();
    let title = if how.is_empty() {
        format!("{name} taints the kernel")
    } else {
        format!("{name} taints the kernel: {}", how.join(", "))
    };
    Some(Told::new(HOOK.class, HOOK.severity, title))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_taints_are_in_words() {
        let load = |taints| {
            let told = tell(&Fields::from_iter([
                ("taints", Value::Unsigned(taints)),
                ("name", Value::Text("oopsgen".into())),
            ]));
            told.unwrap().title
        };
        assert_eq!(
            load(1 << 12 | 1 << 13),
            "oopsgen taints the kernel: out of tree, unsigned"
        );
        assert_eq!(load(1 << 30), "oopsgen taints the kernel");
    }
}
