//! What commands print with `--json`, judged by the schemas of `docs/schemas/output`.

use std::fs;

use serde_json::Value;

use crate::linters::python;
use crate::{json, repository};

/// The judge. Of each value it says what is wrong; and it refuses the same value when a field is taken away, or the schema says
/// nothing.
const JUDGE: &str = "
import json, sys
from jsonschema import Draft7Validator
schema, values = (json.load(open(path)) for path in sys.argv[1:])
Draft7Validator.check_schema(schema)
judge = Draft7Validator(schema)
wrong = [f'{list(error.path)}: {error.message}' for value in values for error in judge.iter_errors(value)]
for value in values:
    one = value[0] if isinstance(value, list) and value else value
    if isinstance(one, dict) and one:
        less = dict(list(one.items())[1:])
        if judge.is_valid([less] if isinstance(value, list) else less):
            wrong.append(f'it takes {less}')
sys.exit('\\n'.join(wrong) or None)
";

/// Fails the test unless each of these values is what its schema says, and has no field beside those; returns them.
#[track_caller]
pub fn conforms(schema: &str, printed: &[&str]) -> Vec<Value> {
    let mut whole = json(&repository().join(format!("docs/schemas/output/{schema}.json")));
    close(&mut whole);
    let read = |text: &&str| serde_json::from_str(text).unwrap_or_else(|why| panic!("{schema}: {why} in {text}"));
    let values: Vec<Value> = printed.iter().map(read).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("schema.json"), whole.to_string()).unwrap();
    fs::write(folder.path().join("values.json"), Value::from(values.clone()).to_string()).unwrap();
    let ran = python("python3", &["-c", JUDGE, "schema.json", "values.json"], folder.path());
    assert_eq!(ran.code, Some(0), "{schema}: {}{}\n{printed:?}", ran.stdout, ran.stderr);
    values
}

/// The last line of what was printed: the answer.
pub fn answer(printed: &str) -> &str {
    printed.lines().last().unwrap_or_default()
}

/// Refuses fields that the schema does not name, so that a field that nobody has described is found.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".into(), false.into());
            }
            members.values_mut().for_each(close);
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}
