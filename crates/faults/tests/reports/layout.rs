//! JSON that is good to review: what fits into a line is on one.

use serde_json::Value;
use std::fmt::Write as _;

const WIDTH: usize = 240;

/// The text of a value.
pub(crate) fn laid_out(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, indent: usize, text: &mut String) {
    let flat = value.to_string();
    match value {
        Value::Array(values) if indent + flat.len() > WIDTH => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                next_line(index, indent, text);
                write(value, indent + 2, text);
            }
            write!(text, "\n{:indent$}]", "").unwrap();
        }
        Value::Object(fields) if indent + flat.len() > WIDTH => {
            text.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                next_line(index, indent, text);
                write!(text, "{name:?}: ").unwrap();
                write(value, indent + 2, text);
            }
            write!(text, "\n{:indent$}}}", "").unwrap();
        }
        _ => text.push_str(&flat),
    }
}

fn next_line(index: usize, indent: usize, text: &mut String) {
    let comma = if index == 0 { "" } else { "," };
    write!(text, "{comma}\n{:1$}", "", indent + 2).unwrap();
}

#[test]
fn laid_out_is_the_same_value() {
    let long = "x".repeat(WIDTH);
    let value = serde_json::json!({"a": [1, null, {}], "b": {"c": long, "d": [[long], []]}, "e": "\"\n"});
    let text = laid_out(&value);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    assert!(text.contains("\n  \"a\": [1,null,{}],\n"), "{text}");
}
