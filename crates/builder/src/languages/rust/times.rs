//! The program that gives sources their times.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

struct Checkout {
    tree: tempfile::TempDir,
    kept: tempfile::TempDir,
}

impl Checkout {
    fn run(&self, step: &str) {
        let record = self.kept.path().join("times");
        let ended = Command::new("python3")
            .args(["-c", include_str!("times.py"), step])
            .arg(record)
            .current_dir(self.tree.path())
            .status()
            .unwrap();
        assert!(ended.success());
    }

    /// Unpacks a commit with its times and builds it; tells the times in seconds since 1970.
    fn build<const N: usize>(&self, files: [(&str, &str); N]) -> [u64; N] {
        let root = self.tree.path();
        fs::remove_dir_all(root).unwrap();
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            let committed = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            fs::File::options().write(true).open(&path).unwrap().set_modified(committed).unwrap();
        }
        self.run("begin");
        let times = files.map(|(name, _)| seconds(&root.join(name)));
        self.run("end");
        times
    }
}

fn seconds(path: &Path) -> u64 {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn only_what_has_changed_is_newer_than_the_last_build() {
    let checkout = Checkout { tree: tempfile::tempdir().unwrap(), kept: tempfile::tempdir().unwrap() };
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let [a1, b1, _] = checkout.build([("src/a.rs", "a"), ("src/b.rs", "b"), ("target/x", "x")]);
    assert!(a1 >= began && b1 >= began);
    // In the same second, and with the times of the same commit.
    let [a2, b2] = checkout.build([("src/a.rs", "a"), ("src/b.rs", "other")]);
    assert_eq!(a2, a1);
    assert!(b2 > b1);
    // What comes back was not there when the last build was made.
    let [a3, b3] = checkout.build([("src/a.rs", "a"), ("src/b.rs", "b")]);
    assert_eq!(a3, a1);
    assert!(b3 > b2);
    // A directory changes with the names in it.
    let directory = || seconds(&checkout.tree.path().join("src"));
    let before = directory();
    checkout.build([("src/a.rs", "a"), ("src/b.rs", "b")]);
    assert_eq!(directory(), before);
    checkout.build([("src/a.rs", "a"), ("src/b.rs", "b"), ("src/c.rs", "c")]);
    assert!(directory() > before);
}
