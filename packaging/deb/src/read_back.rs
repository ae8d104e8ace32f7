//! A finished package is read back, from the file, by the rules by which dpkg-deb(1) and dpkg(1) read it: whatever wrote it,
//! nothing is signed that they would refuse or take for something else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;

use md5::{Digest as _, Md5};
use recipe::control::{self, Relation};
use tar::EntryType;
use xz2::read::XzDecoder;

use crate::archive::DebFile;
use crate::control::{ControlArchive, SCRIPTS};

/// Reads a package from its first byte to its last.
///
/// # Errors
/// What dpkg would refuse.
pub fn check(path: &Path) -> Result<(), String> {
    let unread = |error: io::Error| format!("it cannot be read back: {error}");
    let deb = DebFile::open(path).map_err(unread)?;
    if deb.names() != ["debian-binary", "control.tar.xz", "data.tar.xz"] {
        return Err(format!("its members are {:?}", deb.names()));
    }
    let mut version = String::new();
    deb.read(0).map_err(unread)?.read_to_string(&mut version).map_err(unread)?;
    if version != "2.0\n" {
        return Err(format!("its format is {version:?}"));
    }
    let control = ControlArchive::read(deb.read(1).map_err(unread)?).map_err(unread)?;
    let text = |name: &str| match control.files.get(name) {
        Some(bytes) => std::str::from_utf8(bytes).map_err(|_| format!("its {name} is not UTF-8")),
        None => Ok(""),
    };
    fields(text("control")?)?;
    for name in SCRIPTS {
        if control.files.get(name).is_some_and(|script| !begins_with_interpreter(script)) {
            return Err(format!("its {name} does not begin with #! and an interpreter (policy 6.1)"));
        }
    }
    let files = files(deb.read(2).map_err(unread)?).map_err(unread)?;
    let mut configured = BTreeSet::new();
    for line in text("conffiles")?.lines() {
        let file = line.strip_prefix('/').is_some_and(|path| files.contains_key(path));
        if !file || !configured.insert(line) {
            return Err(format!("its conffiles have '{line}', which is no file in it, or is there twice"));
        }
    }
    let mut sums = BTreeMap::new();
    for line in text("md5sums")?.lines() {
        let (sum, path) = line.split_once("  ").ok_or_else(|| format!("its md5sums have '{line}'"))?;
        sums.insert(path, sum);
    }
    for (path, sum) in &files {
        let listed = sums.remove(path.as_str());
        if listed.is_some_and(|listed| listed != sum) || listed.is_none() && !configured.contains(&*format!("/{path}"))
        {
            return Err(format!("its md5sums have {listed:?} for /{path}, which is {sum}"));
        }
    }
    match sums.keys().next() {
        Some(path) => Err(format!("its md5sums have /{path}, which is no file in it")),
        None => Ok(()),
    }
}

/// Whether the kernel can run a script. A carriage return would be a part of the interpreter's name.
pub fn begins_with_interpreter(script: &[u8]) -> bool {
    let line = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.strip_prefix(b"#!").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"/")) && !line.ends_with(b"\r")
}

/// The one paragraph of a control file, as dpkg parses it.
fn fields(text: &str) -> Result<(), String> {
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    let mut last = None;
    if !text.ends_with('\n') {
        return Err("its control file does not end with a line feed".into());
    }
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix([' ', '\t']) {
            let value = last.and_then(|last| fields.get_mut(last)).ok_or("its control file begins with a space")?;
            if rest.trim().is_empty() {
                return Err("its control file has a line of nothing but spaces".into());
            }
            value.push('\n');
            value.push_str(rest);
            continue;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| format!("its control file has the line '{line}'"))?;
        let good =
            !name.starts_with(['#', '-']) && name.bytes().all(|byte| byte.is_ascii_graphic()) && !name.is_empty();
        if !good || fields.insert(name, value.trim().to_owned()).is_some() {
            return Err(format!("its control file has the field '{name}' twice, or it is no field"));
        }
        last = Some(name);
    }
    judge(&fields)
}

fn judge(fields: &BTreeMap<&str, String>) -> Result<(), String> {
    for name in ["Package", "Version", "Architecture", "Maintainer", "Description"] {
        if fields.get(name).is_none_or(String::is_empty) {
            return Err(format!("it has no {name}"));
        }
    }
    let one_of = |value: &str, all: &[&str]| {
        if all.contains(&value) { Ok(()) } else { Err(format!("is none of {}", all.join(", "))) }
    };
    for (name, value) in fields {
        let good = match *name {
            "Package" => control::package_name(value),
            "Source" => control::package_name(value.split(' ').next().unwrap_or_default()),
            "Version" => control::version(value),
            "Architecture" => control::package_name(value).map_err(|_| "is no architecture".into()),
            "Maintainer" => control::maintainer(value),
            "Homepage" => control::homepage(value),
            "Section" => control::section(value),
            "Priority" => control::priority(value),
            "Installed-Size" => value.parse::<u64>().map(drop).map_err(|_| "is no number".into()),
            "Multi-Arch" => one_of(value, &["same", "foreign", "allowed"]),
            "Description" => described(value),
            "Depends" | "Pre-Depends" | "Recommends" | "Suggests" | "Enhances" => {
                control::relation(value, Relation::Depends)
            }
            "Conflicts" | "Breaks" | "Replaces" => control::relation(value, Relation::Conflicts),
            "Provides" => control::relation(value, Relation::Provides),
            "Auto-Built-Package" | "Build-Ids" => control::one_line(value),
            _ => Err("is a field that no package of this tool has".into()),
        };
        good.map_err(|why| format!("its {name} '{}' {why}", value.escape_debug()))?;
    }
    Ok(())
}

/// Synopsis and further lines, without the space that each of these began with (policy 5.6.13).
fn described(value: &str) -> Result<(), String> {
    let (synopsis, rest) = value.split_once('\n').unwrap_or((value, ""));
    control::synopsis(synopsis)?;
    // An empty line of the text is a full stop alone.
    let rest: Vec<&str> = rest.lines().map(|line| if line == "." { "" } else { line }).collect();
    if rest.is_empty() { Ok(()) } else { control::description(&rest.join("\n")).map_err(|(_, why)| why) }
}

/// The data archive's regular files with their MD5, everything read to its end.
fn files(compressed: impl Read) -> io::Result<BTreeMap<String, String>> {
    let wrong = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
    let (mut files, mut all) = (BTreeMap::new(), BTreeSet::new());
    let mut archive = tar::Archive::new(XzDecoder::new(compressed));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let bytes = entry.path_bytes().into_owned();
        let name = String::from_utf8(bytes).map_err(|_| wrong("a name is not UTF-8".into()))?;
        let kind = entry.header().entry_type();
        let inside = name.strip_prefix("./").map(|inside| inside.trim_end_matches('/').to_owned());
        let inside = inside.filter(|inside| inside.split('/').all(|part| part != ".." && !part.contains('\n')));
        let inside = inside.ok_or_else(|| wrong(format!("the name '{}'", name.escape_debug())))?;
        if !matches!(kind, EntryType::Regular | EntryType::Symlink | EntryType::Directory)
            || !all.insert(inside.clone())
        {
            return Err(wrong(format!("/{inside} is there twice, or is neither file, link nor folder")));
        }
        if kind == EntryType::Regular {
            let mut md5 = Md5::new();
            let mut buffer = vec![0; 1 << 16];
            loop {
                let length = entry.read(&mut buffer)?;
                if length == 0 {
                    break;
                }
                md5.update(&buffer[..length]);
            }
            files.insert(inside, md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    // Up to the compressed stream's own checksum.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use xz2::write::XzEncoder;

    use super::*;
    use crate::archive::create_deb;
    use crate::control::{append, header};

    const CONTROL: &str = "Package: demo\nVersion: 1.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nInstalled-Size: 3\n\
                           Depends: base-files (>= 1) | xx, yy\nSection: net\nPriority: optional\nDescription: small thing\n It is.\n .\n Really.\n";

    const SUM: &str = "b1946ac92492d2347c6235b4d2611184";

    fn write(path: &Path, control: &str, more: &[(&str, &str)], entries: &[(&str, EntryType)]) {
        let mut files = ControlArchive::default();
        files.files.insert("control".into(), control.into());
        for (name, content) in more {
            files.files.insert((*name).into(), (*content).into());
        }
        let control = files.write(7).unwrap();
        let mut archive = tar::Builder::new(XzEncoder::new(Vec::new(), 0));
        for (name, kind) in entries {
            let content: &[u8] = if *kind == EntryType::Regular { b"hello\n" } else { b"" };
            let head = header(*kind, 0o755, content.len() as u64, 7).unwrap();
            append(&mut archive, head, name, "", &mut &content[..]).unwrap();
        }
        let data = archive.into_inner().unwrap().finish().unwrap();
        create_deb(path, 7, |deb| {
            deb.member("debian-binary", 4, &mut &b"2.0\n"[..])?;
            deb.member("control.tar.xz", control.len() as u64, &mut &control[..])?;
            deb.member("data.tar.xz", data.len() as u64, &mut &data[..])
        })
        .unwrap();
    }

    /// Whether dpkg would unpack it, in a database of its own.
    fn dpkg(deb: &Path) -> bool {
        let root = tempfile::tempdir().unwrap();
        let database = root.path().join("var/lib/dpkg");
        for folder in ["info", "updates", "triggers"] {
            std::fs::create_dir_all(database.join(folder)).unwrap();
        }
        std::fs::write(database.join("status"), "").unwrap();
        std::fs::write(database.join("available"), "").unwrap();
        let mut unpack = Command::new("dpkg");
        unpack.env("LC_ALL", "C").arg(format!("--root={}", root.path().display()));
        unpack.args(["--force-not-root", "--no-act", "--unpack"]).arg(deb);
        let output = unpack.output().expect("this test needs the Debian package dpkg");
        output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("warning: parsing")
    }

    #[test]
    fn what_dpkg_refuses_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.deb");
        let plain = [("./", EntryType::Directory), ("./a", EntryType::Regular)];
        let sums = format!("{SUM}  a\n");
        let good = [("md5sums", sums.as_str())];
        write(&path, CONTROL, &good, &plain);
        assert_eq!((check(&path), dpkg(&path)), (Ok(()), true));
        for (from, to, why) in [
            ("(>= 1)", "(>= 1", "has a ( without a )"),
            ("1.0-1", "x:1.0-1", "an epoch that is not a number"),
            ("Version: 1.0-1\n", "", "it has no Version"),
            ("Section: net\n", "Section: net\nSection: net\n", "'Section' twice"),
            ("Package: demo", "Package: -demo", "not a package name"),
            (" .\n", "\n", "has the line ''"),
            ("Priority", "# Priority", "or it is no field"),
            ("xx, yy", "xx yy", "is a comma missing?"),
        ] {
            write(&path, &CONTROL.replace(from, to), &good, &plain);
            let error = check(&path).unwrap_err();
            assert!(error.contains(why), "{error}\n-- should contain: {why}");
            assert!(!dpkg(&path), "dpkg takes {to}");
        }
        // What dpkg does not look at, and others trip over.
        for (from, to, why) in [
            (" Really.", " ..", "begins with a full stop"),
            ("A <a@example.org>", "A", "is not `Name <address>`"),
            ("Section: net", "Section: n e t", "is no section"),
        ] {
            write(&path, &CONTROL.replace(from, to), &good, &plain);
            assert!(check(&path).unwrap_err().contains(why), "{:?}", check(&path));
        }
        for (more, entries, why) in [
            (&[("conffiles", "/b\n"), good[0]][..], &plain[..], "its conffiles have '/b'"),
            (&[("md5sums", "")], &plain, "its md5sums have None for /a"),
            (&[("md5sums", &format!("{SUM}  a\n{SUM}  b\n"))], &plain, "/b, which is no file in it"),
            (&[("postinst", "echo\n"), good[0]], &plain, "its postinst does not begin with #!"),
            (&[("postinst", "#!/bin/sh\r\n"), good[0]], &plain, "its postinst does not begin with #!"),
            (&good, &[plain[1], plain[1]], "is there twice"),
            (&good, &[("./a", EntryType::Link)], "neither file, link nor folder"),
            (&good, &[("/a", EntryType::Regular)], "the name '/a'"),
        ] {
            write(&path, CONTROL, more, entries);
            let error = check(&path).unwrap_err();
            assert!(error.contains(why), "{error}\n-- should contain: {why}");
        }
        // Damaged anywhere.
        write(&path, CONTROL, &good, &plain);
        let bytes = std::fs::read(&path).unwrap();
        let data = DebFile::open(&path).unwrap().members[2].whole();
        for at in (data.start + 60..data.end).step_by(3) {
            let mut bytes = bytes.clone();
            bytes[at as usize] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(check(&path).is_err() || at + 1 == data.end, "byte {at}");
        }
    }
}
