//! The command line as a page, from clap's own definitions.

use clap::{Arg, Command};

const INTRODUCTION: &str = "# Command line

`cargo xtask` in a checkout compiles the tool where that is needed and runs it. What a command is asked for goes to standard
output; progress, warnings and errors go to standard error. [Exit codes](exit-codes.md) say how it ended.
`cargo xtask completions SHELL` completes all of this in a shell, `cargo xtask man FOLDER` writes it as man pages.

";

/// Writes the page about all commands as Markdown.
pub fn page(command: &Command) -> String {
    let mut command = command.clone();
    command.build();
    let mut text = INTRODUCTION.to_owned();
    text += "| command | |\n|---|---|\n";
    for (name, one) in leaves(&command, "cargo xtask") {
        text += &format!("| [`{name}`](#{}) | {} |\n", anchor(&name), cell(&about(one)));
    }
    text += "\n## Options of every command\n\n";
    text += &list(command.get_arguments().filter(|argument| argument.is_global_set()));
    for (name, one) in leaves(&command, "cargo xtask") {
        text += &section(&name, one);
    }
    text
}

/// The commands that do something, with their full names, in the order in which they are declared.
fn leaves<'a>(command: &'a Command, name: &str) -> Vec<(String, &'a Command)> {
    let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help" && !inner.is_hide_set());
    let mut found: Vec<_> = inner.flat_map(|inner| leaves(inner, &format!("{name} {}", inner.get_name()))).collect();
    if found.is_empty() {
        found.push((name.to_owned(), command));
    }
    found
}

fn section(name: &str, command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let mut text = format!("\n## {name}\n\n{}.\n\n```text\n{usage}\n```\n", about(command));
    let own = || command.get_arguments().filter(|argument| !argument.is_global_set() && !is_help(argument));
    for (heading, positional) in [("Arguments", true), ("Options", false)] {
        let listed = list(own().filter(|argument| argument.is_positional() == positional));
        if !listed.is_empty() {
            text += &format!("\n{heading}:\n\n{listed}");
        }
    }
    text
}

fn is_help(argument: &Arg) -> bool {
    ["help", "version"].contains(&argument.get_id().as_str())
}

fn list<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    arguments.filter(|argument| !argument.is_hide_set()).map(item).collect()
}

fn item(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("- `{}`: {}", form(argument), in_text(&help));
    if argument.is_required_set() && !argument.is_positional() {
        text += " (required)";
    }
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        text += &format!(" [default: `{}`]", defaults.join(","));
    }
    text.push('\n');
    for value in argument.get_possible_values().iter().filter(|_| argument.get_action().takes_values()) {
        let help = value.get_help().map(|help| format!(": {}", in_text(&help.to_string()))).unwrap_or_default();
        text += &format!("  - `{}`{help}\n", value.get_name());
    }
    text
}

/// How an argument is written: `-q, --quiet`, `--memory SIZE`, `FOLDER`.
fn form(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().iter().map(|name| name.to_string());
    let values = values.collect::<Vec<_>>().join(" ");
    if argument.is_positional() {
        return values;
    }
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let long = argument.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    let values = if argument.get_action().takes_values() { format!(" {values}") } else { String::new() };
    format!("{short}{long}{values}")
}

fn about(command: &Command) -> String {
    in_text(&command.get_about().map(ToString::to_string).unwrap_or_default())
}

/// The help is plain text but for its code spans: elsewhere, what Markdown would take for a tag or emphasis is none.
fn in_text(help: &str) -> String {
    let parts = help.split('`').enumerate();
    let escaped = |(number, part): (usize, &str)| match number % 2 {
        0 => part.replace('<', "\\<").replace('*', "\\*").replace('_', "\\_"),
        _ => part.to_owned(),
    };
    parts.map(escaped).collect::<Vec<_>>().join("`")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// As mdBook makes it of a heading.
fn anchor(name: &str) -> String {
    name.replace(' ', "-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_code_keeps_its_stars() {
        assert_eq!(super::in_text("as '*Recover*' in `a*b`, <x>"), "as '\\*Recover\\*' in `a*b`, \\<x>");
    }
}
