//! What commands print with `--json`, as a page, from the JSON schemas of the types that are printed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::toml_page::{TomlFile, choices};

const INTRODUCTION: &str = "# JSON

With `--json` a command prints what it tells as JSON on standard output, each value on one line; warnings and errors go to standard error as
ever, and the [exit code](exit-codes.md) is the same. A field that has no value is `null`. Later versions may add fields, so ignore those that you do
not know; a field that is here keeps its meaning.

Commands that work for a while print [events](#events) first, one a line: only what stands in the last line is the answer. `--quiet` leaves all of them
out but warnings. `package` prints its [`report.json`](outputs.md#reportjson), and `check`, `rebuild` and `bench` print what they write into
[their folders](outputs.md#other-folders); these have no schema. `check` adds `taken`: from whom the verdict was taken, if so. `plan` prints [the plan](outputs.md#the-plan) and nothing else.
";

/// What commands print.
pub struct Printed {
    /// The heading: what it is.
    pub name: &'static str,
    /// The commands that print it, without `cargo xtask`.
    pub commands: &'static [&'static str],
    /// Its schema.
    pub file: TomlFile,
}

/// The page.
pub fn page(all: &[Printed]) -> String {
    let mut text = INTRODUCTION.to_owned();
    for Printed { name, commands, file } in all {
        let by: Vec<String> = commands.iter().map(|command| format!("`cargo xtask {command} --json`")).collect();
        text += &format!("\n## {name}\n\n");
        if !by.is_empty() {
            text += &format!("Printed by {}.\n\n", by.join(", "));
        }
        let root = file.meant(&file.schema);
        let (item, list) = item(file, &root);
        let what = if list { "A list; each is: " } else { "" };
        text += &format!("{what}{}\n\nSchema: `{}`.\n\n", description(&item), file.schema_path().display());
        text += &members(file, &item, "", &mut Told::new());
    }
    text
}

/// What a list has, or the value itself.
fn item(file: &TomlFile, schema: &Map<String, Value>) -> (Map<String, Value>, bool) {
    match schema.get("items") {
        Some(items) if items.is_object() => (file.meant(items), true),
        _ => (schema.clone(), false),
    }
}

/// A doc comment in one line. What the code calls `None` is `null` here.
fn description(schema: &Map<String, Value>) -> String {
    super::toml_page::description(schema).replace("`None`", "`null`")
}

/// Where the parts of a schema that several fields refer to are told first, by their reference.
type Told = BTreeMap<String, String>;

/// The fields of an object, and of those in it; or its forms, where it has several.
fn members(file: &TomlFile, schema: &Map<String, Value>, path: &str, told: &mut Told) -> String {
    let indent = if path.is_empty() { 0 } else { path.split(' ').count() };
    let indent = "  ".repeat(indent);
    let mut text = String::new();
    for form in objects(schema) {
        let form = file.meant(form);
        if let Some((name, word)) = properties(&form).find_map(|(name, value)| Some((name, value.get("const")?))) {
            text += &format!("{indent}- `{name}` {word}: {}\n", description(&form));
            text += &members(file, &form, format!("{path} .").trim_start(), told);
        } else if let Some((name, value)) = properties(&form).next() {
            // Without a word that tells it from others it is told by its only field.
            text += &format!("{indent}- `{{{name:?}: …}}` ({}): {}\n", kind(file, value), description(&form));
        }
    }
    // What tells the form is named there.
    for (name, value) in properties(schema).filter(|(_, value)| value.get("const").is_none()) {
        let meant = file.meant(value);
        let path = format!("{path} {name}").trim_start().to_owned();
        text += &format!("{indent}- `{name}` ({}): {}\n", kind(file, value), description(&meant));
        let (inner, reference) = inner(file, value);
        for (word, meaning) in choices(&inner) {
            text += &format!("{indent}  - `\"{word}\"`: {meaning}\n");
        }
        let holds = properties(&inner).next().is_some() || objects(&inner).next().is_some();
        match reference.as_ref().and_then(|reference| told.get(reference)) {
            Some(first) if holds => text += &format!("{indent}  - as in {first}\n"),
            _ => {
                told.extend(reference.filter(|_| holds).map(|reference| (reference, shown(&path))));
                text += &members(file, &inner, &path, told);
            }
        }
    }
    text
}

/// A path of fields, for people.
fn shown(path: &str) -> String {
    format!("`{}`", path.split(' ').collect::<Vec<_>>().join("."))
}

/// What the elements of a list or the values of a map are, else the value itself; and the part of the schema that it refers to.
fn inner(file: &TomlFile, schema: &Value) -> (Map<String, Value>, Option<String>) {
    let meant = file.meant(schema);
    let part =
        ["items", "additionalProperties"].iter().find_map(|name| meant.get(*name).filter(|part| part.is_object()));
    match part {
        Some(part) => (file.meant(part), reference(part)),
        None => (meant, reference(schema)),
    }
}

/// The part of the schema that a value refers to, alone or with null.
fn reference(schema: &Value) -> Option<String> {
    let own = schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
    let forms = ["allOf", "anyOf"].iter().filter_map(|name| schema.get(*name)?.as_array()).flatten();
    own.or_else(|| forms.filter_map(reference).next())
}

/// The forms of a value that are objects.
fn objects(schema: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let forms = ["oneOf", "anyOf"].iter().filter_map(|name| schema.get(*name)?.as_array()).flatten();
    forms.filter(|form| form.get("properties").is_some())
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// What kind of value it is, for people.
fn kind(file: &TomlFile, schema: &Value) -> String {
    let meant = file.meant(schema);
    let null = if can_be_null(schema) { " or null" } else { "" };
    let plain = match meant.get("type").and_then(Value::as_str) {
        Some("array") => match meant.get("items").filter(|items| items.is_object()) {
            Some(items) => format!("list of {}s", kind(file, items)),
            None => "list".to_owned(),
        },
        Some("object") => match meant.get("additionalProperties").filter(|values| values.is_object()) {
            Some(values) => format!("object with any names, each with one {}", kind(file, values)),
            None => "object".to_owned(),
        },
        Some(other) => other.to_owned(),
        None if !choices(&meant).is_empty() => "string".to_owned(),
        None => {
            let forms = ["oneOf", "anyOf"].iter().filter_map(|name| meant.get(*name)?.as_array()).flatten();
            let forms: BTreeSet<String> = forms.map(|form| kind(file, form)).collect();
            forms.into_iter().collect::<Vec<_>>().join(" or ")
        }
    };
    plain + null
}

fn can_be_null(schema: &Value) -> bool {
    let null = |kind: &Value| kind == "null";
    let typed = |schema: &Value| match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(null),
        Some(kind) => null(kind),
        None => false,
    };
    typed(schema) || schema.get("anyOf").and_then(Value::as_array).is_some_and(|forms| forms.iter().any(typed))
}
