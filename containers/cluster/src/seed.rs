//! What makes a virtual machine another one than the next, as an archive on a disk of its own: name, keys, networks.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tar::{Builder, Header};
use tokio::process::Command;

use super::Error;
use super::machine::{missing, succeeded};

/// The address of each machine in the network over which the tool talks with it. QEMU gives every machine one of its own.
pub const CONTROL_ADDRESS: &str = "10.0.2.15";
/// The address of the card there.
pub const CONTROL_MAC: &str = "52:54:00:00:00:01";
/// The port there that leads to the node's web interface.
pub const WEB_PORT: u16 = 80;
/// The archive's name in the machine's folder.
pub const FILE: &str = "seed.tar";

/// A machine among those of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its name.
    pub name: String,
    /// Its address in the cluster's network.
    pub address: String,
    /// The address of its card there.
    pub mac: String,
}

/// The machines of a cluster, by their names: addresses are given in order.
pub fn neighbours(names: &[&str]) -> Vec<Neighbour> {
    let one = |(index, name): (usize, &&str)| {
        let number = index + 1;
        Neighbour {
            name: (*name).to_owned(),
            address: format!("10.127.0.{number}"),
            mac: format!("52:54:00:00:01:{number:02x}"),
        }
    };
    names.iter().enumerate().map(one).collect()
}

/// Makes the keys of a cluster in a folder: `key`, with which the tool enters, and `host`, by which machines are known.
///
/// # Errors
/// There is no ssh-keygen, or it fails.
pub async fn make_keys(folder: &Path) -> Result<(), Error> {
    for name in ["key", "host"] {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "cluster", "-f", name]).current_dir(folder);
        let output = keygen.stdin(Stdio::null()).output().await.map_err(|error| missing("ssh-keygen", &error))?;
        succeeded("making a key for ssh", &output)?;
    }
    Ok(())
}

/// Writes into a machine's folder what ssh needs, and the machine's seed. `port` is that of its web interface.
///
/// # Errors
/// A key cannot be read, or the folder cannot be written.
pub fn write(keys: &Path, folder: &Path, all: &[Neighbour], own: &Neighbour, port: u16) -> Result<(), Error> {
    let read = |name: &str| {
        let path = keys.join(name);
        fs::read_to_string(&path).map_err(Error::io("read", &path))
    };
    let copy = keys.join("key");
    // With its permissions: ssh refuses a key that others may read.
    fs::copy(&copy, folder.join("key")).map_err(Error::io("copy", &copy))?;
    let (host, public, key) = (read("host")?, read("host.pub")?, read("key.pub")?);
    let path = folder.join("known_hosts");
    fs::write(&path, format!("machine {public}")).map_err(Error::io("write", &path))?;
    let hosts: String = all.iter().map(|other| format!("{} {}\n", other.address, other.name)).collect();
    // The network is there once the cluster's is.
    let network = |mac: &str, address: &str, needed: &str| {
        format!("[Match]\nMACAddress={mac}\n[Link]\nRequiredForOnline={needed}\n[Network]\nAddress={address}/24\n")
    };
    let files = [
        ("etc/hostname", 0o644, own.name.clone() + "\n"),
        ("etc/hosts", 0o644, format!("127.0.0.1 localhost\n{hosts}")),
        ("etc/machine-web", 0o644, format!("ADDRESS={}\nPORT={port}\n", own.address)),
        ("etc/ssh/ssh_host_ed25519_key", 0o600, host),
        ("etc/ssh/ssh_host_ed25519_key.pub", 0o644, public),
        ("etc/systemd/network/10-control.network", 0o644, network(CONTROL_MAC, CONTROL_ADDRESS, "no")),
        ("etc/systemd/network/20-cluster.network", 0o644, network(&own.mac, &own.address, "yes")),
        ("root/.ssh/authorized_keys", 0o600, key),
    ];
    let path = folder.join(FILE);
    archive(&path, &files).map_err(Error::io("write", &path))
}

fn archive(path: &Path, files: &[(&str, u32, String)]) -> std::io::Result<()> {
    let mut builder = Builder::new(fs::File::create(path)?);
    for (name, mode, text) in files {
        let mut header = Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, name, text.as_bytes())?;
    }
    builder.into_inner()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_seed_has_the_machine_s_own_and_no_secret_that_enters_others() {
        let (keys, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make_keys(keys.path()).await.unwrap();
        let all = neighbours(&["master1", "agent1"]);
        write(keys.path(), folder.path(), &all, &all[1], 5050).unwrap();
        let mut archive = tar::Archive::new(fs::File::open(folder.path().join(FILE)).unwrap());
        let mut found = std::collections::BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
            found.insert(entry.path().unwrap().display().to_string(), text);
        }
        assert_eq!(found["etc/hosts"], "127.0.0.1 localhost\n10.127.0.1 master1\n10.127.0.2 agent1\n");
        assert!(found["etc/systemd/network/20-cluster.network"].contains("10.127.0.2/24"));
        assert!(found["root/.ssh/authorized_keys"].starts_with("ssh-ed25519 "));
        let private = fs::read_to_string(folder.path().join("key")).unwrap();
        assert!(found.values().all(|text| *text != private), "the key that enters stays here");
    }
}
