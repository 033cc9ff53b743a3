//! How many connections this process can bear.
//!
//! The router, the API, the database and the containers' engine share one process and so its
//! descriptors and memory. What strangers can take of both is bounded below what the rest needs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More is of no use to anything here.
const MOST: u64 = 1 << 18;
/// When the system does not say.
const USUAL_MEMORY: u64 = 2 << 30;
/// Bytes that a connection's client can make the router keep: the head of a request.
const CONNECTION_BYTES: u64 = 64 << 10;

/// Connections at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) router: usize,
    pub(crate) api: usize,
    pub(crate) rendezvous: usize,
}

impl Capacity {
    /// Takes as many descriptors as this process may have, and shares them out.
    pub(crate) fn claim() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.unwrap_or(MOST).min(MOST);
        let had = limit.current.unwrap_or(MOST);
        let raised = wanted > had
            && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok();
        Self::of(if raised { wanted } else { had }, memory().unwrap_or(USUAL_MEMORY))
    }

    /// Each request in the router takes two descriptors, for the client and for the dyno; together
    /// they get five eighths. The API gets an eighth, and so do attached dynos, which take two each.
    fn of(descriptors: u64, memory: u64) -> Self {
        let router = (descriptors * 5 / 16).min(memory / 8 / CONNECTION_BYTES).min(20_000);
        Self {
            router: router as usize,
            api: (descriptors / 8).min(1024) as usize,
            rendezvous: (descriptors / 16).min(1024) as usize,
        }
    }
}

/// Bytes of memory that the machine has.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_left_for_the_rest() {
        for (descriptors, memory, router, api, rendezvous) in [
            (1 << 18, 64 << 30, 20_000, 1024, 1024),
            (20_000, 24 << 30, 6250, 1024, 1024),
            (1024, 24 << 30, 320, 128, 64),
            (1 << 18, 2 << 30, 4096, 1024, 1024),
        ] {
            let capacity = Capacity::of(descriptors, memory);
            assert_eq!(capacity, Capacity { router, api, rendezvous }, "{descriptors} {memory}");
            assert!((2 * router + api + 2 * rendezvous) as u64 <= descriptors * 7 / 8);
        }
    }

    #[test]
    fn this_machine_bears_some() {
        assert!(memory().unwrap() > 1 << 27);
        let capacity = Capacity::claim();
        assert!(capacity.router > 0 && capacity.api > 0, "{capacity:?}");
    }
}
