//! The engine that runs containers on this machine: images from the store, networks and shims from
//! the crate `container`.
//!
//! It keeps nothing that is not also on disk. [`Local::open`] finds every container of the data
//! directory, whatever happened to the server that started it, and follows it again. It decides
//! nothing: a container runs until somebody stops it, and what ended stays visible until somebody
//! removes it.

mod output;
mod runtime;
mod watcher;

pub use container::net::{Allow, InstanceTag, NetworkError, Subnet};
pub use runtime::{Runtime, RuntimeError};

use async_trait::async_trait;
use container::cgroup::UsageReader;
use container::host::{Begun, Host, HostConfig, HostError, Observed};
use container::net::{Network, NetworkConfig, Wish};
use engine::{
    ContainerId, ContainerSpec, Duplex, Engine, EngineError, Observation, OutputLine, Status, Usage,
};
use image::{ImageStore, Pin, StoreError};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use watcher::Watcher;

/// How containers run on this machine.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// The installation's data directory; containers are in `containers/` of it.
    pub data_dir: PathBuf,
    /// Addresses for containers.
    pub subnet: Subnet,
    /// Name servers for containers instead of the host's.
    pub resolvers: Option<Vec<Ipv4Addr>>,
    /// What containers may reach beside the world outside.
    pub allow: Vec<Allow>,
    /// Part of the subnet whose addresses only those get who ask for them.
    pub reserved: Option<Subnet>,
    pub runtime: Runtime,
    /// Program and first arguments that end up in `container::shim::main`.
    pub shim: Vec<OsString>,
}

impl LocalConfig {
    /// What is usual, for a program that runs the stem as `… shim GROUP`.
    pub fn new(data_dir: PathBuf) -> Self {
        let shim = HostConfig::new(PathBuf::new(), String::new()).shim;
        Self {
            data_dir,
            subnet: Subnet::DEFAULT,
            resolvers: None,
            allow: Vec::new(),
            reserved: None,
            runtime: Runtime::Own,
            shim,
        }
    }
}

/// Why the engine cannot work on this machine.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the network of containers cannot be set up")]
    Network(#[from] NetworkError),
    #[error("containers cannot be run here")]
    Host(#[from] HostError),
    #[error("cannot {doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
}

/// The engine. Dropping it ends nothing but its own watching.
pub struct Local {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    host: Host,
    network: Network,
    images: ImageStore,
    changes: watch::Sender<u64>,
    /// What is kept in memory about containers; all of it can be made again.
    known: Mutex<HashMap<ContainerId, Arc<Known>>>,
    /// One start or removal of a container at a time.
    turns: Mutex<HashMap<ContainerId, Arc<tokio::sync::Mutex<()>>>>,
    /// What an operator was told that this machine could not provide.
    told: Mutex<HashSet<String>>,
}

/// What is kept in memory about one container.
struct Known {
    watcher: Watcher,
    usage: Mutex<Option<UsageReader>>,
    /// Keeps the layers from being collected while they are mounted.
    _pin: Pin,
}

impl Local {
    /// Opens the installation's containers: prepares the host's network, clears away what a crash
    /// left half made, and follows what still runs.
    ///
    /// # Errors
    /// Without root, without `nft`, or when the data directory cannot be used.
    pub async fn open(config: LocalConfig, images: ImageStore) -> Result<Self, OpenError> {
        let containers = config.data_dir.join("containers");
        std::fs::create_dir_all(&containers)
            .map_err(|source| OpenError::Io { doing: format!("make {}", containers.display()), source })?;
        let tag = InstanceTag::of(&config.data_dir);
        let host = Host::new(HostConfig {
            shim: config.shim,
            runtime: config.runtime.program(),
            ..HostConfig::new(containers.clone(), format!("kigo-{tag}"))
        })?;
        let network = Network::open(NetworkConfig {
            subnet: config.subnet,
            resolvers: config.resolvers,
            allow: config.allow,
            reserved: config.reserved,
            ..NetworkConfig::new(tag, containers)
        })
        .await?;
        let shared = Shared {
            host,
            network,
            images,
            changes: watch::Sender::new(0),
            known: Mutex::default(),
            turns: Mutex::default(),
            told: Mutex::default(),
        };
        let local = Self { shared: Arc::new(shared) };
        local.clear_half_made().await?;
        tokio::spawn(guard_rules(Arc::downgrade(&local.shared)));
        for id in local.shared.host.ids()? {
            // One that cannot be read now shows as an error whenever it is observed.
            if let Err(error) = local.shared.known(id) {
                tracing::error!(container = %id, %error, "cannot follow a container");
            }
        }
        Ok(local)
    }

    /// What an operator should know about this machine's network.
    pub fn warnings(&self) -> &[String] {
        self.shared.network.warnings()
    }

    /// Waits for what goes on in the background after [`Engine::remove`]. For an orderly end.
    pub async fn settle(&self) {
        self.shared.network.settle().await;
    }

    /// Takes everything away that this installation has on the host: every container, whether it
    /// runs or not, all interfaces, the packet filter's table and the control groups.
    ///
    /// # Errors
    /// At the first thing that cannot be taken away.
    pub async fn destroy(&self) -> Result<(), OpenError> {
        for id in self.shared.host.ids()? {
            self.shared.clone().take_away(id).await?;
        }
        self.shared.network.destroy().await?;
        let parent = self.shared.host.config().cgroup_parent.clone();
        let hierarchies = container::cgroup::Hierarchies::detect();
        let remove = hierarchies.and_then(|found| container::cgroup::remove_parent(&found, &parent));
        remove.map_err(|source| OpenError::Io {
            doing: format!("remove the control group {parent}"),
            source,
        })?;
        // OCI runtimes use hierarchies that we do not, and leave the parent there. What is not
        // empty stays.
        for hierarchy in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(hierarchy.path().join(&parent));
        }
        Ok(())
    }

    /// Directories without a spec belong to a start or a removal that was cut short.
    async fn clear_half_made(&self) -> Result<(), OpenError> {
        let containers = &self.shared.host.config().containers;
        let error = |source| OpenError::Io { doing: format!("list {}", containers.display()), source };
        for entry in std::fs::read_dir(containers).map_err(error)? {
            let name = entry.map_err(error)?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse::<ContainerId>().ok()) else { continue };
            if !self.shared.host.paths(id).spec().exists() {
                tracing::info!(container = %id, "clearing away a container that was never complete");
                self.shared.clone().take_away(id).await?;
            }
        }
        Ok(())
    }
}

impl Shared {
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// What is kept about a container; begins to follow it if nobody did.
    fn known(self: &Arc<Self>, id: ContainerId) -> Result<Arc<Known>, HostError> {
        if let Some(known) = self.lock_known().get(&id) {
            return Ok(Arc::clone(known));
        }
        let observed = self.host.observe(id)?;
        let known = Arc::clone(self.lock_known().entry(id).or_insert_with(|| {
            Arc::new(Known {
                watcher: Watcher::start(self, id),
                usage: Mutex::new(None),
                _pin: self.images.pin(observed.bundle.spec.image),
            })
        }));
        // A removal that ended between the look and the insertion did not see what was inserted.
        if !self.host.paths(id).spec().exists() {
            self.lock_known().remove(&id);
            return Err(HostError::NotFound(id));
        }
        Ok(known)
    }

    fn lock_known(&self) -> MutexGuard<'_, HashMap<ContainerId, Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this container's turn.
    async fn turn(&self, id: ContainerId) -> tokio::sync::OwnedMutexGuard<()> {
        let turn =
            Arc::clone(self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
        turn.lock_owned().await
    }

    /// Starts a container; runs to its end once begun.
    async fn start(self: Arc<Self>, spec: ContainerSpec) -> Result<(), EngineError> {
        let id = spec.id;
        let _turn = self.turn(id).await;
        if self.host.paths(id).spec().exists() {
            return Ok(());
        }
        // Held from before the layers are looked up, so that they cannot go in between.
        let pin = self.images.pin(spec.image);
        let started = Arc::clone(&self).start_with(spec).await;
        if started.is_err() {
            // What was made so far must not look like a container that is being created.
            if let Err(error) = Arc::clone(&self).take_away(id).await {
                tracing::error!(container = %id, %error, "a failed start left something behind");
            }
        } else if let Err(error) = self.known(id) {
            tracing::error!(container = %id, %error, "cannot follow a container");
        }
        drop(pin);
        self.changed();
        started
    }

    async fn start_with(self: Arc<Self>, spec: ContainerSpec) -> Result<(), EngineError> {
        let id = spec.id;
        let Some((begun, layers)) = Arc::clone(&self).begin(&spec).await? else { return Ok(()) };
        // The shim gets ready meanwhile.
        let wish = Wish { address: spec.address, reach: spec.reach.clone() };
        let lease = self.network.attach(id, wish).await;
        let lease = lease.map_err(|error| system("set up the network", error))?;
        let network = container::Network {
            namespace: lease.namespace.clone(),
            address: lease.ip(),
            resolv_conf: self.network.resolv_conf(),
            hosts: self.network.hosts(&lease, &spec.hostname),
        };
        self.host.start(begun, spec, layers, Some(network)).await.map_err(|error| engine_error(id, error))
    }

    /// Begins a shim and finds the directories of the image's layers, unpacked if they are not yet.
    /// `None` if the container was begun already.
    async fn begin(
        self: Arc<Self>,
        spec: &ContainerSpec,
    ) -> Result<Option<(Begun, Vec<PathBuf>)>, EngineError> {
        let (id, image, disk) = (spec.id, spec.image, spec.limits.disk);
        blocking("start a container", move || {
            let Some(begun) = self.host.begin(id, disk).map_err(|error| engine_error(id, error))? else {
                return Ok(None);
            };
            match self.images.layers(&image) {
                Ok(layers) => Ok(Some((begun, layers))),
                Err(StoreError::NotFound(_)) => Err(EngineError::NoImage(image)),
                Err(error) => Err(system("unpack the image", error)),
            }
        })
        .await
    }

    /// Removes a container and all it has; runs to its end once begun.
    async fn remove(self: Arc<Self>, id: ContainerId) -> Result<(), EngineError> {
        let _turn = self.turn(id).await;
        if !self.host.paths(id).directory().exists() {
            return Ok(());
        }
        self.clone().take_away(id).await.map_err(|error| match error {
            OpenError::Host(error) => engine_error(id, error),
            error => system(format!("remove container {id}"), error),
        })?;
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.changed();
        Ok(())
    }

    /// Takes the network away, then the processes and all files. In this order, because the file
    /// that holds the network namespace is a mount in the directory that goes last.
    async fn take_away(self: Arc<Self>, id: ContainerId) -> Result<(), OpenError> {
        self.network.detach(id)?;
        self.host.cleanup(id).await?;
        self.lock_known().remove(&id);
        Ok(())
    }

    fn observation(self: &Arc<Self>, id: ContainerId) -> Result<Observation, HostError> {
        let known = self.known(id)?;
        let Observed { bundle, status, address, warnings } = self.host.observe(id)?;
        for warning in untold(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner), warnings) {
            tracing::warn!(container = %id, "a container runs with less than it should: {warning}");
        }
        let usage = match status {
            Status::Running { .. } => {
                let mut reader = known.usage.lock().unwrap_or_else(PoisonError::into_inner);
                reader.get_or_insert_with(|| self.host.usage(id)).read()
            }
            _ => Usage::default(),
        };
        Ok(Observation { id, labels: bundle.spec.labels, status, address, usage })
    }
}

/// More than this machine can lack; a text that names its container is new each time.
const TOLD: usize = 1000;

/// Those among the warnings that nobody was told yet.
fn untold(told: &mut HashSet<String>, warnings: Vec<String>) -> Vec<String> {
    warnings.into_iter().filter(|text| told.len() < TOLD && told.insert(text.clone())).collect()
}

/// How long containers may be without rules after somebody flushed them.
const RULES_CHECK: Duration = Duration::from_secs(10);

/// Sees to it that the packet filter's table stays, for as long as the engine lives.
async fn guard_rules(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(RULES_CHECK).await;
        let Some(shared) = shared.upgrade() else { return };
        match shared.network.repair().await {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!("the packet filter's rules for containers were gone and are loaded again");
            }
            Err(error) => tracing::error!(%error, "cannot see to the packet filter's rules for containers"),
        }
    }
}

#[async_trait]
impl Engine for Local {
    async fn start(&self, spec: ContainerSpec) -> Result<(), EngineError> {
        complete("start a container", self.shared.clone().start(spec)).await
    }

    async fn stop(&self, id: ContainerId, grace: Duration) -> Result<(), EngineError> {
        self.shared.host.stop(id, grace).await.map_err(|error| engine_error(id, error))
    }

    async fn remove(&self, id: ContainerId) -> Result<(), EngineError> {
        complete("remove a container", self.shared.clone().remove(id)).await
    }

    async fn observe(&self) -> Result<Vec<Observation>, EngineError> {
        let shared = Arc::clone(&self.shared);
        blocking("observe the containers", move || {
            let mut observations = Vec::new();
            for id in shared.host.ids().map_err(|error| system("list the containers", error))? {
                match shared.observation(id) {
                    Ok(observation) => observations.push(observation),
                    // Removed while we looked.
                    Err(HostError::NotFound(_)) => {}
                    Err(error) => return Err(engine_error(id, error)),
                }
            }
            Ok(observations)
        })
        .await
    }

    async fn observe_one(&self, id: ContainerId) -> Result<Observation, EngineError> {
        let shared = Arc::clone(&self.shared);
        blocking("observe a container", move || {
            shared.observation(id).map_err(|error| engine_error(id, error))
        })
        .await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    async fn output(&self, id: ContainerId, after: u64) -> Result<mpsc::Receiver<OutputLine>, EngineError> {
        let known = self.shared.known(id).map_err(|error| engine_error(id, error))?;
        let reader = self.shared.host.output(id, after);
        Ok(output::follow(reader, known.watcher.progress(), {
            let shared = Arc::downgrade(&self.shared);
            move || match shared.upgrade() {
                // One that cannot be observed any more prints nothing any more.
                Some(shared) => shared.host.observe(id).map_or(true, |seen| has_exited(&seen.status)),
                None => true,
            }
        }))
    }

    async fn acknowledge(&self, id: ContainerId, sequence: u64) -> Result<(), EngineError> {
        self.shared.host.acknowledge(id, sequence).await.map_err(|error| engine_error(id, error))
    }

    async fn attach(&self, id: ContainerId) -> Result<Box<dyn Duplex>, EngineError> {
        let stream = self.shared.host.attach(id).await.map_err(|error| match error {
            HostError::Ended(_) => EngineError::NotAttachable(id),
            error => engine_error(id, error),
        })?;
        Ok(Box::new(stream))
    }
}

pub(crate) fn has_exited(status: &Status) -> bool {
    matches!(status, Status::Exited { .. })
}

/// Runs work to its end even if nobody waits for it any more: half a start is worse than one that
/// nobody wants.
async fn complete<T: Send + 'static>(
    doing: &str,
    work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::spawn(work).await.map_err(|error| system(doing, error))?
}

async fn blocking<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| system(doing, error))?
}

fn engine_error(id: ContainerId, error: HostError) -> EngineError {
    match error {
        HostError::NotFound(id) => EngineError::NotFound(id),
        HostError::NotAttachable(id) => EngineError::NotAttachable(id),
        error => system(format!("work with container {id}"), error),
    }
}

fn system(doing: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::System { doing: format!("cannot {}", doing.into()), source: io::Error::other(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_told_once_and_not_without_end() {
        let mut told = HashSet::new();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(untold(&mut told, texts(&["a", "b", "a"])), ["a", "b"]);
        assert_eq!(untold(&mut told, texts(&["b", "c"])), ["c"]);
        let many = (0..2 * TOLD).map(|number| number.to_string()).collect();
        assert_eq!(untold(&mut told, many).len(), TOLD - 3);
    }
}
