//! Giving up power, for good: what is dropped here, nothing the container does brings back.

use crate::error::{Doing, Failure};
use crate::{power, seccomp, sys};
use engine::Power;
use rustix::fs::{Gid, Mode, Uid};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};
use std::fs;

/// Open files: as on Heroku's dynos.
const OPEN_FILES: u64 = 10_000;

/// When the machine itself runs out of memory, containers go before the server.
const OOM_SCORE: &str = "300";

/// Limits of the process that its control groups do not cover.
pub(super) fn resources() -> Result<(), Failure> {
    let limit = |resource, wanted: u64| {
        // Without CAP_SYS_RESOURCE a limit can only be lowered; a lower one is good enough.
        let hard = getrlimit(resource).maximum.map_or(wanted, |hard| hard.min(wanted));
        setrlimit(resource, Rlimit { current: Some(hard), maximum: Some(hard) })
    };
    limit(Resource::Nofile, OPEN_FILES).doing("limit open files")?;
    // One byte, not none: the kernel takes it as "nor to a program" (Linux, fs/coredump.c). With 0 it still
    // starts the one that `core_pattern` names, as the host's root, for every crash in here.
    limit(Resource::Core, 1).doing("turn core dumps off")?;
    // May be lower already, and then it cannot be lowered back later: no harm.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    rustix::process::umask(Mode::from_raw_mode(0o022));
    Ok(())
}

/// Becomes the container's user, with the capabilities of its power, of which there mostly are none,
/// and without a way to get any more.
pub(super) fn identity(user: u32, group: u32, power: Power) -> Result<(), Failure> {
    let step = "drop capabilities";
    let kept = power::capabilities(power);
    let mut number = 0;
    while number < 64 {
        let named = CapabilitySet::from_bits_retain(1 << number);
        if !kept.contains(named) && !sys::drop_bounding_capability(number).doing(step)? {
            break;
        }
        number += 1;
    }
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(group));
    rustix::thread::set_thread_groups(&[gid]).doing("set the groups")?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).doing("become the user")?;
    if power == Power::Plain {
        // Also the container's root is nobody special.
        let bits = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
        rustix::thread::set_capabilities_secure_bits(bits).doing(step)?;
    }
    rustix::thread::set_thread_res_uid(uid, uid, uid).doing("become the user")?;
    rustix::thread::clear_ambient_capability_set().doing(step)?;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).doing(step)?;
    rustix::thread::set_no_new_privs(true).doing("refuse new privileges")?;
    // Nobody inside may look into init, which began its life as a process of the host.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).doing("hide init's memory")
}

/// Puts the system call filter in place.
pub(super) fn system_calls(power: Power) -> Result<(), Failure> {
    seccomp::install(power).doing("install the system call filter")
}
