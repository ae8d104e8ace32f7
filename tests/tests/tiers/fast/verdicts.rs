//! What others say of upstream's tests is taken in place of running them, if enough of those who are trusted found them sound; whatever is wrong
//! with it is told, and the tests run here. There is no engine, so that a run which has to run them ends with code 4.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::SystemTime;

use fetch::download::Network;
use foundation::digest::Digest;
use foundation::progress::{Event, Progress};
use foundation::store::Store;
use pipeline::check::{self, CheckOptions};
use pipeline::{Options, gather};
use recipe::Recipe;
use results::offer::{Desk, Offering};
use results::{Bundle, Key, Kind, Subject};
use serde_json::{Value, json};
use sign::gpg::Gpg;
use sign::signer::{KeyForm, KeySource, Signer as _};
use tests::{Ran, Workshop, default_target, repository, run, sample_copy};

/// An hour after this began, so that no key is newer than what it signs.
static NOW: LazyLock<i64> = LazyLock::new(|| 3600 + SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64);

/// Ends with this code where the tests have to run here.
const NO_ENGINE: i32 = 4;

/// Who is told nothing.
struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event) {}
}

/// A builder: a store and a key.
struct Builder {
    folder: tempfile::TempDir,
    store: Store,
    gpg: Gpg,
}

impl Builder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Some(&folder.path().join("store"))).unwrap();
        let gpg = Gpg::open(&KeySource::Development { state: folder.path().join("key") }).unwrap();
        Self { folder, store, gpg }
    }

    fn primary(&self) -> &str {
        &self.gpg.key().primary
    }
}

/// A recipe, a place, and a machine that trusts two builders and has nothing but the sources.
struct Room {
    _folder: tempfile::TempDir,
    recipe: PathBuf,
    out: tempfile::TempDir,
    workshop: Workshop,
    run: Digest,
}

impl Room {
    fn new() -> Self {
        let (folder, recipe) = sample_copy();
        let store = Store::open(Some(&folder.path().join("store"))).unwrap();
        let target = default_target();
        let options = Options {
            recipe: Recipe::read(&recipe).unwrap().for_target(&target.name).unwrap(),
            target,
            targets: repository().join("containers/targets"),
            source: None,
            network: Network::Offline,
            mirrors: Vec::new(),
        };
        let inputs = gather(&store, &options, &Silent).unwrap();
        let run = check::key(&inputs, &CheckOptions::default()).unwrap();
        let out = tempfile::tempdir().unwrap();
        fs::create_dir(out.path().join("place")).unwrap();
        Self { _folder: folder, recipe, out, workshop: Workshop::empty(), run }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.out.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Trusts these builders.
    fn trust(&self, builders: &[&Builder]) {
        let keys: Vec<Vec<u8>> = builders.iter().map(|one| one.gpg.public_key(KeyForm::Binary).unwrap()).collect();
        fs::write(self.path("ring.gpg"), keys.concat()).unwrap();
    }

    /// A builder states this verdict, so many seconds after the first.
    fn state(&self, builder: &Builder, verdict: &str, later: i64) {
        let file = builder.folder.path().join("verdict.json");
        fs::write(&file, verdict).unwrap();
        self.state_file(builder, &file, later);
    }

    /// The same of what this file has, whatever it is.
    fn state_file(&self, builder: &Builder, file: &Path, later: i64) {
        let of = Subject { recipe: "sample".into(), target: "t".into(), version: "1".into() };
        let key = Key { kind: Kind::Verdict, inputs: self.run };
        let bundle = Bundle::default().content(file, "verdict.json").unwrap();
        let desk = Desk {
            remote: &self.text("place").parse().unwrap(),
            store: &builder.store,
            lock: &builder.store.try_lock("share").unwrap(),
            signer: &builder.gpg,
            now: *NOW + later,
            break_lock: None,
            again: false,
            threads: 1,
            progress: &Silent,
        };
        desk.offer(&[Offering { key, of, bundle }]).unwrap();
    }

    fn check(&self, more: &[&str]) -> Ran {
        let (recipe, results, dist) = (self.recipe.display().to_string(), self.text("results"), self.text("dist"));
        let arguments = ["check", "--offline", "--recipe", &recipe, "--results", &results, "--dist", &dist];
        let mut command = self.workshop.command(&[&arguments, more].concat());
        run(command.env("DOCKER_HOST", "unix:///no-engine"))
    }

    /// The same with the place and the ring.
    fn check_from(&self, more: &[&str]) -> Ran {
        let (place, ring) = (self.text("place"), self.text("ring.gpg"));
        self.check(&[&["--from", &place, "--trust", &ring], more].concat())
    }

    fn quarantine(&self, test: &str) {
        let target = default_target().name;
        let text = format!(
            "[[quarantine]]\nprogram = \"sample-tests\"\ntest = \"{test}\"\nreason = \"on demand\"\n\
             targets = [\"{target}\"]\nseen = \"here\"\nexpires = \"2999-12-31\"\n"
        );
        fs::write(self.recipe.join("quarantine.toml"), text).unwrap();
    }
}

fn execution(outcome: &Value, output: &str) -> Value {
    json!({ "outcome": outcome, "seconds": 0.5, "alone": false, "output": output })
}

/// A verdict on three tests, one of which ended so.
fn verdict(outcome: &str) -> Value {
    let test = |name: &str, outcome: Value| json!({ "program": "sample-tests", "test": name, "executions": [execution(&outcome, "printed by it\n")] });
    json!({
        "form": 1,
        "tests": [
            test("Json.Parses", json!({ "kind": "passed" })),
            test("Demand.Fails", json!({ "kind": outcome })),
            test("Demand.ROOT_Needs", json!({ "kind": "skipped", "why": "it needs root: --root" })),
        ],
        "shards": [{ "name": "sample-tests 1", "tests": 3, "seconds": 61.5, "peak-memory": 1000, "restarts": 0 }],
        "notices": ["No 'perf' command found"],
        "seconds": 61.5,
    })
}

fn sound() -> String {
    verdict("passed").to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_verdict_is_taken_where_no_engine_is_and_told_of_everywhere() {
    let (room, builder) = (Room::new(), Builder::new());
    room.trust(&[&builder]);
    room.check_from(&[]).fails(NO_ENGINE, &[]);
    room.state(&builder, &sound(), 0);
    let said = room.check_from(&[]).success().stdout;
    let statement = room.path("place/statements/verdict").join(room.run.to_string());
    let statement = Digest::of_file(&statement.join(format!("{}.intoto.jsonl", builder.primary()))).unwrap();
    for text in ["sound, 61.5 s wall time", "did not run here", builder.primary(), &statement.to_string()] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!said.contains("tests ran for"), "{said}");
    let summary = read(&room.path("results/summary.txt"));
    assert!(
        said.contains(&summary) && summary.contains("said of the machine that ran them:\n  No 'perf'"),
        "{summary}"
    );
    let junit = read(&room.path("results/junit.xml"));
    assert_eq!(junit.matches("<testcase ").count(), 3, "{junit}");
    // What was taken before needs no place, as far as it is as good as is asked for now.
    let again = room.check(&["--json"]).success().stdout;
    let answer: Value = serde_json::from_str(again.lines().last().unwrap()).unwrap();
    assert_eq!(answer["tests"].as_array().unwrap().len(), 3);
    assert_eq!(answer["taken"][0]["stage"], "verdict");
    assert_eq!(answer["taken"][0]["builders"][0]["key"], builder.primary());
    // It is no second witness.
    let recipe = room.recipe.display().to_string();
    let told = room.workshop.run(&["share", &room.text("elsewhere"), "--recipe", &recipe, "--offline"]).success();
    assert!(told.stdout.contains("1 results were made by others") && !room.path("elsewhere").exists(), "{told:?}");
    // Nor is it anything where the tests are to run here, or another set of them; whoever asks for less afterwards has it still.
    for more in [&["--again"][..], &["--filter", "Json.*"], &["--serial"], &["--root"], &["--require", "2"]] {
        room.check(more).fails(NO_ENGINE, &[]);
    }
    room.check(&["--no-from"]).fails(NO_ENGINE, &[]);
    room.check(&[]).success();
}

#[test]
fn a_key_that_counts_no_more_does_not_count_for_what_was_taken_before() {
    let (room, one, two) = (Room::new(), Builder::new(), Builder::new());
    room.trust(&[&one, &two]);
    room.state(&one, &sound(), 1);
    room.state(&two, &sound().replace("61.5", "48.5"), 0);
    room.check_from(&["--require", "2"]).success();
    // Without a place: by the ring of this run alone.
    let ring = room.text("ring.gpg");
    let trust = ["--trust", &ring];
    room.check(&trust).success();
    room.check(&[&trust[..], &["--require", "2"]].concat()).success();
    room.trust(&[&two]);
    let said = room.check(&trust).success().stdout;
    assert!(said.contains(two.primary()) && !said.contains(one.primary()), "{said}");
    assert!(said.contains("sound, 48.5 s wall time"), "not what the other one found: {said}");
    let few = format!("1 of 2 keys that are required state it and are good in {ring}");
    room.check(&[&trust[..], &["--require", "2"]].concat()).fails(NO_ENGINE, &[&few]);
    room.trust(&[&Builder::new()]);
    room.check(&trust).fails(NO_ENGINE, &["is not used: 0 of 1 keys that are required"]);
    // What a key of one's own signs is nothing that nobody's word is asked for.
    let own = ["--key", "release@example.org", "--require", "1"];
    room.check(&own).fails(NO_ENGINE, &["no key ring says whose word counts", "--trust KEYRING"]);
    room.trust(&[&one]);
    room.check(&[&own[..], &trust].concat()).success();
    room.check(&[]).success();
}

#[test]
fn whoever_is_asked_again_may_say_something_else() {
    let (room, one, two) = (Room::new(), Builder::new(), Builder::new());
    room.trust(&[&one, &two]);
    room.state(&one, &sound(), 0);
    room.check_from(&[]).success();
    // It is not brought once more: its parts are gone, and so is the place the next time.
    fs::remove_dir_all(room.path("place/parts")).unwrap();
    room.check_from(&[]).success();
    let ring = room.text("ring.gpg");
    room.check(&["--trust", &ring, "--from", &room.text("nowhere")]).success();
    // Another one finds a failure.
    room.state(&two, &verdict("failed").to_string(), 1);
    room.check(&[]).success();
    room.check_from(&[]).fails(NO_ENGINE, &["is not sound", two.primary()]);
    // That is not forgotten where nobody is asked.
    room.check(&[]).fails(NO_ENGINE, &[]);
}

#[test]
fn as_many_builders_as_are_required_have_to_have_run_the_tests() {
    let (room, one, two) = (Room::new(), Builder::new(), Builder::new());
    room.trust(&[&one, &two]);
    room.state(&one, &sound(), 0);
    let few = "1 of 2 keys that are required state a verdict";
    room.check_from(&["--require", "2"]).fails(NO_ENGINE, &[few]);
    // What a key of one's own signs needs two everywhere.
    room.check_from(&["--key", "release@example.org"]).fails(NO_ENGINE, &[few]);
    // Their runs took different times, and printed something else.
    room.state(&two, &sound().replace("printed by it", "printed by another").replace("61.5", "48.5"), 1);
    let said = room.check_from(&["--require", "2"]).success().stdout;
    assert!(said.contains(one.primary()) && said.contains(two.primary()), "{said}");
    assert!(said.contains("sound, 48.5 s wall time"), "the latest one's: {said}");
    // A place that is away is no reason to fail, and the next one is asked.
    let (nowhere, place, ring) = (room.text("nowhere"), room.text("place"), room.text("ring.gpg"));
    let other = Room { workshop: Workshop::empty(), ..room };
    let away = ["--trust", &ring, "--from", &nowhere];
    other.check(&away).fails(NO_ENGINE, &["nothing is taken from"]);
    let ran = other.check(&[&away[..], &["--from", &place]].concat()).success();
    assert!(ran.stderr.contains("nothing is taken from") && ran.stdout.contains("did not run here"), "{ran:?}");
}

#[test]
fn one_unsound_verdict_is_enough_to_run_the_tests_here() {
    let (room, one, two) = (Room::new(), Builder::new(), Builder::new());
    room.trust(&[&one, &two]);
    room.state(&one, &sound(), 0);
    room.state(&two, &verdict("failed").to_string(), 1);
    let unsound = "is not sound, so none is taken and the tests run here: sample-tests:Demand.Fails (failed)";
    let refused = |more: &[&str]| {
        room.check_from(more).fails(NO_ENGINE, &[unsound, two.primary()]);
    };
    refused(&[]);
    refused(&["--require", "2"]);
    // Whoever does not trust that one is not told of it.
    room.trust(&[&one]);
    room.check_from(&[]).success();
    room.check(&["--no-from"]).fails(NO_ENGINE, &[]);
    // The quarantine is this machine's own, whenever it is edited.
    room.trust(&[&one, &two]);
    room.quarantine("Demand.Fails");
    let said = room.check_from(&["--require", "2"]).success().stdout;
    assert!(said.contains("quarantined: failed, and excused"), "{said}");
    assert!(read(&room.path("results/logs/sample-tests/Demand.Fails.log")).contains("printed by it"));
    room.check(&["--require", "2"]).success();
    // Also that of a builder whose run is not the one that is shown.
    room.state(&one, &sound().replace("61.5", "48.5"), 2);
    room.check(&["--no-from"]).fails(NO_ENGINE, &[]);
    let said = room.check_from(&["--require", "2"]).success().stdout;
    assert!(said.contains("sound, 48.5 s wall time") && !said.contains("quarantined: failed"), "{said}");
    room.quarantine("Demand.Another");
    room.check(&["--require", "2"]).fails(NO_ENGINE, &[unsound, two.primary()]);
}

#[test]
fn what_was_signed_and_is_no_whole_verdict_of_this_recipe_is_not_taken() {
    let (room, builder) = (Room::new(), Builder::new());
    room.trust(&[&builder]);
    let whole = sound();
    let with = |field: &str, value: Value| {
        let mut changed = verdict("passed");
        changed[field] = value;
        changed.to_string()
    };
    // A program's name becomes a folder's.
    let mut more = verdict("passed")["tests"].clone();
    let executions = json!([execution(&json!({ "kind": "failed" }), "")]);
    more.as_array_mut().unwrap().push(json!({ "program": "../../x", "test": "A.b", "executions": executions }));
    for (number, (bad, why)) in [
        (whole[..whole.len() / 2].to_owned(), "it cannot be understood"),
        (whole.replace("\"passed\"", "\"paased\""), "it cannot be understood"),
        (String::new(), "it cannot be understood"),
        (with("form", 2.into()), "it has the form 2, and this version of the tool reads the form 1"),
        (with("tests", json!([])), "it has no test of sample-tests, which the recipe names"),
        (with("tests", more), "it has tests of '../../x', which the recipe does not name"),
    ]
    .into_iter()
    .enumerate()
    {
        room.state(&builder, &bad, number as i64);
        let ran = room.check_from(&[]).fails(NO_ENGINE, &["is not taken from", builder.primary(), why]);
        assert!(!room.path("results").exists() && !room.workshop.cache.join("stages/verdict").exists(), "{ran:?}");
    }
    // One that leads to what never ends, or has no end.
    for (number, endless) in ["/dev/zero", "/dev/tty"].into_iter().enumerate() {
        let link = builder.folder.path().join(number.to_string());
        std::os::unix::fs::symlink(endless, &link).unwrap();
        room.state_file(&builder, &link, 10 + number as i64);
        room.check_from(&[]).fails(NO_ENGINE, &["is not taken from", "verdict.json: a symbolic link"]);
    }
    // Another builder's is as good as if there were no such one.
    let other = Builder::new();
    room.trust(&[&builder, &other]);
    room.state(&other, &whole, 0);
    let ran = room.check_from(&[]).success();
    assert!(ran.stderr.contains("is not taken from") && ran.stdout.contains(other.primary()), "{ran:?}");
}

#[test]
fn a_place_that_brings_back_an_older_verdict_is_found_out() {
    let (room, builder) = (Room::new(), Builder::new());
    room.trust(&[&builder]);
    room.state(&builder, &sound(), 0);
    let copy = |from: &str, to: &str| {
        let (from, to) = (room.path(from).join("."), room.path(to));
        tests::judge("cp", &["--recursive", &from.display().to_string(), &to.display().to_string()], room.out.path());
    };
    copy("place", "old");
    // It was run again, and a test failed.
    room.state(&builder, &verdict("failed").to_string(), 1);
    room.check_from(&[]).fails(NO_ENGINE, &["is not sound"]);
    copy("old", "place");
    room.check_from(&[]).fails(NO_ENGINE, &["has stated a later one, which this machine has heard of"]);
}
