//! Directories that programs of a build fill, and how large they become.

use super::waiting::silent;
use super::*;
use crate::cache::{Directory, Record};
use crate::container::Phase;
use engine::fake::Step;

/// What the program of a build does with its directory.
#[derive(Clone, Copy, Debug)]
struct Sends {
    /// `added` or `whole`.
    what: &'static str,
    bytes: usize,
}

impl World {
    /// A build whose program sends this of its directory; whether it was asked for the whole.
    async fn fill(&mut self, request: &BuildRequest, sends: Sends) -> bool {
        self.engine.script(move |spec| {
            let pipes = spec.mounts[0].source.join("pipes");
            let send = |pipe: &str, name: &str, content: &[u8]| {
                let dir = tempfile::tempdir().unwrap();
                std::fs::write(dir.path().join(name), content).unwrap();
                let options = PackOptions { prefix: "".into(), ..PackOptions::app(1) };
                let pipe = std::fs::File::options().write(true).open(pipes.join(pipe)).unwrap();
                image::pack(dir.path(), pipe, &options, Compression::None).unwrap();
            };
            send("cache", "file", &vec![b'x'; sends.bytes]);
            send("result", "cache.cache", sends.what.as_bytes());
            vec![Step::Exit(0)]
        });
        let output = silent();
        let request = &BuildRequest { build: BuildId::new(), ..request.clone() };
        let mut context = self.context(request, &output);
        let directory = Directory::find(&context, "cache", "key").unwrap();
        let whole = directory.plan().1 == "1";
        let phase = Phase {
            image: context.stack.build,
            script: "fill.sh",
            env: BTreeMap::new(),
            mounts: Vec::new(),
            pipes: vec![directory.pipe()],
            power: Power::Plain,
            decide: None,
        };
        let ended =
            container::run(&self.builder, request, &context.work, phase, context.deadline, &output).await;
        let kept = directory.keep(&mut context, &mut ended.unwrap()).await.unwrap();
        cache::keep(&context.cache(), kept.as_slice()).unwrap();
        whole
    }

    /// How many layers are kept, and with how many bytes of files.
    fn kept(&self, request: &BuildRequest) -> (usize, u64) {
        let record = Record::read_any(&cache::of_app(&self.builder.data, request.app), "cache").unwrap();
        let layers =
            record.images.first().map(|image| self.builder.images.image(image).unwrap().layers.len());
        (layers.unwrap_or_default(), record.bytes)
    }
}

#[tokio::test]
async fn a_directory_never_takes_more_than_twice_its_limit() {
    const LIMIT: u64 = 1 << 20;
    let mut world = World::new();
    let settings = Settings { cache_limit: LIMIT, ..Settings::default() };
    world.builder.settings = Arc::new(settings);
    let request = world.request(&[("a", "")], &[]);
    let part = Sends { what: "added", bytes: 700 << 10 };
    let whole = Sends { what: "whole", ..part };
    let large = |sends: Sends| Sends { bytes: 2 << 20, ..sends };

    assert!(!world.fill(&request, part).await);
    // The first layer is the directory itself.
    assert_eq!(world.kept(&request), (2, 700 << 10));
    assert!(!world.fill(&request, part).await, "it has room");
    assert_eq!(world.kept(&request), (3, 1400 << 10));
    // What is too large leaves what is there.
    assert!(world.fill(&request, large(part)).await, "it is over its limit");
    assert_eq!(world.kept(&request), (3, 1400 << 10));
    assert!(world.fill(&request, whole).await);
    assert_eq!(world.kept(&request), (1, 700 << 10));
    // Unless it is the whole.
    assert!(!world.fill(&request, large(whole)).await);
    assert_eq!(world.kept(&request), (0, 0));
    assert!(!world.fill(&request, part).await);
    assert_eq!(world.kept(&request), (2, 700 << 10));
}
