use proptest::prelude::*;

use super::*;
use crate::watch::Module;

const FORMAT: &str = "name: x
 field:unsigned short common_type; offset:0; size:2; signed:0;
 field:int error; offset:8; size:4; signed:1;
 field:__data_loc char[] name; offset:12; size:4; signed:0;
 field:const char * function; offset:16; size:8; signed:0;
 field:void * address; offset:24; size:8; signed:0;
 field:__rel_loc u8[] raw; offset:32; size:4; signed:0;
 field:char comm[16]; offset:36; size:16; signed:0;";

fn candidate<'a>(required: &'a [&'static str], filter: Vec<Term<'a>>) -> Candidate<'a> {
    Candidate {
        category: "x",
        event: "x",
        module: Module::Never,
        required,
        filter,
    }
}

fn term(field: &str, is: Is, value: i128) -> Term<'_> {
    Term { field, is, value }
}

#[test]
fn parts_of_the_record_are_found() {
    let format = Format::parse(FORMAT).unwrap();
    let config = config(&candidate(&["error"], vec![]), &format).unwrap();
    assert_eq!((config.size, config.terms), (52, 0));
    assert_eq!(
        (config.tails, config.tail[0], config.tail[1]),
        (2, Tail { offset: 12, base: 0 }, Tail { offset: 32, base: 36 })
    );
    assert_eq!((config.strings, config.string[0]), (1, 16));
}

#[test]
fn what_the_record_does_not_have_is_told() {
    let format = Format::parse(FORMAT).unwrap();
    let reason = |required, filter| config(&candidate(required, filter), &format).unwrap_err();
    assert_eq!(reason(&["sector"], vec![]), "its record has no field `sector`");
    assert_eq!(
        reason(&[], vec![term("errno", Is::Equal, 1)]),
        "its record has no field `errno` to compare"
    );
    assert_eq!(
        reason(&[], vec![term("comm", Is::Equal, 1)]),
        "its field `comm` is no integer"
    );
    let many = vec![term("error", Is::Equal, 1); MAX_TERMS + 1];
    assert_eq!(reason(&[], many), "the kernel makes at most 4 comparisons");
}

/// What the program does.
fn holds(term: &probe_common::Term, word: u64) -> bool {
    let value = (((word << term.left) >> term.shift) ^ term.bias) & term.mask;
    (value.wrapping_sub(term.low) <= term.span) != (term.inverted != 0)
}

fn expected(is: Is, found: i128, value: i128) -> bool {
    match is {
        Is::Equal => found == value,
        Is::NotEqual => found != value,
        Is::Less => found < value,
        Is::AtMost => found <= value,
        Is::Greater => found > value,
        Is::AtLeast => found >= value,
        Is::AnyBit => found & value != 0,
    }
}

fn values() -> impl Strategy<Value = i128> {
    prop_oneof![
        Just(i128::from(i64::MIN)),
        Just(i128::from(u64::MAX)),
        -3_i128..3,
        126_i128..130,
        254_i128..258,
        i128::from(i64::MIN)..=i128::from(u64::MAX),
    ]
}

proptest! {
    #[test]
    fn a_test_in_the_kernel_says_what_the_comparison_says(
        size in prop_oneof![Just(1_u32), Just(2), Just(4), Just(8)],
        signed: bool,
        is in prop_oneof![
            Just(Is::Equal), Just(Is::NotEqual), Just(Is::Less), Just(Is::AtMost), Just(Is::Greater), Just(Is::AtLeast),
        ],
        value in values(),
        found in values(),
        offset in 8_u32..24,
        mut record: [u8; 40],
    ) {
        let format = Format::parse(&format!(
            "name: x\nfield:int error; offset:{offset}; size:{size}; signed:{};", u8::from(signed)
        )).unwrap();
        let test = test(&term("error", is, value), &format).unwrap();
        let bits = 8 * size;
        // What a field of this size makes of the number, with whatever lies around it.
        let cut = u64::try_from(found & i128::from(u64::MAX >> (64 - bits))).unwrap();
        let (from, length) = (offset as usize, size as usize);
        record[from..from + length].copy_from_slice(&cut.to_le_bytes()[..length]);
        let word = |test: &probe_common::Term| {
            let from = usize::from(test.offset);
            u64::from_le_bytes(record[from..from + 8].try_into().unwrap())
        };
        let half = 1_i128 << (bits - 1);
        let found = if signed && i128::from(cut) >= half { i128::from(cut) - 2 * half } else { i128::from(cut) };
        prop_assert_eq!(holds(&test, word(&test)), expected(is, found, value), "{:?} {} {:?}", found, value, test);
        let mask = value & i128::from(u64::MAX >> (64 - bits));
        let any = super::test(&term("error", Is::AnyBit, mask), &format).unwrap();
        prop_assert_eq!(holds(&any, word(&any)), i128::from(cut) & mask != 0);
    }
}
