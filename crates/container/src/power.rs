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

fn of(power: Power) -> &'static [(CapabilitySet, &'static str)] {
    match power {
        Power::Plain => &[],
        Power::Packages => &PACKAGES,
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
