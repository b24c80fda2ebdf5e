//! The kernel's taint letters (Documentation/admin-guide/tainted-kernels.rst).

const LETTERS: [(char, &str); 18] = [
    ('P', "proprietary module"),
    ('F', "module was force loaded"),
    ('S', "processor out of specification"),
    ('R', "module was force unloaded"),
    ('M', "machine check happened before"),
    ('B', "bad page"),
    ('U', "tainted by user"),
    ('D', "died before (oops or BUG)"),
    ('A', "ACPI table overridden"),
    ('W', "warned before"),
    ('C', "staging driver"),
    ('I', "firmware bug worked around"),
    ('O', "out-of-tree module"),
    ('E', "unsigned module"),
    ('L', "soft lockup before"),
    ('K', "live patched"),
    ('T', "randomised structures"),
    ('N', "test ran"),
];

/// What the letters mean, in words; `G` (only free modules) says nothing.
pub(super) fn words(letters: &str) -> String {
    if !letters
        .chars()
        .all(|letter| letter.is_ascii_uppercase() || letter == ' ')
    {
        return String::new(); // "Not tainted"
    }
    let known = letters
        .chars()
        .filter_map(|letter| LETTERS.iter().find(|(known, _)| *known == letter));
    known.map(|(_, meaning)| *meaning).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn letters_become_words() {
        assert_eq!(
            words("G      W  OE"),
            "warned before, out-of-tree module, unsigned module"
        );
        assert_eq!(words("G"), "");
        assert_eq!(words("Not tainted"), "");
        assert_eq!(words(""), "");
    }
}
