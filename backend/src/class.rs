//! Classes as people ask for them: one, or all that begin alike.

use std::collections::BTreeSet;

use faults::Class;
use proto::limits::CLASS_CHARS;

/// A class that nothing can be of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadClass {
    /// It is not written as classes are.
    #[error(
        "class must be one such as kernel.oops, or kernel.* for all of kernel, at most {CLASS_CHARS} characters of [a-z0-9_.]"
    )]
    Form,
    /// It is what classes begin with.
    #[error("no class is called {0}: {0}.* is all that begin with it")]
    Family(String),
    /// Nobody knows it.
    #[error("there is no class {asked}: there are {known}")]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What there is instead.
        known: String,
    },
}

/// Reads a class such as `kernel.oops`, or all of kernel: `kernel.`, and by the filter language `kernel.*`, where `/` is taken for `.`.
/// Given back is what the store compares with: that class, or what classes begin with, which ends in a dot; empty: any.
pub(crate) fn written(text: &str) -> Result<String, BadClass> {
    let dotted = text.replace('/', ".");
    let class = match dotted.as_str() {
        "*" => "",
        other => other
            .strip_suffix('*')
            .filter(|family| family.ends_with('.'))
            .unwrap_or(other),
    };
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.');
    if class.len() > CLASS_CHARS || !class.bytes().all(allowed) {
        return Err(BadClass::Form);
    }
    Ok(class.to_owned())
}

/// The same where nobody would see that nothing is of it: a class has to be one that this collector knows.
pub(crate) fn known(text: &str) -> Result<String, BadClass> {
    let class = written(text)?;
    let is_known = |name: &str| name == class || (class.ends_with('.') && name.starts_with(&class));
    if class.is_empty() || names().any(is_known) {
        return Ok(class);
    }
    if families().any(|family| family == class) {
        return Err(BadClass::Family(class));
    }
    let family = class.split_once('.').map_or("", |(family, _)| family);
    let of_family = names().filter(|name| name.split_once('.').is_some_and(|(of, _)| of == family));
    let mut known: BTreeSet<String> = of_family.map(str::to_owned).collect();
    if known.is_empty() {
        known = families().map(|family| format!("{family}.*")).collect();
    }
    Err(BadClass::Unknown {
        asked: text.to_owned(),
        known: Vec::from_iter(known).join(", "),
    })
}

fn names() -> impl Iterator<Item = &'static str> {
    Class::ALL.iter().map(|class| class.as_str())
}

/// What several classes begin with.
fn families() -> impl Iterator<Item = &'static str> {
    names()
        .filter_map(|name| name.split_once('.'))
        .map(|(family, _)| family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_and_all_of_a_family_are_written_in_several_ways() {
        for (text, class) in [
            ("", ""),
            ("*", ""),
            ("kernel.oops", "kernel.oops"),
            ("kernel/oops", "kernel.oops"),
            ("kernel.", "kernel."),
            ("kernel.*", "kernel."),
            ("kernel/*", "kernel."),
            ("custom", "custom"),
            ("custom.*", "custom."),
        ] {
            assert_eq!(known(text).as_deref(), Ok(class), "{text}");
            assert_eq!(written(text).as_deref(), Ok(class), "{text}");
        }
    }

    #[test]
    fn what_nothing_can_be_of_is_refused_with_the_right_form() {
        for text in [
            "Kernel.oops",
            "kernel*",
            "kernel.*.*",
            "*.oops",
            "kernel oops",
            &"x".repeat(65),
        ] {
            assert_eq!(written(text), Err(BadClass::Form), "{text}");
        }
        let told = |text| known(text).unwrap_err().to_string();
        assert_eq!(
            told("kernel"),
            "no class is called kernel: kernel.* is all that begin with it"
        );
        assert_eq!(
            told("storage.blok_error"),
            "there is no class storage.blok_error: there are storage.block_error, storage.filesystem_error"
        );
        assert!(told("kernl.*").starts_with("there is no class kernl.*: there are boot.*, custom.*, "));
        assert!(told("kernl").starts_with("there is no class kernl: there are boot.*, "));
    }

    #[test]
    fn a_class_of_newer_agents_is_listed_and_not_watched() {
        for class in ["kernel.of_tomorrow", "kernel"] {
            assert_eq!(written(class).as_deref(), Ok(class));
            assert!(known(class).is_err());
        }
    }
}
