//! Learning that the kernel killed something for its memory.

use super::Group;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// Tells when a group ran out of memory. Keeps the group's files open.
pub struct MemoryEvents {
    /// Where the count of kills is.
    counter: PathBuf,
    wake: Wake,
}

enum Wake {
    /// Version 1: an eventfd registered with `memory.oom_control`, which stays open for it.
    Eventfd { eventfd: OwnedFd, _control: File },
    /// Version 2: `memory.events` polls urgent when it has changed.
    File(File),
}

impl MemoryEvents {
    /// Starts to watch. `None` where there is no memory controller.
    pub fn watch(group: &Group) -> io::Result<Option<Self>> {
        let Some(directory) = group.directory_of("memory") else { return Ok(None) };
        let events = directory.join("memory.events");
        if events.exists() {
            let wake = Wake::File(File::open(&events)?);
            return Ok(Some(Self { counter: events, wake }));
        }
        let control = directory.join("memory.oom_control");
        let file = File::open(&control)?;
        let eventfd = rustix::event::eventfd(
            0,
            rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK,
        )?;
        fs::write(
            directory.join("cgroup.event_control"),
            format!("{} {}", eventfd.as_raw_fd(), file.as_raw_fd()),
        )?;
        Ok(Some(Self { counter: control, wake: Wake::Eventfd { eventfd, _control: file } }))
    }

    /// What to poll, and whether for urgent data (`POLLPRI`) rather than plain input.
    pub fn poll_target(&self) -> (BorrowedFd<'_>, bool) {
        match &self.wake {
            Wake::Eventfd { eventfd, .. } => (eventfd.as_fd(), false),
            Wake::File(file) => (file.as_fd(), true),
        }
    }

    /// Whether the kernel wakes before it kills (version 1), so that the count comes later.
    pub fn is_early(&self) -> bool {
        matches!(self.wake, Wake::Eventfd { .. })
    }

    /// How many processes of the group the kernel has killed for memory. Also makes the target
    /// quiet again after it has woken a poll.
    pub fn kills(&self) -> u64 {
        match &self.wake {
            Wake::Eventfd { eventfd, .. } => {
                let _ = rustix::io::read(eventfd, &mut [0; 8]);
            }
            Wake::File(file) => {
                // Reading is what arms the next wake-up.
                let _ = std::os::unix::fs::FileExt::read_at(file, &mut [0; 1024], 0);
            }
        }
        fs::read_to_string(&self.counter).map_or(0, |text| parse_kills(&text))
    }
}

/// The line `oom_kill N`, which `memory.events` and `memory.oom_control` both have.
fn parse_kills(text: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::parse_kills;

    #[test]
    fn kills_are_counted_from_either_version() {
        assert_eq!(parse_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3);
        assert_eq!(parse_kills("low 0\nhigh 0\nmax 8\noom 1\noom_kill 2\noom_group_kill 1\n"), 2);
        assert_eq!(parse_kills(""), 0);
    }
}
