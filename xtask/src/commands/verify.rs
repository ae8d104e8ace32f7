//! `cargo xtask verify`: checks a folder of packages offline, as anybody can who has the public key.

use std::path::PathBuf;

use clap::Args;
use foundation::failure::AnyFailure;
use recipe::target::TargetName;
use sign::signer::DEVELOPMENT_NAME;
use statements::check::statement::TestResult;
use statements::verify::{self, Verified};

use crate::commands::package::default_dist;
use crate::defaults::DEFAULTS;
use crate::terminal::print_json;

/// The arguments of `cargo xtask verify`.
#[derive(Args)]
pub struct Arguments {
    /// The folder; the default is where `package` puts them
    #[arg(value_name = "DIST")]
    dist: Option<PathBuf>,
    /// Public keys to trust, binary; the default is the folder's own key.gpg
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Print it as JSON on one line
    #[arg(long)]
    json: bool,
}

/// Checks the folder, and prints what was found.
///
/// # Errors
/// Something in the folder is not what was signed, or is signed by nobody whom the keys name.
pub fn run(arguments: Arguments) -> Result<(), AnyFailure> {
    let dist = arguments.dist.unwrap_or_else(|| {
        let target: TargetName = DEFAULTS.target.parse().expect("a test reads it");
        default_dist(&DEFAULTS.recipe, &target.file_stem())
    });
    let keyring = arguments.keyring.unwrap_or_else(|| {
        eprintln!(
            "warning: the key is the folder's own. That proves that nothing was damaged, not who signed it: whoever replaces \
             the packages can replace the key. Name a key that you trust with --keyring FILE"
        );
        dist.join("key.gpg")
    });
    let verified = verify::verify(&dist, &keyring)?;
    if arguments.json {
        print_json(&verified.summary());
    } else {
        print!("{}", text(&verified));
    }
    for key in verified.keys.iter().filter(|key| key.user_id.starts_with(DEVELOPMENT_NAME)) {
        eprintln!("warning: {} is a development key, which says nothing about who built the packages", key.fingerprint);
    }
    if verified.tests.as_ref().is_some_and(|tests| tests.result == TestResult::Failed) {
        eprintln!(
            "warning: the signatures are good, and what is signed is that upstream's tests FAILED on these packages"
        );
    }
    Ok(())
}

/// What was found in a folder of packages, as a table for people.
pub fn text(verified: &Verified) -> String {
    let Verified { files, packages, signed, provenance, bills, tests, keys, digests: _ } = verified;
    let mut text = format!("ok  digests     {files} files as listed, {} packages and no other\n", packages.len());
    for name in signed {
        text += &format!("ok  signature   {}\n", name.display());
    }
    text += &match provenance {
        Some(provenance) => {
            let dependencies = &provenance.build_definition.resolved_dependencies;
            format!("ok  provenance  of these packages, built from {} inputs\n", dependencies.len())
        }
        None => "--  provenance  nothing is said about these packages\n".to_owned(),
    };
    text += &match bills {
        0 => "--  materials   nothing is said about these packages\n".to_owned(),
        bills => format!("ok  materials   a bill for each of {bills} packages\n"),
    };
    text += &match tests {
        Some(tests) => format!(
            "ok  tests       {}: {} passed, {} with a warning, {} failed\n",
            tests.result,
            tests.passed_tests.len(),
            tests.warned_tests.len(),
            tests.failed_tests.len()
        ),
        None => "--  tests       nothing is said about these packages\n".to_owned(),
    };
    for key in keys {
        text += &format!("    signed by   {} {}\n", key.fingerprint, key.user_id);
        if key.primary != key.fingerprint {
            text += &format!("    subkey of   {}\n", key.primary);
        }
    }
    text
}
