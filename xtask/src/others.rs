//! Results of others, as the user asks for them: where from, and whose word counts.

use std::path::PathBuf;

use clap::Args;
use fetch::debian::mirror::UserConfig;
use fetch::download::Network;
use foundation::failure::{AnyFailure, Kind, Message};
use pipeline::{Accepted, Others};
use results::{KeyRing, Source, Taker};

/// Where results are taken from, and whose statements count.
#[derive(Args, Clone)]
pub struct OtherArguments {
    /// Take what others made from here instead of making it: /FOLDER, HOST:PATH, rsync://HOST/PATH, s3://BUCKET/PATH,
    /// rclone:NAME:PATH or https://HOST/PATH; may be given more than once
    #[arg(long, value_name = "PLACE")]
    from: Vec<Source>,
    /// The key ring (binary) of those whose signed statements about results count, also about what was taken before
    #[arg(long, value_name = "KEYRING")]
    trust: Option<PathBuf>,
    /// How many distinct keys have to state the same result [default: 1; 2 with a key of your own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    require: Option<u32>,
    /// Make everything here, also what was taken from others before
    #[arg(long, conflicts_with_all = ["from", "trust", "require"])]
    no_from: bool,
}

impl OtherArguments {
    /// What was asked for here or in the user's settings. What a release key signs needs two builders, unless somebody says
    /// otherwise.
    ///
    /// # Errors
    /// Nobody is named whose statements count, or the key ring or the settings cannot be used.
    pub fn asked(&self, release: bool, network: Network) -> Result<Others, AnyFailure> {
        if self.no_from {
            return Ok(Others::never());
        }
        let mut config = UserConfig::read()?;
        if network == Network::Offline {
            config.from.retain(|place| place.starts_with('/'));
        }
        let require = self.required(&config, release);
        let accepted = if release { Accepted::Confirmed(require) } else { Accepted::Any(require) };
        Ok(Others::new(self.taker_of(config, release)?, accepted))
    }

    fn required(&self, config: &UserConfig, release: bool) -> u32 {
        self.require.or(config.require).unwrap_or(if release { 2 } else { 1 })
    }

    /// Who asks; nobody where no place is named.
    ///
    /// # Errors
    /// As for [`Self::asked`].
    pub fn taker(&self, release: bool) -> Result<Option<Taker>, AnyFailure> {
        Ok(self.taker_of(UserConfig::read()?, release)?.filter(Taker::asks))
    }

    fn taker_of(&self, config: UserConfig, release: bool) -> Result<Option<Taker>, AnyFailure> {
        let require = self.required(&config, release);
        let file = || UserConfig::path().unwrap_or_default().display().to_string();
        let mut places = self.from.clone();
        if places.is_empty() {
            for text in &config.from {
                let bad = |why| Message::new(format!("{}: from: {why}", file()), Kind::Input.plain());
                places.push(text.parse().map_err(bad)?);
            }
        }
        let keyring = match (&self.trust, config.trust) {
            (Some(path), _) => KeyRing::Named(path.clone()),
            (None, Some(path)) => KeyRing::Configured(path),
            (None, None) if places.is_empty() => return Ok(None),
            (None, None) => {
                let sentence = format!("nobody is named whose word counts about what comes from {}", places[0]);
                let next = "name a key ring with --trust KEYRING, which `gpg --export KEY > KEYRING` writes; of packages it is key.gpg \
                            beside them";
                return Err(Message::new(sentence, Kind::Usage.next(next)).into());
            }
        };
        Ok(Some(Taker::new(places, &keyring, require)?))
    }
}
