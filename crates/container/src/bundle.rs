//! What a shim is told, and where everything of a container lies on disk.

use engine::{ContainerId, ContainerSpec};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The content of `spec.json`: all that a shim needs. Written once, before the shim starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bundle {
    pub spec: ContainerSpec,
    /// Unpacked layers of the image, lowest first.
    pub layers: Vec<PathBuf>,
    /// `None` for a network namespace of its own with nothing but `lo`.
    pub network: Option<Network>,
    /// Name of the cgroup under which this container's own is made, e.g. `kigo-1a2b`.
    pub cgroup_parent: String,
    /// First host id of the range that is 0..65535 inside.
    pub uid_base: u32,
    /// Bytes of output to keep unacknowledged before lines are dropped.
    pub spool_limit: u64,
    /// How the image's file owners are shifted to `uid_base`.
    pub ownership: Ownership,
    /// Use this OCI runtime instead of the own launcher.
    pub runtime: Option<PathBuf>,
}

/// A network prepared by the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// A file that names the network namespace: a bind mount, or `/proc/PID/ns/net`.
    pub namespace: PathBuf,
    /// Where the host reaches the container.
    pub address: IpAddr,
    /// Content of `/etc/resolv.conf` inside.
    pub resolv_conf: String,
    /// Content of `/etc/hosts` inside.
    pub hosts: String,
}

/// How files of the image, owned by 0..65535 on disk, come to be owned by the container's range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// The best the kernel can do of those below.
    #[default]
    Best,
    /// Idmapped layers that are never attached anywhere (Linux 6.15).
    Detached,
    /// Idmapped layers attached in the shim's mount namespace, overlaid by path (Linux 5.19).
    Attached,
    /// No shift: ids inside are ids on the host. For kernels and file systems without idmapped
    /// mounts. Still a user namespace without capabilities, but containers share ids.
    Identity,
}

/// Names of the files of one container.
#[derive(Clone, Debug)]
pub struct Paths {
    directory: PathBuf,
}

impl Paths {
    /// The container's directory, `CONTAINERS/ID`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory of container `id` below `containers`.
    pub fn of(containers: &Path, id: ContainerId) -> Self {
        Self::new(containers.join(id.to_string()))
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The [`Bundle`]. Exists from the moment the container is known.
    pub fn spec(&self) -> PathBuf {
        self.directory.join("spec.json")
    }

    /// [`crate::state::State`], rewritten by the shim at every change.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state.json")
    }

    /// [`crate::state::Ended`], written once when the container has ended and all its output is
    /// in the spool.
    pub fn exit(&self) -> PathBuf {
        self.directory.join("exit.json")
    }

    /// Locked (`F_OFD_SETLK`) from before `spec.json` appears until the shim is gone.
    pub fn lock(&self) -> PathBuf {
        self.directory.join("shim.lock")
    }

    /// Where the shim listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.join(Self::SOCKET)
    }

    /// File name of the socket. Bound and connected relative to the directory, because a socket's
    /// address may have at most 107 bytes.
    pub const SOCKET: &str = "shim.sock";

    /// What the shim itself has to say, for operators.
    pub fn log(&self) -> PathBuf {
        self.directory.join("shim.log")
    }

    /// Segments of the spool.
    pub fn output(&self) -> PathBuf {
        self.directory.join("output")
    }

    /// Where a caller may keep the container's network namespace (a bind mount).
    pub fn namespace(&self) -> PathBuf {
        self.directory.join("netns")
    }

    /// Backing file of the writable layer.
    pub fn disk(&self) -> PathBuf {
        self.directory.join("disk.img")
    }

    /// Mount point of the writable layer, in the shim's mount namespace.
    pub fn writable(&self) -> PathBuf {
        self.directory.join("writable")
    }

    /// Mount point of the root, in the shim's mount namespace.
    pub fn root(&self) -> PathBuf {
        self.directory.join("root")
    }
}
