//! `cargo xtask completions`: what a shell needs to complete the tool's commands and options.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::aot;
use foundation::failure::AnyFailure;

use crate::Cli;
use crate::say::{self, Stream};

/// The arguments of `cargo xtask completions`.
#[derive(Args)]
pub struct Arguments {
    /// The shell; the first lines of what is printed say where it belongs
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// The shells for which there is a way from `cargo` to `cargo xtask`.
#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The name under which clap's own script completes.
const NAME: &str = "xtask";

/// Bash has one function for `cargo`, rustup's where that is installed: ours goes in front of it.
const BASH: &str = r#"# For bash: cargo xtask completions bash >>~/.bash_completion, or `source` it.

_cargo_before_xtask=$(complete -p cargo 2>/dev/null | sed -n 's/.*-F \([^ ]*\) .*/\1/p')
_cargo_or_xtask() {
    if [[ "${COMP_WORDS[1]}" == xtask && $COMP_CWORD -gt 1 ]]; then
        COMP_WORDS=("${COMP_WORDS[@]:1}")
        COMP_CWORD=$((COMP_CWORD - 1))
        _xtask xtask "$2" "$3"
    elif [[ -n "$_cargo_before_xtask" && "$_cargo_before_xtask" != _cargo_or_xtask ]]; then
        "$_cargo_before_xtask" "$@"
    fi
}
complete -F _cargo_or_xtask -o bashdefault -o default cargo

"#;

/// Zsh's function for `cargo` calls `_cargo-NAME` for a command that is not its own.
const ZSH: &str = "\n_cargo-xtask() { _xtask \"$@\" }\n";

/// Fish asks for what would complete the same line without `cargo`.
const FISH: &str = r#"# For fish: cargo xtask completions fish >~/.config/fish/completions/xtask.fish, and `source` that in config.fish.

function __fish_complete_cargo_xtask
    set --local words (commandline --tokens-expanded --cut-at-cursor)
    complete --do-complete (string join ' ' -- $words[2..] (commandline --current-token --cut-at-cursor))
end
complete --command cargo --condition '__fish_seen_subcommand_from xtask' --no-files --arguments '(__fish_complete_cargo_xtask)'

"#;

/// Prints the script for a shell.
///
/// # Errors
/// Does not fail: what could not be printed is told at the end of the program.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    say::write(Stream::Output, script(arguments.shell).as_bytes());
    Ok(())
}

fn script(shell: Shell) -> String {
    let generated = |shell: aot::Shell| {
        let mut command = Cli::command().name(NAME).bin_name(NAME);
        let mut script = Vec::new();
        aot::generate(shell, &mut command, NAME, &mut script);
        String::from_utf8(script).expect("clap's definitions are text")
    };
    match shell {
        Shell::Bash => BASH.to_owned() + &generated(aot::Shell::Bash),
        // Its first line has to be `#compdef`.
        Shell::Zsh => generated(aot::Shell::Zsh) + ZSH,
        Shell::Fish => FISH.to_owned() + &generated(aot::Shell::Fish),
    }
}
