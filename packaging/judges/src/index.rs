//! What the programs that read an index on clients say of a finished one, before anybody sees it: dpkg, apt, and dose-debcheck, which
//! tells whether packages can be installed. One package that apt cannot read stops apt for all packages of the machine.
//!
//! None of them is required, since repositories are kept on machines of all kinds: those that are installed are asked, and the
//! rules of our own ([`super::rules`], and those here) hold everywhere. A publication may not make anything worse: what is wrong
//! with packages that clients have already does not keep a better one from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use apt::Indexed;
use deb::control::Paragraph;
use fetch::debian::version;

use super::relations::{self, Offers};

/// Something that a judge has against a package of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objection {
    /// The package's path in the pool; empty where it is the index as a whole.
    path: String,
    /// The program that objects, such as `dpkg`.
    judge: &'static str,
    /// What the program says, in one line.
    says: String,
}

impl std::fmt::Display for Objection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("the finished index");
        write!(f, "{name}: {} says: {}", self.judge, self.says)
    }
}

/// The name of our own rules.
const OWN: &str = "this tool";

/// A package with its control file's fields.
#[derive(Clone)]
struct Package<'a> {
    indexed: &'a Indexed,
    fields: Paragraph,
}

impl Package<'_> {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    /// Its path in the pool.
    fn path(&self) -> &str {
        &self.indexed.0.path
    }

    fn name(&self) -> &str {
        self.field("Package")
    }

    fn version(&self) -> &str {
        self.field("Version")
    }

    fn file_name(&self) -> &str {
        self.path().rsplit('/').next().unwrap_or_default()
    }
}

/// What is wrong with the index of these packages that was not wrong before. The programs work in a folder below `temporary`.
///
/// # Errors
/// A file of the folders that the programs work in cannot be written, or a program that is installed cannot be run.
/// That a program is not installed is no error: it is not asked.
pub fn worse(
    temporary: &Path,
    architectures: &[String],
    before: &[Indexed],
    after: &[Indexed],
) -> io::Result<Vec<Objection>> {
    // The names that the repository has something for, now or then.
    let (before_fields, after_fields) = (fields(before), fields(after));
    let all = before_fields.iter().chain(&after_fields).map(|package| &package.fields);
    let known: BTreeSet<String> = Offers::of(all).names().cloned().collect();
    let found = objections(temporary, architectures, after, &known)?;
    if found.is_empty() {
        return Ok(vec![]);
    }
    let known = objections(temporary, architectures, before, &known)?;
    let before = |objection: &Objection| {
        known.iter().any(|known| (&known.path, known.judge) == (&objection.path, objection.judge))
    };
    Ok(found.into_iter().filter(|objection| !before(objection)).collect())
}

fn fields(packages: &[Indexed]) -> Vec<Package<'_>> {
    let read = |indexed: &Indexed| Paragraph::parse(&indexed.1.control).unwrap_or_default();
    packages.iter().map(|indexed| Package { indexed, fields: read(indexed) }).collect()
}

fn objections(
    temporary: &Path,
    architectures: &[String],
    packages: &[Indexed],
    known: &BTreeSet<String>,
) -> io::Result<Vec<Objection>> {
    let mut found = BTreeSet::new();
    for architecture in architectures {
        let mine = |package: &Package<'_>| [architecture.as_str(), "all"].contains(&package.field("Architecture"));
        let packages: Vec<Package<'_>> = fields(packages).into_iter().filter(mine).collect();
        found.extend(twice(&packages));
        found.extend(overlaps(&packages));
        found.extend(unmet(&packages, known));
        let top = tempfile::TempDir::new_in(temporary)?;
        let place = Place { top: top.path(), architecture };
        found.extend(until_clean("dpkg", &packages, |packages| place.dpkg(packages))?);
        found.extend(until_clean("apt", &packages, |packages| place.apt(packages))?);
        found.extend(until_clean("dose-debcheck", &packages, |packages| place.dose(packages, known))?);
    }
    Ok(found.into_iter().collect())
}

/// A package twice, so that it depends on chance which one a client gets.
fn twice(packages: &[Package<'_>]) -> Vec<Objection> {
    let mut sorted: Vec<&Package<'_>> = packages.iter().collect();
    let order = |a: &Package<'_>, b: &Package<'_>| {
        a.name().cmp(b.name()).then_with(|| version::compare(a.version(), b.version()))
    };
    sorted.sort_by(|a, b| order(a, b));
    let same = sorted.windows(2).filter(|pair| order(pair[0], pair[1]).is_eq());
    let objection = |pair: &[&Package<'_>]| Objection {
        path: pair[1].path().to_owned(),
        judge: OWN,
        says: format!(
            "for clients it is the same version as {} in the component {}",
            pair[0].file_name(),
            pair[0].indexed.0.component
        ),
    };
    same.map(objection).collect()
}

/// Files that two packages have, so that dpkg refuses to unpack the second one. Only the newest versions count: between older
/// ones, files may have moved.
fn overlaps(packages: &[Package<'_>]) -> Vec<Objection> {
    let mut newest: BTreeMap<&str, &Package<'_>> = BTreeMap::new();
    for package in packages {
        let held = newest.entry(package.name()).or_insert(package);
        if version::compare(held.version(), package.version()).is_lt() {
            *held = package;
        }
    }
    let names = |package: &Package<'_>, other: &Package<'_>| {
        ["Conflicts", "Breaks", "Replaces"].iter().any(|field| {
            let groups = relations::parse(field, package.fields.get(field).unwrap_or_default()).unwrap_or_default();
            groups.into_iter().flatten().any(|one| one.is_met_by(&other.fields))
        })
    };
    let mut owners: BTreeMap<&str, &Package<'_>> = BTreeMap::new();
    let mut found = Vec::new();
    for package in newest.values() {
        for file in &package.indexed.1.files {
            let Some(other) = owners.insert(file, package) else { continue };
            if other.name() != package.name() && !names(package, other) && !names(other, package) {
                let says = format!(
                    "it has the file {file}, which {} has as well, and neither replaces the other or conflicts with it",
                    other.file_name()
                );
                found.push(Objection { path: package.path().to_owned(), judge: OWN, says });
            }
        }
    }
    found
}

/// What packages need that only this repository could have, and does not.
fn unmet(packages: &[Package<'_>], known: &BTreeSet<String>) -> Vec<Objection> {
    let offers = Offers::of(packages.iter().map(|package| &package.fields));
    let mut found = Vec::new();
    for package in packages {
        for group in relations::needed(&package.fields) {
            if group.iter().all(|one| known.contains(&one.name)) && !offers.meet(&group) {
                let says = format!("it needs {}, which the suite does not have", relations::text(&group));
                found.push(Objection { path: package.path().to_owned(), judge: OWN, says });
            }
        }
    }
    found
}

/// Most readers stop at the first thing that they cannot read: what they have found is left out, until they find no more.
fn until_clean(
    judge: &'static str,
    packages: &[Package<'_>],
    ask: impl Fn(&[Package<'_>]) -> io::Result<Vec<(Option<usize>, String)>>,
) -> io::Result<Vec<Objection>> {
    let mut rest = packages.to_vec();
    let mut found = Vec::new();
    loop {
        let said = ask(&rest)?;
        let path = |at: &Option<usize>| at.map_or_else(String::new, |at| rest[at].path().to_owned());
        found.extend(said.iter().map(|(at, says)| Objection { path: path(at), judge, says: says.clone() }));
        let named: BTreeSet<usize> = said.into_iter().filter_map(|(at, _)| at).collect();
        if named.is_empty() {
            return Ok(found);
        }
        let mut at = 0..;
        rest.retain(|_| at.next().is_none_or(|at| !named.contains(&at)));
    }
}

/// Where the judges work: nothing of this machine's own packages is known there.
struct Place<'a> {
    top: &'a Path,
    architecture: &'a str,
}

impl Place<'_> {
    /// Writes the index, and tells on which line each package ends.
    fn index(&self, packages: &[Package<'_>]) -> io::Result<Vec<usize>> {
        let (mut text, mut ends, mut line) = (String::new(), Vec::new(), 0);
        for package in packages {
            let (listed, described) = package.indexed;
            let paragraph = described.paragraph(&listed.path, &listed.sha256);
            line += paragraph.lines().count();
            ends.push(line);
            text += &paragraph;
        }
        fs::write(self.top.join("Packages"), text)?;
        Ok(ends)
    }

    /// Runs a program there; `None` where it is not installed. Returns its exit code and all that it said.
    fn run(&self, command: &mut Command) -> io::Result<Option<(Option<i32>, String)>> {
        // Of whoever runs this, nothing counts.
        for name in ["DPKG_FORCE", "DPKG_COLORS", "DPKG_ROOT"] {
            command.env_remove(name);
        }
        command.current_dir(self.top).env("LC_ALL", "C").env("HOME", self.top).stdin(std::process::Stdio::null());
        match command.output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(output) => {
                let text =
                    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
                Ok(Some((output.status.code(), text)))
            }
        }
    }

    /// `dpkg --update-avail` reads an index as it reads what it is to install (dpkg(1)).
    fn dpkg(&self, packages: &[Package<'_>]) -> io::Result<Vec<(Option<usize>, String)>> {
        let ends = self.index(packages)?;
        for folder in ["admin/updates", "admin/info"] {
            fs::create_dir_all(self.top.join(folder))?;
        }
        for file in ["admin/status", "admin/available"] {
            fs::write(self.top.join(file), "")?;
        }
        let mut command = Command::new("dpkg");
        command.args(["--admindir=admin", "--update-avail", "Packages"]);
        let Some((code, said)) = self.run(&mut command)? else { return Ok(vec![]) };
        let mut found: Vec<(Option<usize>, String)> = Vec::new();
        for line in said.lines() {
            match (line.strip_prefix(' '), found.last_mut()) {
                (Some(more), Some((_, says))) if says.is_empty() => more.trim().clone_into(says),
                (Some(more), Some((_, says))) => *says += &format!(" {}", more.trim()),
                _ => {
                    let Some((_, rest)) = line.split_once(" near line ") else { continue };
                    let line: usize = rest.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
                    let at = ends.iter().position(|end| line <= *end);
                    let says = rest.split_once(": ").map_or("", |(_, says)| says);
                    found.push((at, says.to_owned()));
                }
            }
        }
        if code != Some(0) && found.is_empty() {
            found.push((None, one_line(&said)));
        }
        Ok(found)
    }

    /// apt makes its cache of an index (apt-cache(8)).
    fn apt(&self, packages: &[Package<'_>]) -> io::Result<Vec<(Option<usize>, String)>> {
        self.index(packages)?;
        for folder in ["etc/sources.list.d", "etc/preferences.d", "lists/partial"] {
            fs::create_dir_all(self.top.join(folder))?;
        }
        for file in ["etc/sources.list", "etc/preferences"] {
            fs::write(self.top.join(file), "")?;
        }
        let (top, architecture) = (self.top.display(), self.architecture);
        let configuration = format!(
            "Dir \"{top}\";\nDir::Etc \"{top}/etc\";\nDir::Etc::main \"/dev/null\";\nDir::Etc::parts \"/dev/null\";\nDir::State::lists \"{top}/lists\";\n\
             Dir::State::status \"{top}/Packages\";\nDir::Cache \"{top}\";\nDir::Cache::pkgcache \"\";\nDir::Cache::srcpkgcache \"\";\n\
             APT::Architecture \"{architecture}\";\nAPT::Architectures {{ \"{architecture}\"; }};\n"
        );
        fs::write(self.top.join("apt.conf"), configuration)?;
        let mut command = Command::new("apt-cache");
        command.arg("stats").env("APT_CONFIG", self.top.join("apt.conf"));
        let Some((code, said)) = self.run(&mut command)? else { return Ok(vec![]) };
        let mut found = Vec::new();
        for said in said.lines() {
            let warning = said.strip_prefix("W: ");
            let Some(line) = said.strip_prefix("E: ").or(warning) else { continue };
            let words: Vec<&str> =
                line.split([' ', '\'', '=']).map(|word| word.split(':').next().unwrap_or_default()).collect();
            let of = |package: &Package<'_>| words.contains(&package.name());
            match packages.iter().rposition(of) {
                Some(at) => found.push((Some(at), line.to_owned())),
                // What follows the first error says the same of the file as a whole, and other warnings are of this machine.
                None if found.is_empty() && warning.is_none() => found.push((None, line.to_owned())),
                None => {}
            }
        }
        if code != Some(0) && found.is_empty() {
            found.push((None, one_line(&said)));
        }
        Ok(found)
    }

    /// dose-debcheck(1) tells whether each package could be installed. What only the distribution has is taken to be there.
    fn dose(&self, packages: &[Package<'_>], known: &BTreeSet<String>) -> io::Result<Vec<(Option<usize>, String)>> {
        let text: String = packages.iter().map(|package| for_dose(package, known)).collect();
        fs::write(self.top.join("Dose"), text)?;
        let mut command = Command::new("dose-debcheck");
        command.args(["--failures", "--explain"]).arg(format!("--deb-native-arch={}", self.architecture)).arg("Dose");
        let Some((code, said)) = self.run(&mut command)? else { return Ok(vec![]) };
        let named = |name: &str, version: &str| {
            packages.iter().position(|package| package.name() == name && package.version() == version)
        };
        if let Some((_, rest)) = said.split_once("Parser Error in Package (") {
            let (name, says) = rest.split_once(')').unwrap_or((rest, ""));
            let mut words = name.split(',');
            let at = words.next().zip(words.next()).and_then(|(name, version)| named(name, version));
            return Ok(vec![(at, one_line(says))]);
        }
        if !matches!(code, Some(0 | 1)) {
            return Ok(vec![(None, one_line(&said))]);
        }
        let mut found = Vec::new();
        for report in said.split("\n -\n").skip(1) {
            let field = |name: &str| report.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
            let at = field("package").zip(field("version")).and_then(|(name, version)| named(name, version));
            let needs =
                field("unsat-dependency").map(|what| format!("it cannot be installed, since nothing is {what}"));
            let conflicts = field("unsat-conflict")
                .map(|what| format!("it cannot be installed, since it needs and excludes {what}"));
            let says = needs.or(conflicts).unwrap_or_else(|| "it cannot be installed".to_owned());
            found.push((at, says));
        }
        // All of them at once: without them, those that need them would be found as well.
        let broken = found.into_iter().filter(|(at, _)| at.is_some()).collect::<Vec<_>>();
        Ok(broken)
    }
}

/// A package's paragraph, without what it needs of the distribution.
fn for_dose(package: &Package<'_>, known: &BTreeSet<String>) -> String {
    let mut fields = package.fields.clone();
    for name in relations::NEEDED {
        // What cannot be read is for the judge to read.
        let Ok(groups) = relations::parse(name, fields.get(name).unwrap_or_default()) else { continue };
        let ours = groups.iter().filter(|group| group.iter().all(|one| known.contains(&one.name)));
        let text = ours.map(|group| relations::text(group)).collect::<Vec<_>>().join(", ");
        fields.set(name, text);
    }
    format!("{}\n", fields.render())
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What apt-ftparchive(1), apt's reader of packages, says of .debs: each that it cannot read, by its place among them, in order.
/// Nothing where it is not installed. It is asked about all of them at once, and again about those alone that something is wrong with.
///
/// # Errors
/// A file for the program cannot be written, or it is installed and cannot be run.
pub fn of_files(debs: &[&Path]) -> io::Result<Vec<(usize, String)>> {
    let folder = tempfile::tempdir()?;
    for (at, deb) in debs.iter().enumerate() {
        symlink(std::path::absolute(deb)?, folder.path().join(format!("{at}.deb")))?;
    }
    let Some((index, said)) = ftparchive(folder.path())? else { return Ok(vec![]) };
    let name = |line: &str| -> Option<usize> { line.rsplit('/').next()?.split('.').next()?.parse().ok() };
    let read: BTreeSet<usize> = index.lines().filter_map(|line| name(line.strip_prefix("Filename: ")?)).collect();
    let named: BTreeSet<usize> = said.iter().filter_map(|line| name(line.strip_prefix(APPLIES)?)).collect();
    let mut doubtful: Vec<usize> = (0..debs.len()).filter(|at| !read.contains(at) || named.contains(at)).collect();
    if doubtful.is_empty() && !said.is_empty() {
        doubtful = (0..debs.len()).collect();
    }
    let mut found = Vec::new();
    for at in doubtful {
        let Some((index, said)) = ftparchive(debs[at])? else { return Ok(vec![]) };
        if !said.is_empty() {
            found.push((at, said.join("; ")));
        } else if index.is_empty() {
            found.push((at, "it finds no package in it".to_owned()));
        }
    }
    Ok(found)
}

/// How apt-ftparchive ends what it says of a file.
const APPLIES: &str = "Errors apply to file '";

/// The index that apt-ftparchive makes of a .deb, or of all in a folder, and its errors.
fn ftparchive(of: &Path) -> io::Result<Option<(String, Vec<String>)>> {
    // Nothing of this machine's own configuration.
    let configuration = tempfile::NamedTempFile::new()?;
    fs::write(configuration.path(), "Dir::Etc::main \"/dev/null\";\nDir::Etc::parts \"/dev/null\";\n")?;
    let mut command = Command::new("apt-ftparchive");
    command.env("LC_ALL", "C").env("APT_CONFIG", configuration.path()).stdin(std::process::Stdio::null());
    for digest in ["MD5", "SHA1", "SHA256", "SHA512"] {
        command.arg("-o").arg(format!("APT::FTPArchive::{digest}=false"));
    }
    let output = match command.arg("packages").arg(of).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().filter_map(|line| line.strip_prefix("E: ")).map(str::to_owned).collect();
    Ok(Some((String::from_utf8_lossy(&output.stdout).into_owned(), said)))
}

#[cfg(test)]
mod tests {
    use apt::described::Described;
    use apt::listed::Listed;
    use foundation::digest::Digest;

    use super::*;

    fn package(control: &str, files: &[&str]) -> Indexed {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        let described = Described::new(control, 7, files).unwrap();
        let listed = Listed {
            name: described.name.clone(),
            version: described.version.clone(),
            architecture: described.architecture.clone(),
            component: "main".into(),
            path: described.pool_path("main"),
            size: 7,
            sha256: Digest::of(control),
        };
        (listed, described)
    }

    fn control(name: &str, version: &str, more: &str) -> String {
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: A <a@example.org>\n{more}Description: a\n"
        )
    }

    #[test]
    fn packages_are_judged_beside_each_other() {
        let a = package(&control("aa", "1.0-1", "Depends: libc6, bb (= 1.0-1)\n"), &["usr/share/x"]);
        let b = package(&control("bb", "1.0-1", ""), &["usr/share/y"]);
        let judged = |packages: &[Indexed]| -> Vec<String> {
            let packages = fields(packages);
            let known = ["aa", "bb"].map(str::to_owned).into();
            let found = [twice(&packages), overlaps(&packages), unmet(&packages, &known)].concat();
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(judged(&[a.clone(), b.clone()]), [""; 0]);
        assert_eq!(
            judged(std::slice::from_ref(&a)),
            ["aa_1.0-1_all.deb: this tool says: it needs bb (= 1.0-1), which the suite does not have"]
        );
        let again = package(&control("bb", "1.00-1", ""), &[]);
        assert_eq!(
            judged(&[b.clone(), again]),
            [
                "bb_1.00-1_all.deb: this tool says: for clients it is the same version as bb_1.0-1_all.deb in the component main"
            ]
        );
        let other = |more: &str| package(&control("cc", "1.0-1", more), &["usr/share/y"]);
        let found = judged(&[b.clone(), other("")]);
        assert!(found[0].contains("it has the file usr/share/y, which bb_1.0-1_all.deb has as well"), "{found:?}");
        assert_eq!(judged(&[b.clone(), other("Replaces: bb\n")]), [""; 0]);
        assert_eq!(judged(&[b.clone(), other("Replaces: bb (<< 1.0)\n")]).len(), 1);
        // It has left its file to another package since.
        let later = package(&control("bb", "1.1-1", ""), &[]);
        assert_eq!(judged(&[b, later, other("")]), [""; 0]);
    }

    /// Each of the real programs, with what our own rules would refuse before.
    mod host {
        use super::*;

        #[test]
        fn of_many_files_each_that_cannot_be_read_is_named() {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            fs::create_dir_all(path("tree/DEBIAN")).unwrap();
            fs::write(path("tree/DEBIAN/control"), control("aa", "1.0-1", "")).unwrap();
            let make =
                Command::new("dpkg-deb").args(["--build", "tree", "good.deb"]).current_dir(folder.path()).output();
            assert!(make.unwrap().status.success());
            let whole = fs::read(path("good.deb")).unwrap();
            fs::write(path("none.deb"), "no package").unwrap();
            fs::write(path("cut off.deb"), &whole[..whole.len() / 3]).unwrap();
            let asked = |names: &[&str]| {
                let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
                of_files(&paths.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
            };
            assert_eq!(asked(&["good.deb", "good.deb"]), []);
            let found = asked(&["none.deb", "good.deb", "cut off.deb"]);
            assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 2]);
            assert!(
                found.iter().zip(["/none.deb'", "/cut off.deb'"]).all(|((_, says), name)| says.contains(name)),
                "{found:?}"
            );
        }

        #[test]
        fn each_judge_names_the_package_and_says_why() {
            let folder = tempfile::tempdir().unwrap();
            let place = Place { top: folder.path(), architecture: "amd64" };
            let good = package(&control("good", "1.0-1", "Depends: libc6 (>= 2.36)\n"), &[]);
            let bad = |more: &str| package(&control("bad", "1.0-1", more), &[]);
            let known = || ["good", "bad"].map(str::to_owned).into();
            type Judge = fn(&Place<'_>, &[Package<'_>], &BTreeSet<String>) -> io::Result<Vec<(Option<usize>, String)>>;
            let dpkg: Judge = |place, packages, _| place.dpkg(packages);
            let apt: Judge = |place, packages, _| place.apt(packages);
            let dose: Judge = |place, packages, known| place.dose(packages, known);
            for (judge, more, says) in [
                (dpkg, "Multi-Arch: sometimes\n", "'Multi-Arch' field: has invalid value 'sometimes'"),
                (dpkg, "Depends: good (> 1)\n", "'>' is obsolete"),
                (dpkg, "Conffiles: /etc/x\n", "'Conffiles'"),
                (apt, "Depends: good,, x\n", "Problem parsing dependency"),
                (apt, "Multi-Arch: sometimes\n", "Unknown Multi-Arch type 'sometimes'"),
                (dose, "Depends: good (1.0)\n", "parse error"),
                (dose, "Depends: good (>= 2)\n", "nothing is good:amd64 (>= 2)"),
                (dose, "Depends: good\nConflicts: good\n", "it needs and excludes good"),
            ] {
                let packages = [bad(more), good.clone()];
                let found = judge(&place, &fields(&packages), &known()).unwrap();
                assert!(!found.is_empty(), "{more}");
                for (at, said) in &found {
                    assert_eq!(*at, Some(0), "{said}");
                }
                assert!(found.iter().any(|(_, said)| said.contains(says)), "{says}: {found:?}");
                let clean = std::slice::from_ref(&good);
                assert_eq!(judge(&place, &fields(clean), &known()).unwrap(), [], "{more}");
            }
        }
    }
}
