//! What a container uses, read often: files are opened once and read again from their start,
//! which costs a seventh of opening them each time.

use super::Group;
use engine::Usage;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Reads one container's usage again and again.
pub struct UsageReader {
    memory_stat: Option<File>,
    memory_swap: Option<File>,
    /// Version 1, nanoseconds.
    cpuacct_usage: Option<File>,
    /// Version 2.
    cpu_stat: Option<File>,
    pids_current: Option<File>,
}

impl UsageReader {
    /// Opens what the group has; what it has not stays zero.
    pub fn open(group: &Group) -> Self {
        let open = |directory: Option<&Path>, file: &str| File::open(directory?.join(file)).ok();
        let memory = group.directory_of("memory");
        let pids = group.directory_of("pids");
        let cpuacct = group.directory_of("cpuacct");
        let unified = group.hierarchies.unified.as_ref().map(|unified| unified.mount.join(&group.path));
        Self {
            memory_stat: open(memory.as_deref(), "memory.stat"),
            memory_swap: open(memory.as_deref(), "memory.swap.current"),
            cpuacct_usage: open(cpuacct.as_deref(), "cpuacct.usage"),
            cpu_stat: open(unified.as_deref(), "cpu.stat"),
            pids_current: open(pids.as_deref(), "pids.current"),
        }
    }

    /// What is used now. Init is not counted among the processes.
    pub fn read(&self) -> Usage {
        let stat = text(self.memory_stat.as_ref());
        let first = |names: [&str; 2]| names.into_iter().find_map(|name| field(&stat, name)).unwrap_or(0);
        let cpu = text(self.cpuacct_usage.as_ref()).trim().parse().ok();
        let cpu_stat = || field(&text(self.cpu_stat.as_ref()), "usage_usec").map(|usec| usec * 1000);
        Usage {
            memory_rss: first(["total_rss", "anon"]),
            memory_cache: first(["total_cache", "file"]),
            memory_swap: field(&stat, "total_swap").unwrap_or_else(|| number(self.memory_swap.as_ref())),
            cpu_nanos: cpu.or_else(cpu_stat).unwrap_or(0),
            pids: number(self.pids_current.as_ref()).saturating_sub(1),
        }
    }
}

fn text(file: Option<&File>) -> String {
    // `memory.stat` has about 2 kB on kernels of 2026.
    let mut buffer = [0; 16 << 10];
    let length = file.and_then(|file| file.read_at(&mut buffer, 0).ok()).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn number(file: Option<&File>) -> u64 {
    text(file).trim().parse().unwrap_or(0)
}

/// The number behind `name` in a file of `name number` lines.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::{Group, Hierarchies};
    use super::*;
    use std::fmt::Write;
    use std::fs;

    fn group(mountinfo: &str) -> Group {
        Group::new(Hierarchies::parse(mountinfo).unwrap(), "parent", "group")
    }

    #[test]
    fn version_1_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display();
        let mut mountinfo = String::new();
        for (controller, file, content) in [
            (
                "memory",
                "memory.stat",
                "cache 1\nrss 2\ntotal_cache 100\ntotal_rss 200\ntotal_rss_huge 9\ntotal_swap 5\n",
            ),
            ("cpuacct", "cpuacct.usage", "123456789\n"),
            ("pids", "pids.current", "4\n"),
        ] {
            let group = directory.path().join(controller).join("parent/group");
            fs::create_dir_all(&group).unwrap();
            fs::write(group.join(file), content).unwrap();
            writeln!(mountinfo, "1 1 0:1 / {at}/{controller} rw - cgroup cgroup rw,{controller}").unwrap();
        }
        let reader = UsageReader::open(&group(&mountinfo));
        let expected =
            Usage { memory_rss: 200, memory_cache: 100, memory_swap: 5, cpu_nanos: 123_456_789, pids: 3 };
        assert_eq!(reader.read(), expected);
        fs::write(directory.path().join("pids/parent/group/pids.current"), "7\n").unwrap();
        assert_eq!(reader.read().pids, 6, "the kept file is read anew");
    }

    #[test]
    fn version_2_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let group_directory = directory.path().join("parent/group");
        fs::create_dir_all(&group_directory).unwrap();
        fs::write(directory.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        for (file, content) in [
            ("memory.stat", "anon 200\nfile 100\nkernel 7\n"),
            ("memory.swap.current", "5\n"),
            ("cpu.stat", "usage_usec 123\nuser_usec 100\n"),
            ("pids.current", "1\n"),
        ] {
            fs::write(group_directory.join(file), content).unwrap();
        }
        let line = format!("1 1 0:1 / {} rw - cgroup2 cgroup2 rw\n", directory.path().display());
        let expected =
            Usage { memory_rss: 200, memory_cache: 100, memory_swap: 5, cpu_nanos: 123_000, pids: 0 };
        assert_eq!(UsageReader::open(&group(&line)).read(), expected);
    }

    #[test]
    fn nothing_there_reads_as_nothing_used() {
        assert_eq!(UsageReader::open(&group("")).read(), Usage::default());
    }
}
