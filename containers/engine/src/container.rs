//! A container that never outlives its owner, and images that are made from archives.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error as ApiError;
use bollard::models::{
    ContainerCreateBody, ContainerState, HostConfig, HostConfigLogConfig, Mount, MountType, ResourcesUlimits,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, CreateImageOptionsBuilder, InspectContainerOptions,
    KillContainerOptions, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, StartContainerOptions,
    WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::address::readdressed;
use crate::names::{self, LABEL_KIND, LABEL_RUN};
use crate::stream::{ChannelWriter, produce};
use crate::{Engine, Error, is_missing};

/// How long the engine may take to write down that a container has ended, after its output ended.
const SETTLE: Duration = Duration::from_secs(60);

/// A container of ours. Dropping it kills and removes it, also when the future that owns it is
/// cancelled: Ctrl-C must leave nothing that runs.
pub struct Container {
    engine: Engine,
    /// The container's id in the engine: 64 hexadecimal digits.
    pub id: String,
    gone: bool,
}

impl Container {
    /// Makes a container, and does not start it. It gets the labels of our run and of `kind`, where `body` has none.
    ///
    /// # Errors
    /// The engine does not answer, does not have the image, or refuses a setting.
    pub async fn create(engine: &Engine, kind: &str, mut body: ContainerCreateBody) -> Result<Self, Error> {
        let labels = body.labels.get_or_insert_default();
        labels.entry(LABEL_RUN.into()).or_insert_with(|| engine.run.clone());
        labels.entry(LABEL_KIND.into()).or_insert_with(|| kind.into());
        let image = body.image.clone().unwrap_or_default();
        let host = body.host_config.get_or_insert_default();
        // We read the output ourselves; the engine need not keep a second copy of a log of megabytes.
        host.log_config = Some(HostConfigLogConfig { typ: Some("none".into()), config: None });
        let created = engine
            .docker
            .create_container(None::<CreateContainerOptions>, body)
            .await
            .map_err(|error| engine.error(format!("making a container of {image}"), error))?;
        Ok(Self { engine: engine.clone(), id: created.id, gone: false })
    }

    /// Removes the container, after killing it if it runs, and its volumes that have no name.
    ///
    /// # Errors
    /// The engine does not answer or cannot remove it. It is no error if the container is gone already.
    pub async fn remove(mut self) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let result = self.engine.docker.remove_container(&self.id, Some(options)).await;
        self.gone = true;
        match result {
            Err(error) if !is_missing(&error) => Err(self.engine.error("removing a container".into(), error)),
            _ => Ok(()),
        }
    }

    /// Starts the container and returns its output. The output is attached before the start, so that no line is lost.
    /// `what` names the container in errors.
    ///
    /// # Errors
    /// The engine does not answer, or cannot attach to the container or start it.
    pub async fn start(&self, what: &str) -> Result<BoxStream<'static, Result<LogOutput, ApiError>>, Error> {
        let docker = &self.engine.docker;
        let fail = |error| self.engine.error(format!("starting the container of {what}"), error);
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        let attached = docker.attach_container(&self.id, Some(options)).await.map_err(fail)?;
        docker.start_container(&self.id, None::<StartContainerOptions>).await.map_err(fail)?;
        // The input half has to live as long as the output, or the engine takes it for a hang-up.
        let input = attached.input;
        Ok(attached
            .output
            .map(move |item| {
                let _ = &input;
                item
            })
            .boxed())
    }

    /// Sends SIGKILL; it is no error if it runs no more.
    pub async fn kill(&self) {
        let _ = self.engine.docker.kill_container(&self.id, None::<KillContainerOptions>).await;
    }

    /// Waits up to a minute for the end of a container whose output has ended, and returns the state that the engine
    /// wrote down: its exit status, and whether memory ran out.
    ///
    /// # Errors
    /// The container was removed by somebody else ([`Error::KilledFromOutside`]), or the engine does not answer or does
    /// not see an end within the minute. An exit status other than 0 is no error here.
    pub async fn ended(&self, what: &str) -> Result<ContainerState, Error> {
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let docker = self.engine.patient();
        let doing = || format!("waiting for the container of {what}");
        let mut wait = docker.wait_container(&self.id, Some(options)).boxed();
        match tokio::time::timeout(SETTLE, wait.next()).await {
            // A status other than 0 arrives as an error of its own kind; the state tells it again.
            Ok(None | Some(Ok(_) | Err(ApiError::DockerContainerWaitError { .. }))) => {}
            Ok(Some(Err(error))) if is_missing(&error) => return Err(self.vanished(what)),
            Ok(Some(Err(error))) => return Err(self.engine.error(doing(), error)),
            Err(_) => return Err(self.engine.error(doing(), ApiError::RequestTimeoutError)),
        }
        match docker.inspect_container(&self.id, None::<InspectContainerOptions>).await {
            Ok(found) => Ok(found.state.unwrap_or_default()),
            Err(error) if is_missing(&error) => Err(self.vanished(what)),
            Err(error) => Err(self.engine.error(doing(), error)),
        }
    }

    fn vanished(&self, what: &str) -> Error {
        Error::KilledFromOutside { name: what.to_owned(), exit: 137 }
    }

    /// Starts the container, gives every piece of its output to `output`, and waits for its end.
    ///
    /// # Errors
    /// The container cannot be started, its output breaks off while its end cannot be learned, or it was removed by
    /// somebody else. An exit status other than 0 is no error here.
    pub async fn run(&self, what: &str, mut output: impl FnMut(LogOutput)) -> Result<ContainerState, Error> {
        let mut stream = self.start(what).await?;
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => output(piece),
                Err(error) => {
                    // A killed container ends its stream roughly; then its state says what happened.
                    self.ended(what)
                        .await
                        .map_err(|_| self.engine.error(format!("reading the output of {what}"), error))?;
                    break;
                }
            }
        }
        self.ended(what).await
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        // The runtime may be going down with us, so the request gets a thread and a runtime of its own.
        let (engine, id) = (self.engine.clone(), std::mem::take(&mut self.id));
        detached(move || async move {
            if let Some(docker) = engine.reconnected() {
                let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
                let _ = docker.remove_container(&id, Some(options)).await;
            }
        });
    }
}

/// Runs a last request to its end, on a thread with a runtime of its own: the caller's runtime may be going down.
pub fn detached<F: Future<Output = ()>>(request: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            runtime.block_on(request());
        }
    });
    let _ = thread.join();
}

/// What every container has, whatever it runs: no network, and nothing of the engine's machine in it.
pub fn isolated(engine: &Engine) -> HostConfig {
    HostConfig {
        network_mode: Some("none".into()),
        // Docker copies the machine's resolv.conf even where there is no network. Podman refuses the setting there.
        dns: (!engine.podman).then(|| vec!["127.0.0.1".into()]),
        dns_search: (!engine.podman).then(|| vec![".".into()]),
        ipc_mode: Some("private".into()),
        security_opt: Some(vec!["no-new-privileges".into()]),
        // Where the whole machine runs out of memory, a build should die before the engine does.
        oom_score_adj: Some(500),
        ..HostConfig::default()
    }
}

/// The limits (setrlimit(2)) of the processes in a container: for core files the soft and the hard one in bytes, -1 for
/// no limit; and 16384 open files.
pub fn limits(engine: &Engine, core: (i64, i64)) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, (soft, hard): (i64, i64)| ResourcesUlimits {
        name: Some(name.into()),
        soft: Some(soft),
        hard: Some(hard),
    };
    let mut limits = vec![limit("core", core), limit("nofile", (16384, 16384))];
    if engine.podman {
        // What it is not told it raises as far as the kernel goes, which a Podman that is in a container itself may not.
        limits.push(limit("nproc", (32768, 32768)));
    }
    limits
}

/// Mounts the volume of this name at the path `target` of a container.
pub fn mount(volume: &str, target: &str) -> Mount {
    Mount { typ: Some(MountType::VOLUME), source: Some(volume.into()), target: Some(target.into()), ..Mount::default() }
}

/// An image that is removed when this goes out of scope.
pub struct TemporaryImage {
    engine: Engine,
    /// The image's name in the engine.
    pub name: String,
}

impl Drop for TemporaryImage {
    fn drop(&mut self) {
        let (engine, name) = (self.engine.clone(), self.name.clone());
        detached(move || async move {
            if let Some(docker) = engine.reconnected() {
                let options = RemoveImageOptionsBuilder::default().force(true).build();
                let _ = docker.remove_image(&name, Some(options), None).await;
            }
        });
    }
}

impl TemporaryImage {
    /// Imports a root file system, which `write` writes as a tar archive, under a name that nobody else uses.
    ///
    /// # Errors
    /// As for [`import`].
    pub async fn import(
        engine: &Engine,
        write: impl FnOnce(&mut ChannelWriter) -> Result<(), Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let unique = tempfile::Builder::new().rand_bytes(12).make(|path| Ok(path.to_owned()));
        let tag = unique.map_err(Error::io("find a name in", std::env::temp_dir()))?;
        let tag =
            tag.path().file_name().unwrap_or_default().to_string_lossy().trim_start_matches('.').to_ascii_lowercase();
        let tag = format!("{}-{tag}", std::process::id());
        let image = Self { engine: engine.clone(), name: names::image(names::KIND_TEMPORARY, &tag) };
        import(engine, &image.name, names::KIND_TEMPORARY, &BTreeMap::new(), write).await?;
        Ok(image)
    }
}

/// Imports a root file system, which `write` writes as an uncompressed tar archive, as the image `name`. It gets the
/// labels of our run and of `kind`, and `labels`.
///
/// # Errors
/// `write` fails, whose error comes first, or the engine refuses the archive, has no space for it, or is lost.
pub async fn import(
    engine: &Engine,
    name: &str,
    kind: &str,
    labels: &BTreeMap<&str, String>,
    write: impl FnOnce(&mut ChannelWriter) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let own = [(LABEL_RUN, engine.run.as_str()), (LABEL_KIND, kind)];
    let all = own.into_iter().chain(labels.iter().map(|(key, value)| (*key, value.as_str())));
    let changes = all.map(|(key, value)| format!("LABEL {key}=\"{value}\"")).collect();
    // The tag is in the name: Podman 4 does not look at the parameter that the API has for it.
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(name).changes(changes).build();
    let (body, producer) = produce(write);
    // The client library puts all changes into one parameter, a line each. Podman takes a parameter for a change, and would
    // read the second label as a part of the first one's value.
    let docker = readdressed(engine.patient(), |place| place.replace("%0A", "&changes="));
    let mut answers = docker.create_image(Some(options), Some(bollard::body_try_stream(body)), None).boxed();
    let mut failed = None;
    while let Some(answer) = answers.next().await {
        failed = failed.or(answer.err());
    }
    drop(answers);
    // Our own reason first: the engine only knows that the archive broke off.
    let produced = producer.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    match (failed, produced) {
        (Some(error), Ok(()) | Err(Error::Io { doing: "send to", .. })) => {
            Err(engine.error(format!("importing {name}"), error))
        }
        (_, produced) => produced,
    }
}

/// The labels of an image; none if the engine has no such image.
///
/// # Errors
/// The engine does not answer, or cannot say.
pub async fn image_labels(engine: &Engine, name: &str) -> Result<Option<HashMap<String, String>>, Error> {
    match engine.docker.inspect_image(name).await {
        Ok(image) => Ok(Some(image.config.and_then(|config| config.labels).unwrap_or_default())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(engine.error(format!("looking for the image {name}"), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[tokio::test]
    async fn each_label_of_an_image_is_a_change_of_its_own() {
        let fake = Fake::start("amd64", &[("/images/create", "{}")]);
        let engine = fake.engine().await.with_run("a-run");
        let labels = BTreeMap::from([("a", "b".to_owned()), ("c", "d".to_owned())]);
        import(&engine, "mesos-packages/x:y", "kind", &labels, |_| Ok(())).await.unwrap();
        let asked = fake.asked();
        let query = asked.last().unwrap().split_once('?').unwrap().1;
        let changes: Vec<&str> = query.split('&').filter_map(|part| part.strip_prefix("changes=")).collect();
        assert_eq!(changes.len(), 4, "{query}");
        assert!(changes[2].ends_with("a%3D%22b%22") && changes[3].ends_with("c%3D%22d%22"), "{query}");
    }
}
