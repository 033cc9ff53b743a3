//! The process that holds a container: sets it up, watches it, collects its output, does what its
//! socket asks, and writes down how it ended.
//!
//! It is a process of one thread that waits in `poll`; it needs no server, and a container's
//! limits and deadlines hold while there is none. It never waits for a client: what one does not
//! read, it does not get.

mod attached;
mod connections;
mod daemon;
mod events;
mod lines;
mod ports;

use crate::bundle::{Bundle, Paths};
use crate::cgroup::{self, Group, Hierarchies, MemoryEvents};
use crate::error::{Doing, Failure};
use crate::spool::Spool;
use crate::state::{self, Ended, Phase, State};
use crate::{launch, oci, rootfs, sys};
use engine::Exit;
use jiff::Timestamp;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// Runs a shim for the container whose directory is the one argument. The caller passes the
/// container's lock (`shim.lock`, locked) as standard input. The first process returns to its
/// caller as soon as another has taken over in the background.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let mut arguments = arguments.into_iter();
    let (Some(directory), None) = (arguments.next(), arguments.next()) else {
        complain("usage: DIRECTORY, and the container's lock as standard input");
        std::process::exit(2)
    };
    let paths = Paths::new(std::path::PathBuf::from(directory));
    let (beginning, lock) = match Beginning::new(&paths).and_then(|beginning| beginning.detach(&paths)) {
        Ok(begun) => begun,
        Err(failure) => {
            complain(&failure.story());
            std::process::exit(1)
        }
    };
    if let Err(failure) = hold(&paths, beginning) {
        complain(&failure.story());
        record_failure(&paths, failure.story());
    }
    drop(lock);
    std::process::exit(0)
}

/// What is there before the server is left behind, so that the server can connect at once.
struct Beginning {
    bundle: Bundle,
    hierarchies: Hierarchies,
    listener: UnixListener,
    warnings: Vec<String>,
}

impl Beginning {
    fn new(paths: &Paths) -> Result<Self, Failure> {
        let bundle: Bundle = state::read_json(&paths.spec())
            .doing("read the container's spec")?
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
            .doing("find the container's spec")?;
        let hierarchies = Hierarchies::detect().doing("find this machine's control groups")?;
        let listener = listen(paths)?;
        Ok(Self { bundle, hierarchies, listener, warnings: Vec::new() })
    }

    /// Goes into the background, out of the server's group: nobody who ends the server there ends
    /// the shim as well. Returns the container's lock, too.
    fn detach(mut self, paths: &Paths) -> Result<(Self, File), Failure> {
        let shims = Group::new(self.hierarchies.clone(), &self.bundle.cgroup_parent, cgroup::SHIMS);
        let (door, closed) = shims.door_for_shim();
        let (lock, refused) = daemon::detach(paths, &door)?;
        self.warnings.extend(closed.into_iter().chain(refused));
        Ok((self, lock))
    }
}

/// Standard error is the container's `shim.log`.
#[expect(clippy::print_stderr, reason = "a shim has no other place to say something about itself")]
fn complain(text: &str) {
    eprintln!("{} {text}", Timestamp::now());
}

/// The container's whole life.
fn hold(paths: &Paths, beginning: Beginning) -> Result<(), Failure> {
    let Beginning { bundle, hierarchies, listener, warnings } = beginning;
    let mut state = State {
        phase: Phase::Creating,
        shim: std::process::id() as i32,
        init: None,
        since: None,
        listening: false,
        warnings,
    };
    state::write_json(&paths.state(), &state).doing("write the container's state")?;
    // When the machine runs out of memory, ending a shim frees next to nothing and costs a container.
    // Not everybody may ask for that.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-900");
    let spool = Spool::create(paths.output(), bundle.spool_limit).doing("make the spool")?;
    let group = Group::new(hierarchies, &bundle.cgroup_parent, &bundle.spec.id.to_string());
    let launched = set_up(&bundle, paths, &group, &mut state.warnings);
    for warning in &state.warnings {
        complain(warning);
    }
    let ended = match launched {
        Ok((memory, launched)) => events::Loop::new(paths, &bundle, memory, launched, state, spool, listener)
            .and_then(events::Loop::run),
        Err(failure) => {
            // Nobody has listened yet, so nobody needs to be told.
            complain(&failure.story());
            record_failure(paths, failure.story());
            Ok(())
        }
    };
    oci::forget(&bundle, paths);
    tear_down(paths, &group);
    ended
}

/// Everything up to a program that is started, or only has to be.
fn set_up(
    bundle: &Bundle,
    paths: &Paths,
    group: &Group,
    warnings: &mut Vec<String>,
) -> Result<(Option<MemoryEvents>, launch::Launched), Failure> {
    let network = bundle.network.as_ref().map(|network| network.namespace.as_path());
    launch::enter_own_namespaces(network)?;
    warnings.extend(group.create());
    warnings.extend(group.limit(&bundle.spec.limits));
    let memory = MemoryEvents::watch(group).unwrap_or_else(|error| {
        warnings.push(format!("kills for memory are not noticed at once: {error}"));
        None
    });
    let root = rootfs::build(bundle, paths)?;
    warnings.extend(root.warnings.iter().cloned());
    let launched = if bundle.runtime.is_some() {
        launch::launch_with_runtime(bundle, paths, &root, group, warnings)
    } else {
        launch::launch(&bundle.spec, &root, group, warnings)
    };
    // The root may be let go of again.
    rustix::process::chdir("/").doing("leave the root")?;
    Ok((memory, launched?))
}

/// The socket must be bound by a short name; the path to the directory may be too long for one.
fn listen(paths: &Paths) -> Result<UnixListener, Failure> {
    let step = "listen on the shim's socket";
    std::env::set_current_dir(paths.directory()).doing(step)?;
    let listener = UnixListener::bind(Paths::SOCKET).doing(step)?;
    listener.set_nonblocking(true).doing(step)?;
    std::env::set_current_dir("/").doing(step)?;
    Ok(listener)
}

/// Writes down that the container never came to run.
fn record_failure(paths: &Paths, story: String) {
    let exit =
        Exit { code: 128, out_of_memory: false, timed_out: false, killed: false, failure: Some(story) };
    let ended = Ended { since: None, at: Timestamp::now(), exit, last_sequence: 0 };
    if let Err(error) = state::write_json(&paths.exit(), &ended) {
        complain(&format!("could not record that: {error}"));
    }
}

/// Frees what the container needed to run. The mounts go with this process; what fails here is
/// done again when the container is cleaned up.
fn tear_down(paths: &Paths, group: &Group) {
    let patience = Duration::from_secs(5);
    let results = [
        group.kill_all(patience),
        group.remove(patience),
        std::fs::remove_file(paths.socket()),
        // A file system in use keeps its file until this process is gone.
        std::fs::remove_file(paths.disk()),
    ];
    for error in results.into_iter().filter_map(Result::err) {
        if error.kind() != io::ErrorKind::NotFound {
            complain(&format!("could not tear everything down: {error}"));
        }
    }
    let _ = sys::reap_any();
}
