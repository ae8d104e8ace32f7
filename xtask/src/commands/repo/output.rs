//! What the commands say, for people.

use foundation::bytes::ByteSize;
use foundation::date::text as date_text;
use repository::{
    Added, Listing, Pruned, PrunedSnapshot, Publication, Removed, Repository, RepositoryStatus, Served, ServedSuite,
    Sound,
};

/// What `repo add` has taken from each folder, for people.
pub fn added(added: &[Added]) -> String {
    let mut text = String::new();
    for added in added {
        for package in &added.new {
            text += &format!("{}  {:<10}  {}\n", added.codename, package.component, package.path);
        }
        let known = if added.known == 0 { String::new() } else { format!(", {} were there already", added.known) };
        text += &format!("{}: {} new packages for {}{known}\n", added.dist.display(), added.new.len(), added.codename);
    }
    text
}

/// What clients of each suite see now, for people.
pub fn published(published: &[Publication]) -> String {
    let mut text = String::new();
    for Publication { snapshot, added, removed, unchanged, dropped } in published {
        let (codename, number) = (&snapshot.codename, snapshot.number);
        for package in dropped {
            let (name, version, architecture) = (&package.name, &package.version, &package.architecture);
            text += &format!("{codename}  not kept by the suite's rule: {name} {version} {architecture}\n");
        }
        if *unchanged {
            text += &format!("{codename}: nothing to publish, snapshot {number} has everything\n");
            continue;
        }
        text += &format!(
            "{codename}: snapshot {number} ({}) with {} packages, {added} new, {removed} gone; valid until {}\n",
            snapshot.made,
            snapshot.packages.len(),
            date_text(snapshot.valid_until)
        );
    }
    text
}

/// What was taken out of a suite, for people.
pub fn removed(codename: &str, removed: &Removed) -> String {
    let mut text = String::new();
    for (packages, what) in [(&removed.packages, "removed"), (&removed.unpublished, "removed before it was published")]
    {
        for package in packages {
            let (name, version) = (&package.name, &package.version);
            text += &format!("{codename}  {what}: {name} {version} {}  {}\n", package.architecture, package.path);
        }
    }
    if let Some(publication) = &removed.published {
        text += &published(std::slice::from_ref(publication));
        text += "files that snapshots have stay in the pool: `repo rollback` brings them back to clients\n";
    }
    text
}

/// The keys that sign, and what clients install, for people.
pub fn keys(repository: &Repository) -> String {
    let (keys, keyring) = (repository.keys(), repository.settings().keyring());
    let mut text = String::new();
    for key in &keys.signing {
        text += &format!("signed by {} {}\n", key.fingerprint, key.user_id);
    }
    if let Some(key) = &keys.stand_by {
        text += &format!("stands by {} {}\n", key.fingerprint, key.user_id);
    }
    text + &format!("clients install {keyring}.deb (version {}) and a .sources file from its top\n", keys.version)
}

/// The suites of a repository with their snapshots, as a table for people.
pub fn listing(listing: &Listing) -> String {
    let mut text = String::new();
    if listing.development {
        text += "UNTRUSTED DEVELOPMENT repository, for trials only\n";
    }
    for (fingerprint, user_id) in &listing.keys {
        text += &format!("signed by {fingerprint} {user_id}\n");
    }
    for (codename, suite) in &listing.suites {
        text += &format!("\n{codename:<10}  {:<31}  {:<12}  {:>8}  valid until\n", "date", "by", "packages");
        for snapshot in &suite.snapshots {
            let live = if suite.live == Some(snapshot.number) { "live" } else { "" };
            let line = format!(
                "{:>5} {live:<4}  {:<31}  {:<12}  {:>8}  {}",
                snapshot.number,
                date_text(snapshot.date),
                snapshot.made.to_string(),
                snapshot.packages.len(),
                date_text(snapshot.valid_until)
            );
            text += line.trim_end();
            text.push('\n');
        }
        for package in &suite.staged {
            text +=
                &format!("      not published yet: {} {} {}\n", package.name, package.version, package.architecture);
        }
    }
    text
}

/// What ends when in a repository, for people. What needs a hand is told as an error.
pub fn status(status: &RepositoryStatus) -> String {
    let left = |time: i64| match (time - status.now).div_euclid(86_400) {
        days @ ..0 => format!("{} days ago", -days),
        days => format!("in {days} days"),
    };
    let mut text = String::new();
    for (codename, suite) in &status.suites {
        let staged = if suite.staged == 0 { String::new() } else { format!(", {} waiting", suite.staged) };
        text += &match &suite.live {
            Some(live) => format!(
                "{codename:<10}  snapshot {} of {} with {} packages, valid until {} ({}){staged}\n",
                live.number,
                suite.snapshots,
                live.packages,
                date_text(live.valid_until),
                left(live.valid_until)
            ),
            None => format!("{codename:<10}  never published{staged}\n"),
        };
        let earlier = suite.keyrings.iter().filter(|version| **version != status.keyring);
        for version in earlier {
            text += &format!("{:<10}  clients may still have the keyring package {version}\n", "");
        }
    }
    for key in &status.keys {
        let signs = if key.signs { "signs" } else { "does not sign" };
        let ends = match (key.revoked, &key.refused) {
            (true, _) => "revoked".to_owned(),
            (_, None) => "no end".to_owned(),
            (_, Some(objection)) if objection.from == 0 => objection.why.clone(),
            (_, Some(objection)) => {
                format!("{} {} ({})", objection.why, date_text(objection.from), left(objection.from))
            }
        };
        text += &format!("key         {} {}, {signs}, {ends}\n", key.fingerprint, key.user_id);
    }
    text += &format!("keyring     version {}\n", status.keyring);
    if let Some(ready) = status.rotation_ready {
        text += &format!(
            "two keys    the older one may go from {} on: `cargo xtask repo rotate-key --finish`\n",
            date_text(ready)
        );
    }
    text += &match &status.stand_by {
        None => String::new(),
        Some(key) => {
            let ready = match key.ready {
                Some(ready) if ready <= status.now => "can take over".to_owned(),
                Some(ready) => format!("can take over from {} on ({})", date_text(ready), left(ready)),
                None => "is not with all clients yet: `cargo xtask repo refresh` brings it".to_owned(),
            };
            format!("stands by   {} {}, {ready}\n", key.fingerprint, key.user_id)
        }
    };
    text + &format!(
        "size        {} packages, {}; {} indices, {}\n",
        status.pool.files,
        ByteSize(status.pool.bytes),
        status.indices.files,
        ByteSize(status.indices.bytes)
    )
}

/// What was checked and found right, for people.
pub fn sound(sound: &Sound) -> String {
    let Sound { snapshots, packages, bytes, indices, keys } = sound;
    let mut text = format!(
        "ok  signatures  {snapshots} snapshots\nok  indices     {indices} files, and they say what the packages say\n\
         ok  packages    {packages} files, {}, and no other\n",
        ByteSize(*bytes)
    );
    for (fingerprint, user_id) in keys {
        text += &format!("    signed by   {fingerprint} {user_id}\n");
    }
    text
}

/// What clients get from a web server, for people.
pub fn served(served: &Served) -> String {
    let Served { suites, indices, packages, bytes } = served;
    let suite = |(name, suite): (&String, &ServedSuite)| {
        format!("ok  {name:<10}  of {}, valid until {}\n", date_text(suite.date), date_text(suite.valid_until))
    };
    let mut text: String = suites.iter().map(suite).collect();
    text += &format!("ok  indices     {indices} files, by digest and by name\n");
    match packages {
        0 => text,
        _ => text + &format!("ok  packages    {packages} files, {}\n", ByteSize(*bytes)),
    }
}

/// What was removed and what was kept, for people.
pub fn pruned(pruned: &Pruned) -> String {
    let mut text: String = pruned
        .snapshots
        .iter()
        .map(|PrunedSnapshot { codename, number, .. }| format!("removed snapshot {number} of {codename}\n"))
        .collect();
    for PrunedSnapshot { codename, number, valid_until } in &pruned.held {
        let until = date_text(*valid_until);
        text += &format!("kept snapshot {number} of {codename}: clients may ask for what it names until {until}\n");
    }
    text += &format!("removed {} snapshots and {} files that only they had\n", pruned.snapshots.len(), pruned.files);
    text
}
