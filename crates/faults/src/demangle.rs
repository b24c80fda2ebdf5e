//! Names of functions as they are in the source: Rust (legacy and v0) and C++ (Itanium ABI).
//!
//! ```
//! use faults::demangle::demangle;
//!
//! assert_eq!(demangle("_RNvCs1234_7mycrate3foo").as_deref(), Some("mycrate::foo"));
//! assert_eq!(demangle("_ZN4core3fmt5write17h0123456789abcdefE").as_deref(), Some("core::fmt::write"));
//! assert_eq!(demangle("_ZN7example5Shape4drawEiPKc.cold").as_deref(), Some("example::Shape::draw"));
//! assert_eq!(demangle("vfs_write"), None);
//! ```

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};
use std::fmt::{self, Write as _};

/// Bytes of a mangled name that are looked at; a longer name stays as it is.
pub const MANGLED_MAX: usize = 2048;

/// Bytes of a demangled name; what would be longer stays mangled.
pub const DEMANGLED_MAX: usize = 1024;

/// How deep the types of a C++ name may be nested; deeper ones stay mangled. Real names stay below 30, and each level
/// takes about half a KiB of stack.
const CPP_DEPTH: u32 = 96;

/// Names that compilers and libraries put between others for their own ends: the versions of libc++, of the NDK and of
/// libstdc++'s strings and lists.
const INLINE_NAMESPACES: [&str; 3] = ["__1::", "__ndk1::", "__cxx11::"];

/// The path of a function: without the hash of Rust, without the parameters and the return type of C++, without the suffixes of
/// compilers. `None` when the name is not mangled, or too long.
pub fn demangle(name: &str) -> Option<String> {
    rust(name).or_else(|| cpp(name))
}

/// A Rust name as a path; `None` when it is none.
pub(crate) fn rust(name: &str) -> Option<String> {
    if name.len() > MANGLED_MAX {
        return None;
    }
    let demangled = rustc_demangle::try_demangle(crate::tables::suffix::strip(name)).ok()?;
    let mut path = Bounded::default();
    write!(path, "{demangled:#}").ok()?;
    Some(path.0)
}

/// A C++ name as a path; `None` when it is none.
fn cpp(name: &str) -> Option<String> {
    if name.len() > MANGLED_MAX || !name.starts_with("_Z") {
        return None;
    }
    let parsing = ParseOptions::default().recursion_limit(CPP_DEPTH);
    let writing = DemangleOptions::new()
        .no_params()
        .no_return_type()
        .recursion_limit(CPP_DEPTH);
    let symbol = Symbol::new_with_options(crate::tables::suffix::strip(name), &parsing).ok()?;
    let mut path = Bounded::default();
    symbol.structured_demangle(&mut path, &writing).ok()?;
    Some(path.0)
}

/// A demangled name without what differs between compilers and builds: numbers of closures, ABI tags, the inline
/// namespaces of libraries.
pub(crate) fn without_builds(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find(['#', '[', '{', '}', '_']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let skipped = built(from, &out);
        if skipped == 0 {
            out.push_str(from.get(..1).unwrap_or_default());
        }
        rest = from.get(skipped.max(1)..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Bytes at the front that a build chose; `before` is the name up to there.
fn built(from: &str, before: &str) -> usize {
    // `{closure#0}`, `{lambda()#1}`.
    if let Some(number) = from.strip_prefix('#') {
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        let closed = number.get(digits..).is_some_and(|rest| rest.starts_with('}'));
        return if closed { digits + 1 } else { 0 };
    }
    if from.starts_with("[abi:") {
        return from.find(']').map_or(0, |end| end + 1);
    }
    // Legacy names write `{{closure}}` where v0 has `{closure#0}`.
    if from.starts_with("{{") || from.starts_with("}}") {
        return 1;
    }
    let parts = INLINE_NAMESPACES.iter();
    let mut inline = parts.filter(|part| before.ends_with("::") && from.starts_with(**part));
    inline.next().map_or(0, |part| part.len())
}

/// Text of at most [`DEMANGLED_MAX`] bytes. Writing more is an error, so that a short name that stands for a very long one costs
/// little.
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > DEMANGLED_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_those_of_the_source() {
        let cases = [
            (
                "_ZN3std9panicking11begin_panic17habcdefabcdefabcdE",
                "std::panicking::begin_panic",
            ),
            (
                "_ZNSt6vectorIiSaIiEE9push_backEOi",
                "std::vector<int, std::allocator<int> >::push_back",
            ),
            (
                "_ZNKSt3__112basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEE4sizeEv",
                "std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char> >::size",
            ),
            ("_ZN12_GLOBAL__N_13runEv", "(anonymous namespace)::run"),
            ("_ZN3app4main17h0123456789abcdefE.llvm.123456", "app::main"),
            ("_Z3runi", "run"),
        ];
        for (mangled, path) in cases {
            assert_eq!(demangle(mangled).as_deref(), Some(path), "{mangled}");
        }
        for plain in ["", "_", "_Z", "_R", "main", "_ZN", "Z3runi", "\u{fffd}_ZN3fooEv"] {
            assert_eq!(demangle(plain), None, "{plain}");
        }
    }

    #[test]
    fn what_builds_choose_is_taken_out() {
        let cases = [
            (
                "app::run::{closure#12}::{closure#0}",
                "app::run::{closure}::{closure}",
            ),
            ("app::run::{{closure}}", "app::run::{closure}"),
            (
                "std::__1::vector<std::__1::string>::size",
                "std::vector<std::string>::size",
            ),
            (
                "std::__cxx11::list<int>::clear[abi:cxx11]",
                "std::list<int>::clear",
            ),
            ("app::__1::f#2 [x] _a", "app::f#2 [x] _a"),
            ("__1::f", "__1::f"),
        ];
        for (name, expected) in cases {
            assert_eq!(without_builds(name), expected);
        }
    }

    #[test]
    fn names_that_stand_for_very_long_ones_stay_mangled() {
        // Each substitution doubles what the one before stands for.
        let mut name = "_ZN1aI".to_owned();
        name.push_str(&"S_S_".repeat(400));
        name.push_str("E1bEv");
        assert_eq!(demangle(&name), None);
        assert_eq!(demangle(&format!("_ZN{}E", "1a".repeat(MANGLED_MAX))), None);
        assert_eq!(demangle(&format!("_Z1f{}i", "P".repeat(1_500))), None);
    }

    proptest! {
        #[test]
        fn any_name_is_taken(name in "(_Z|_R|_ZN)?[ -~]{0,80}|_ZN([0-9][a-z]{1,3}|I|E|S_|St|K|v|i|P|T_|L|J|F|X|dt|D[a-z]){0,60}|\\PC{0,40}") {
            if let Some(path) = demangle(&name) {
                prop_assert!(path.len() <= DEMANGLED_MAX);
            }
            let once = without_builds(&name);
            prop_assert!(once.len() <= name.len());
        }
    }
}
