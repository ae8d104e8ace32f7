//! TOML files as a page, from the JSON schemas of the types that read them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// A TOML file that people write.
pub struct TomlFile {
    /// The name of the file, as people know it.
    pub name: &'static str,
    /// Name of its schema, without `.json`.
    pub schema_name: &'static str,
    /// The schema's folder below `docs/schemas/`, with a `/` at its end; empty where it is there itself.
    pub folder: &'static str,
    /// The schema, a root object with `definitions`.
    pub schema: Value,
}

impl TomlFile {
    /// The path where its schema is kept, below the checkout.
    pub fn schema_path(&self) -> PathBuf {
        format!("docs/schemas/{}{}.json", self.folder, self.schema_name).into()
    }

    /// What a reference to another part of the schema means; what came beside it, such as a description, wins.
    fn resolved(&self, schema: &Value) -> Map<String, Value> {
        let mut own = schema.as_object().cloned().unwrap_or_default();
        // Draft 7 ignores what is beside a `$ref`, so that it is alone in an `allOf`.
        let wrapped = own.remove("allOf").and_then(|all| all.as_array()?.first().cloned());
        let reference = own.remove("$ref").or_else(|| wrapped?.get("$ref").cloned());
        let Some(pointer) = reference.as_ref().and_then(Value::as_str) else { return own };
        let meant = self.schema.pointer(pointer.trim_start_matches('#')).expect("a schema refers to what it has");
        let mut all = self.resolved(meant);
        all.extend(own);
        all
    }

    /// The same without the `null` that stands for a field that is not there.
    pub(super) fn meant(&self, schema: &Value) -> Map<String, Value> {
        let mut resolved = self.resolved(schema);
        let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
        if let Some(Value::Array(variants)) = resolved.get("anyOf") {
            let rest: Vec<Value> = variants.iter().filter(|variant| !is_null(variant)).cloned().collect();
            if let [only] = &rest[..] {
                let mut all = self.resolved(only);
                resolved.remove("anyOf");
                all.extend(resolved);
                return all;
            }
        }
        if let Some(Value::Array(kinds)) = resolved.get("type") {
            let kind = kinds.iter().find(|kind| *kind != "null").cloned();
            resolved.extend(kind.map(|kind| ("type".to_owned(), kind)));
        }
        resolved
    }
}

/// Writes a page about these files as Markdown.
pub fn page(title: &str, files: &[TomlFile]) -> String {
    let mut text = format!(
        "# {title}\n\nFields that are not listed are errors, which name the file, the line and the fields that there are. \
         For completion and checks while you type, editors with a TOML plugin (such as Even Better TOML or Taplo) read the \
         schema that a first line such as\n\n```toml\n#:schema PATH/docs/schemas/{}.json\n```\n\nnames, where `PATH` leads \
         from the file's folder to the checkout.\n",
        files[0].schema_name
    );
    for file in files {
        let root = file.resolved(&file.schema);
        text +=
            &format!("\n## {}\n\n{}\n\nSchema: `{}`.\n", file.name, description(&root), file.schema_path().display());
        text += &fields(file, &root);
        let mut told = BTreeSet::new();
        text += &tables(file, &root, "", &mut told);
    }
    text + &kinds(files)
}

/// What the kinds of values are that have a name of their own.
fn kinds(files: &[TomlFile]) -> String {
    let definitions = files.iter().filter_map(|file| file.schema.get("definitions")?.as_object()).flat_map(Map::values);
    let named = definitions.filter_map(|schema| Some((schema.get("title")?.as_str()?, schema.as_object()?)));
    let lines: BTreeSet<String> =
        named.map(|(title, schema)| format!("- A **{title}**: {}\n", description(schema))).collect();
    match lines.is_empty() {
        true => String::new(),
        false => "\n## Kinds of values\n\n".to_owned() + &lines.into_iter().collect::<String>(),
    }
}

/// A section for each table below `schema`, whose own name in TOML is `path`.
fn tables(file: &TomlFile, schema: &Map<String, Value>, path: &str, told: &mut BTreeSet<String>) -> String {
    let mut text = String::new();
    for (name, field) in properties(schema) {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let field = file.meant(field);
        let (heading, inner) = match field.get("items") {
            Some(items) => (format!("[[{path}]]"), file.meant(items)),
            None => (format!("[{path}]"), field),
        };
        let variants = alternatives(file, &inner);
        if !is_table(&inner) && !variants.iter().any(is_table) || !told.insert(heading.clone()) {
            continue;
        }
        text += &format!("\n### `{heading}`\n\n{}\n", description(&inner));
        if variants.is_empty() {
            text += &fields(file, &inner);
        }
        for variant in variants.iter().filter(|variant| is_table(variant)) {
            text += &format!("\n{}\n{}", description(variant), fields(file, variant));
        }
        text += &tables(file, &inner, &path, told);
    }
    text
}

/// The forms that a value can have, where there is more than one.
fn alternatives(file: &TomlFile, schema: &Map<String, Value>) -> Vec<Map<String, Value>> {
    schema.get("anyOf").and_then(Value::as_array).into_iter().flatten().map(|one| file.resolved(one)).collect()
}

fn is_table(schema: &Map<String, Value>) -> bool {
    schema.contains_key("properties")
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// The fields of a table: those that are needed first.
fn fields(file: &TomlFile, table: &Map<String, Value>) -> String {
    let required: BTreeSet<&str> =
        table.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = "\n".to_owned();
    for needed in [true, false] {
        for (name, schema) in properties(table).filter(|(name, _)| required.contains(name.as_str()) == needed) {
            let meant = file.meant(schema);
            let mut facts = vec![kind(file, &meant)];
            facts.extend(needed.then(|| "required".to_owned()));
            facts.extend(default(&meant).map(|default| format!("default `{default}`")));
            text += &format!("- **`{name}`** ({}): {}\n", facts.join(", "), description(&meant));
            text += &words(file, &meant);
        }
    }
    text
}

/// What kind of value it is, for people.
fn kind(file: &TomlFile, schema: &Map<String, Value>) -> String {
    if let Some(title) = schema.get("title").and_then(Value::as_str).filter(|_| !is_table(schema)) {
        return title.to_owned();
    }
    if !choices(schema).is_empty() {
        return "one of these words".into();
    }
    let of = |schema: &Value| kind(file, &file.meant(schema));
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => format!("list of {}", plural(&schema.get("items").map_or("value".into(), of))),
        Some("object") => match schema.get("additionalProperties").filter(|more| more.is_object()) {
            Some(values) => format!("table with {} as values", plural(&of(values))),
            None => "table".into(),
        },
        Some("number") => "number".into(),
        Some(other) => other.into(),
        None if schema.contains_key("anyOf") => {
            let forms: Vec<String> = alternatives(file, schema).iter().map(|one| kind(file, one)).collect();
            let forms: BTreeSet<String> = forms.into_iter().collect();
            forms.into_iter().collect::<Vec<_>>().join(" or ")
        }
        None => "value".into(),
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "one of these words" => "these words".into(),
        other => other.to_owned() + "s",
    }
}

/// The words that a value can be, each with what it means; also those of a table's values.
fn words(file: &TomlFile, schema: &Map<String, Value>) -> String {
    let values = schema.get("additionalProperties").filter(|more| more.is_object()).map(|more| file.meant(more));
    let values = values.as_ref().map(choices).unwrap_or_default();
    let choices = choices(schema).into_iter().chain(values);
    choices.map(|(word, meaning)| format!("  - `\"{word}\"`: {meaning}\n")).collect()
}

pub(super) fn choices(schema: &Map<String, Value>) -> Vec<(String, String)> {
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let words = variants.filter_map(|one| Some((one.get("const")?.as_str()?.to_owned(), description(one))));
    words.collect()
}

/// What stands where a field does not, if that says something.
fn default(schema: &Map<String, Value>) -> Option<String> {
    let value = schema.get("default")?;
    let nothing = value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
        || value.as_str() == Some("")
        || value.as_bool() == Some(false);
    (!nothing).then(|| value.to_string())
}

/// A doc comment in one line, which is what Markdown makes of its lines.
pub(super) fn description(schema: &Map<String, Value>) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
