//! Capabilities: which ones a container keeps. They count inside of its user namespace only.

use engine::Power;
use rustix::thread::CapabilitySet;

/// Those of [`Power::Packages`]: what apt, dpkg and the scripts of packages use, and none that
/// concerns anything but the container's own files and processes.
const PACKAGES: [(CapabilitySet, &str); 8] = [
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
    (CapabilitySet::FSETID, "CAP_FSETID"),
    (CapabilitySet::KILL, "CAP_KILL"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SETFCAP, "CAP_SETFCAP"),
];

/// Those of [`Power::Images`]: what installing packages takes, and to lay out another root, enter it
/// and give the programs there less. Mounting counts in the container's own namespaces only.
const IMAGES: [(CapabilitySet, &str); 12] = [
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
    (CapabilitySet::FSETID, "CAP_FSETID"),
    (CapabilitySet::KILL, "CAP_KILL"),
    (CapabilitySet::NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"),
    (CapabilitySet::SETFCAP, "CAP_SETFCAP"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::SETPCAP, "CAP_SETPCAP"),
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
    (CapabilitySet::SYS_CHROOT, "CAP_SYS_CHROOT"),
];

fn of(power: Power) -> &'static [(CapabilitySet, &'static str)] {
    match power {
        Power::Plain => &[],
        Power::Packages => &PACKAGES,
        Power::Images => &IMAGES,
    }
}

/// As a set.
pub(crate) fn capabilities(power: Power) -> CapabilitySet {
    of(power).iter().fold(CapabilitySet::empty(), |all, (one, _)| all | *one)
}

/// By their names.
pub(crate) fn names(power: Power) -> Vec<&'static str> {
    of(power).iter().map(|(_, name)| *name).collect()
}
