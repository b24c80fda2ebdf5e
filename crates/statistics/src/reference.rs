//! The values of `reference/values.json`, which `reference/generate.py` computed with `SciPy`.

use serde_json::Value;

/// How far results may be from `SciPy`'s, relative to them.
const TOLERANCE: f64 = 1e-9;

/// The cases of one function.
pub(crate) fn values(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../reference/values.json")).unwrap();
    let cases = all[name].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{name}");
    cases
}

/// The result is the expected one; null stands for infinity.
#[track_caller]
pub(crate) fn close(result: f64, expected: &Value, case: &Value) {
    close_within(result, expected, case, TOLERANCE);
}

/// The same with another tolerance.
#[track_caller]
pub(crate) fn close_within(result: f64, expected: &Value, case: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap_or(f64::INFINITY);
    if result.is_infinite() || expected.is_infinite() {
        assert!(
            result.is_infinite() && expected.is_infinite(),
            "{result} is not {expected}: {case}"
        );
        return;
    }
    let off = (result - expected).abs();
    assert!(
        off <= tolerance * expected.abs() + f64::MIN_POSITIVE,
        "{result} is not {expected}: off by {:e} of it, {case}",
        off / expected.abs()
    );
}

/// A list of numbers.
pub(crate) fn numbers(list: &Value) -> Vec<f64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

/// A list of counts.
pub(crate) fn counts(list: &Value) -> Vec<u64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_u64().unwrap())
        .collect()
}
