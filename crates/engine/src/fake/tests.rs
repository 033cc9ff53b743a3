//! What only the fake can do; what every engine does is in the contract suite.

use super::container::exit_of;
use super::*;
use crate::{Limits, Power, Status, Terminal};
use uuid::Uuid;

fn spec(terminal: Terminal) -> ContainerSpec {
    ContainerSpec {
        id: Uuid::new_v4(),
        labels: BTreeMap::from([("kind".into(), "dyno".into())]),
        image: Digest::from_bytes([7; 32]),
        command: vec!["true".into()],
        env: BTreeMap::new(),
        working_dir: "/app".into(),
        hostname: "web.1".into(),
        user: 1000,
        group: None,
        power: Power::Plain,
        limits: Limits {
            memory: 1 << 20,
            memory_max: 2 << 20,
            cpu_weight: 100,
            cpu_millis: None,
            pids: 10,
            disk: 1 << 20,
        },
        terminal,
        mounts: Vec::new(),
        volumes: Vec::new(),
        address: None,
        reach: Vec::new(),
        watch_port: Some(5000),
        time_limit: None,
    }
}

#[tokio::test]
async fn a_test_drives_a_container() {
    let fake = Fake::new();
    let spec = spec(Terminal::Log);
    let id = spec.id;
    let mut changes = fake.changes();
    fake.start(spec).await.expect("start");
    assert!(changes.has_changed().expect("engine is alive"));
    changes.mark_unchanged();
    assert!(fake.listen(id));
    assert!(changes.has_changed().expect("engine is alive"));
    let seen = fake.observe_one(id).await.expect("observe");
    assert!(matches!(seen.status, Status::Running { listening: true, .. }), "{:?}", seen.status);
    fake.use_resources(id, Usage { memory_rss: 5, ..Usage::default() });
    assert_eq!(fake.observe().await.expect("observe")[0].usage.memory_rss, 5);
    assert!(fake.exit(id, 3));
    assert!(!fake.exit(id, 4), "it ends once");
    assert_eq!(fake.wait(id).await.expect("wait"), exit_of(3));
}

#[tokio::test]
async fn a_clone_finds_the_same_world() {
    let fake = Fake::new();
    let spec = spec(Terminal::Log);
    let id = spec.id;
    fake.start(spec).await.expect("start");
    fake.print(id, "one");
    fake.overflow(id, 9);
    let again = fake.clone();
    drop(fake);
    let mut lines = again.output(id, 0).await.expect("output");
    let first = lines.recv().await.expect("a line");
    assert_eq!(first.content, OutputContent::Line("one".into()));
    let second = lines.recv().await.expect("a note");
    assert_eq!((second.sequence, second.content), (2, OutputContent::Dropped(9)));
    assert_eq!(again.calls(), [Call::Start(id)]);
}

#[tokio::test]
async fn broken_calls_fail_and_are_not_recorded() {
    let fake = Fake::new();
    fake.break_down(Some("the disk is full"));
    let error = fake.start(spec(Terminal::Log)).await.expect_err("broken");
    assert_eq!(error.to_string(), "the disk is full");
    fake.break_down(None);
    assert!(fake.calls().is_empty());
    assert!(fake.observe().await.expect("observe").is_empty());
}

/// The suite's engine: one fake, and each container does the steps it was prepared with.
struct Subject {
    fake: Fake,
    steps: Arc<Mutex<BTreeMap<ContainerId, Vec<Step>>>>,
}

const IMAGE: [u8; 32] = [1; 32];

#[async_trait]
impl crate::contract::Subject for Subject {
    async fn engine(&self) -> Arc<dyn Engine> {
        Arc::new(self.fake.clone())
    }

    fn image(&self) -> Digest {
        Digest::from_bytes(IMAGE)
    }

    fn prepare(&self, id: ContainerId, steps: &[Step]) {
        self.steps.lock().expect("lock").insert(id, steps.to_vec());
    }
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    let fake = Fake::new();
    fake.images([Digest::from_bytes(IMAGE)]);
    let steps = Arc::new(Mutex::new(BTreeMap::new()));
    let known = Arc::clone(&steps);
    fake.script(move |spec| known.lock().expect("lock").remove(&spec.id).expect("a prepared container"));
    crate::contract::run(Arc::new(Subject { fake, steps })).await;
}
