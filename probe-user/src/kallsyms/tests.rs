use std::fs::File;

use proptest::prelude::*;

use super::*;

const SYMBOLS: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81000100 t first.isra.0
ffffffff81000200 T second
ffffffff81000200 T __alias_of_second
ffffffff81000300 D some_data
ffffffffc0001000 t write_file\t[example]
ffffffffc0001080 d state\t[example]
ffffffffc0000000 t bpf_prog_6deef7357e7b4530_oops_enter_fentry\t[bpf]
";

fn symbol(function: &str, offset: u32, size: u32, module: Option<&str>) -> Symbol {
    Symbol {
        function: function.to_owned(),
        offset,
        size,
        module: module.map(str::to_owned),
    }
}

#[test]
fn an_address_is_in_the_function_that_starts_before_it() {
    let addresses = [
        0xffff_ffff_8100_0210,
        0xffff_ffff_8100_0100,
        0xffff_ffff_c000_1010,
        0xffff_ffff_8100_01ff,
        0xffff_ffff_c000_0004,
        0xffff_ffff_8100_0210,
    ];
    assert_eq!(
        resolve(SYMBOLS.as_bytes(), &addresses).unwrap(),
        [
            Some(symbol("second", 0x10, 0x100, None)),
            Some(symbol("first.isra.0", 0, 0x100, None)),
            Some(symbol("write_file", 0x10, 0x80, Some("example"))),
            Some(symbol("first.isra.0", 0xff, 0x100, None)),
            Some(symbol(
                "bpf_prog_6deef7357e7b4530_oops_enter_fentry",
                4,
                0x1000,
                Some("bpf")
            )),
            Some(symbol("second", 0x10, 0x100, None)),
        ]
    );
}

#[test]
fn an_address_below_all_or_far_behind_a_function_is_in_none() {
    let addresses = [0x1000, 0xffff_ffff_8200_0000, u64::MAX, 0];
    assert_eq!(
        resolve(SYMBOLS.as_bytes(), &addresses).unwrap(),
        [const { None }; 4]
    );
}

#[test]
fn hidden_addresses_are_an_error_and_not_used() {
    let hidden = "0000000000000000 T _text\n0000000000000000 t first\n";
    assert!(matches!(
        resolve(hidden.as_bytes(), &[0x10]),
        Err(KallsymsError::Hidden)
    ));
    for form in ["", "text", "\0\0\0"] {
        assert!(
            matches!(resolve(form.as_bytes(), &[0x10]), Err(KallsymsError::Form)),
            "{form:?}"
        );
    }
}

#[test]
fn a_line_that_is_too_long_is_left_out_and_a_cut_one_is_none() {
    let long = format!("ffffffff81000180 t {}\n", "x".repeat(MAX_LINE));
    let text = format!("{long}{SYMBOLS}ffffffff81000190 t cut");
    assert_eq!(
        resolve(text.as_bytes(), &[0xffff_ffff_8100_01a0]).unwrap(),
        [Some(symbol("first.isra.0", 0xa0, 0x100, None))]
    );
}

#[test]
fn only_so_many_addresses_are_looked_up() {
    let addresses: Vec<u64> = (0..=MAX_ADDRESSES as u64)
        .map(|at| 0xffff_ffff_8100_0100 + at)
        .collect();
    let found = resolve(SYMBOLS.as_bytes(), &addresses).unwrap();
    assert_eq!(found.len(), addresses.len());
    assert!(found[0].is_some() && found[MAX_ADDRESSES].is_none());
}

#[test]
fn this_kernels_symbols_are_found() {
    let test = "this_kernels_symbols_are_found";
    let Ok(file) = File::open("/proc/kallsyms") else {
        return testing::skip(test, "there is no /proc/kallsyms");
    };
    let text = std::fs::read_to_string("/proc/kallsyms").unwrap();
    let panic = text.lines().find_map(|line| line.strip_suffix(" T panic"));
    let Some(address) = panic
        .and_then(|address| u64::from_str_radix(address, 16).ok())
        .filter(|at| *at != 0)
    else {
        return testing::skip(test, "the kernel hides its addresses");
    };
    let found = resolve(file, &[address + 1]).unwrap();
    assert_eq!(
        found[0]
            .as_ref()
            .map(|symbol| (symbol.function.as_str(), symbol.offset)),
        Some(("panic", 1))
    );
}

/// What a table of all symbols would answer.
fn plainly(symbols: &[(u64, bool)], address: u64) -> Option<(String, u64)> {
    let functions = symbols
        .iter()
        .filter(|(_, function)| *function)
        .map(|(at, _)| *at);
    let start = functions.filter(|at| *at <= address && *at != 0).max()?;
    (address - start <= MAX_FUNCTION).then(|| (format!("f{start:x}"), address - start))
}

proptest! {
    #[test]
    fn one_pass_finds_what_a_table_would(
        symbols in prop::collection::vec((1_u64..4_000_000, any::<bool>()), 1..40),
        addresses in prop::collection::vec(0_u64..5_000_000, 0..40),
    ) {
        let line = |(at, function): &(u64, bool)| {
            format!("{at:016x} {} f{at:x}\n", if *function { 't' } else { 'd' })
        };
        let text: String = symbols.iter().map(line).collect();
        let found = resolve(text.as_bytes(), &addresses).unwrap();
        for (address, found) in addresses.iter().zip(found) {
            let found = found.map(|symbol| (symbol.function, u64::from(symbol.offset)));
            prop_assert_eq!(found, plainly(&symbols, *address));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        addresses in prop::collection::vec(any::<u64>(), 0..8),
    ) {
        if let Ok(found) = resolve(bytes.as_slice(), &addresses) {
            prop_assert_eq!(found.len(), addresses.len());
        }
    }
}
