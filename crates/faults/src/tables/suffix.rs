//! Suffixes that compilers put behind a function's name.

/// GCC's clones and parts, Clang's and the linker's renames. Each may be followed by numbers and by each other.
const SUFFIXES: [&str; 11] = [
    ".isra",
    ".part",
    ".constprop",
    ".cold",
    ".llvm",
    ".lto_priv",
    ".cfi_jt",
    ".cfi",
    ".localalias",
    ".__uniq",
    ".clone",
];

/// The name up to the first suffix.
pub(crate) fn strip(name: &str) -> &str {
    let mut from = 0;
    while let Some(dot) = name
        .get(from..)
        .and_then(|rest| rest.find('.'))
        .map(|at| at + from)
    {
        let rest = name.get(dot..).unwrap_or_default();
        let known = SUFFIXES.iter().any(|suffix| {
            rest.strip_prefix(suffix)
                .is_some_and(|after| after.is_empty() || after.starts_with('.'))
        });
        if known && dot > 0 {
            return name.get(..dot).unwrap_or(name);
        }
        from = dot + 1;
    }
    name
}
