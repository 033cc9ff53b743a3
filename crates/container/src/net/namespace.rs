//! Network namespaces that are held by a file.

use super::NetworkError;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use tokio::sync::oneshot;

/// Where the kernel shows the namespace of the thread that looks.
const OWN: &str = "/proc/thread-self/ns/net";

/// Runs something on a thread of its own, which may change its namespaces and then ends: a thread
/// of the runtime's pool would take the change to whoever uses it next.
pub(super) async fn on_own_thread<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> Result<T, NetworkError> + Send + 'static,
) -> Result<T, NetworkError> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("kigo-netns".to_owned())
        .spawn(move || sender.send(work()).is_ok())
        .map_err(NetworkError::io(doing))?;
    receiver.await.unwrap_or_else(|_| Err(NetworkError::io(doing)(io::Error::other("the thread died"))))
}

/// Makes a network namespace, mounts it on `path` and opens it. The calling thread is in it from then
/// on, so it must be a short-lived one. Whatever was mounted there is replaced. IPv6 is off in it
/// but for the loopback interface: containers have no IPv6 address, and a link-local one would be a
/// way around the rules.
pub(super) fn create(path: &Path) -> Result<File, NetworkError> {
    release(path)?;
    let doing = || NetworkError::io(format!("make the network namespace {}", path.display()));
    File::create(path).map_err(doing())?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(io::Error::from).map_err(doing())?;
    mount(Some(OWN), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(io::Error::from)
        .map_err(doing())?;
    match fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1") {
        // A kernel without IPv6 has nothing to turn off.
        Err(none) if none.kind() == ErrorKind::NotFound => {}
        result => result.map_err(doing())?,
    }
    File::open(path).map_err(doing())
}

/// The namespace of the calling thread.
pub(super) fn own() -> Result<File, NetworkError> {
    File::open(OWN).map_err(NetworkError::io("open this thread's network namespace"))
}

/// Takes the mount and the file away; neither is no error. The namespace lives on while processes
/// are in it.
pub(super) fn release(path: &Path) -> Result<(), NetworkError> {
    let doing = || NetworkError::io(format!("remove the network namespace {}", path.display()));
    loop {
        match umount2(path, MntFlags::MNT_DETACH) {
            // Once more, in case a start that was cut short mounted twice.
            Ok(()) => {}
            // Not a mount point, or not there.
            Err(nix::Error::EINVAL | nix::Error::ENOENT | nix::Error::ENOTDIR) => break,
            Err(error) => return Err(doing()(error.into())),
        }
    }
    match fs::remove_file(path) {
        Err(source) if !matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(doing()(source))
        }
        _ => Ok(()),
    }
}

/// Moves the calling thread into a network namespace, for good. For short-lived threads only.
///
/// # Errors
/// When the kernel refuses; the thread is where it was then.
pub fn enter(namespace: &File) -> io::Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
}
