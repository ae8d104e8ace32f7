//! Nothing that runs is left behind, whatever is killed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::query_parameters::{KillContainerOptions, ListContainersOptionsBuilder};
use engine::cleanup::cleanup;
use engine::names::LABEL_RUN;
use engine::{Engine, Error};
use foundation::failure::Failure;
use phases::PhaseError;
use phases::phase::run;
use trial::Trial;

/// Ids of the containers of a run, running or not.
async fn containers(engine: &Engine, run: &str) -> Vec<String> {
    let label = format!("{LABEL_RUN}={run}");
    let filters = HashMap::from([("label", vec![label.as_str()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    engine
        .docker
        .list_containers(Some(options))
        .await
        .unwrap()
        .into_iter()
        .filter_map(|container| container.id)
        .collect()
}

async fn started(engine: &Engine, run: &str, log: &std::path::Path) -> String {
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if std::fs::read_to_string(log).is_ok_and(|text| text.contains("begun")) {
            return containers(engine, run).await.remove(0);
        }
    }
    panic!("the phase did not begin within 30 s");
}

#[tokio::test]
async fn a_container_killed_from_outside_is_told_apart_and_the_next_run_works() {
    let mut bench = Trial::new("killed").await;
    bench.engine = bench.engine.clone().with_run("test-killed");
    let spec = bench.spec("echo begun; if [ ! -e /build/second ]; then touch /build/second; sleep 60; fi; echo done");
    let kill = async {
        let id = started(&bench.engine, "test-killed", &spec.log).await;
        bench.engine.docker.kill_container(&id, None::<KillContainerOptions>).await.unwrap();
    };
    let (result, ()) = tokio::join!(bench.run(spec.clone()), kill);
    let error = result.unwrap_err();
    assert!(matches!(error, PhaseError::Engine(Error::KilledFromOutside { exit: 137, .. })), "{error:?}");
    assert!(error.message().contains("run the same command again"), "{error}");
    assert_eq!(containers(&bench.engine, "test-killed").await, Vec::<String>::new());
    let (record, _) = bench.run(spec).await.unwrap();
    assert_eq!(record.exit, 0, "{}", bench.log());
    bench.done().await;
}

#[tokio::test]
async fn a_container_removed_from_outside_is_no_riddle_either() {
    let mut bench = Trial::new("removed").await;
    bench.engine = bench.engine.clone().with_run("test-removed");
    let spec = bench.spec("echo begun; sleep 60");
    let remove = async {
        started(&bench.engine, "test-removed", &spec.log).await;
        cleanup(&bench.engine, |run| run == "test-removed").await.unwrap();
    };
    let (result, _) = tokio::join!(bench.run(spec.clone()), remove);
    let error = result.unwrap_err();
    assert!(matches!(error, PhaseError::Engine(Error::KilledFromOutside { .. })), "{error:?}");
    bench.done().await;
}

#[tokio::test]
async fn dropping_the_future_stops_the_container() {
    let mut bench = Trial::new("dropped").await;
    bench.engine = bench.engine.clone().with_run("test-dropped");
    let spec = bench.spec("echo begun; sleep 60");
    let log = spec.log.clone();
    let mut ignore = |_| ();
    tokio::select! {
        _ = run(&bench.engine, spec, &mut ignore) => panic!("it sleeps for a minute"),
        id = started(&bench.engine, "test-dropped", &log) => assert!(!id.is_empty()),
    }
    assert_eq!(containers(&bench.engine, "test-dropped").await, Vec::<String>::new());
    bench.done().await;
}

#[tokio::test]
async fn cleanup_takes_what_is_stale_and_nothing_else() {
    let mut bench = Trial::new("stale").await;
    bench.engine = bench.engine.clone().with_run("test-stale");
    let engine = bench.engine.clone();
    let spec = bench.spec("echo begun; sleep 60");
    let log = spec.log.clone();
    // A run that was killed with SIGKILL cannot remove anything.
    let (runtime_engine, left) = (engine.clone(), spec.clone());
    let task = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _ = runtime.block_on(run(&runtime_engine, left, &mut |_| ()));
    });
    let id = started(&engine, "test-stale", &log).await;
    assert_eq!(cleanup(&engine, |run| run == "test-other").await.unwrap(), Vec::<String>::new());
    assert_eq!(containers(&engine, "test-stale").await, std::slice::from_ref(&id));
    let removed = cleanup(&engine, |run| run == "test-stale").await.unwrap();
    assert_eq!(removed, [format!("container {} (test-stale)", &id[..12])]);
    assert_eq!(containers(&engine, "test-stale").await, Vec::<String>::new());
    task.join().unwrap();
    bench.done().await;
}
