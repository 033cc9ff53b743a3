//! The process that holds a container: sets it up, watches it, collects its output, does what its
//! socket asks, and writes down how it ended.
//!
//! It is a process of one thread that waits in `poll`; it needs no server, and a container's
//! limits and deadlines hold while there is none. It never waits for a client: what one does not
//! read, it does not get.

mod attached;
mod connections;
mod events;
mod lines;
mod ports;
mod stem;

use crate::bundle::{Bundle, Paths};
use crate::cgroup::{Group, Hierarchies, MemoryEvents};
use crate::error::{Doing, Failure};
use crate::spool::Spool;
use crate::state::{self, Ended, Phase, State};
use crate::{launch, oci, rootfs, sys};
use engine::Exit;
use jiff::Timestamp;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// Runs the process that shims are forked from, for the installation whose control group is the one
/// argument; its standard input is the server's socket. In each fork, runs the shim.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let mut arguments = arguments.into_iter().map(OsString::into_string);
    let (Some(Ok(parent)), None) = (arguments.next(), arguments.next()) else {
        complain("usage: CONTROL-GROUP, and a server's socket as standard input");
        std::process::exit(2)
    };
    let socket = sys::take_standard_input().doing("take the server's socket");
    match socket.and_then(|socket| stem::serve(socket, &parent)) {
        Ok(Some(forked)) => run(forked),
        Ok(None) => std::process::exit(0),
        Err(failure) => {
            complain(&failure.story());
            std::process::exit(1)
        }
    }
}

/// The shim, from its first moment.
fn run(mut forked: stem::Forked) -> ! {
    let listener = match forked.detach().and_then(|()| listen(&forked.paths)) {
        Ok(listener) => listener,
        Err(failure) => {
            complain(&failure.story());
            forked.line.fail(&failure.story());
            std::process::exit(1)
        }
    };
    let stem::Forked { paths, disk, hierarchies, lock, mut line, mut warnings, .. } = forked;
    line.ready();
    // The server makes the network meanwhile.
    let disk = rootfs::Disk::make(&paths, disk, &mut warnings);
    line.wait();
    let held = match state::read_json(&paths.spec()).doing("read the container's spec") {
        Ok(Some(bundle)) => hold(&paths, &bundle, Beginning { hierarchies, listener, disk, warnings }),
        // The server has given up, or is gone. What was made here goes with this process, and the
        // directory when somebody tidies up.
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    if let Err(failure) = held {
        complain(&failure.story());
        record_failure(&paths, failure.story());
    }
    drop(lock);
    std::process::exit(0)
}

/// What is there before the container's spec is known.
struct Beginning {
    hierarchies: Hierarchies,
    /// So that the server can connect at once.
    listener: UnixListener,
    disk: rootfs::Disk,
    warnings: Vec<String>,
}

/// Standard error is the container's `shim.log`.
#[expect(clippy::print_stderr, reason = "a shim has no other place to say something about itself")]
fn complain(text: &str) {
    eprintln!("{} {text}", Timestamp::now());
}

/// The container's whole life.
fn hold(paths: &Paths, bundle: &Bundle, beginning: Beginning) -> Result<(), Failure> {
    let Beginning { hierarchies, listener, disk, warnings } = beginning;
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
    let launched = set_up(bundle, paths, &group, disk, &mut state.warnings);
    for warning in &state.warnings {
        complain(warning);
    }
    let ended = match launched {
        Ok((memory, launched)) => events::Loop::new(paths, bundle, memory, launched, state, spool, listener)
            .and_then(events::Loop::run),
        Err(failure) => {
            // Nobody has listened yet, so nobody needs to be told.
            complain(&failure.story());
            record_failure(paths, failure.story());
            Ok(())
        }
    };
    oci::forget(bundle, paths);
    tear_down(paths, &group);
    ended
}

/// Everything up to a program that is started, or only has to be.
fn set_up(
    bundle: &Bundle,
    paths: &Paths,
    group: &Group,
    disk: rootfs::Disk,
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
    let root = rootfs::build(bundle, paths, disk)?;
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
