use super::*;
use crate::Compression;
use crate::testing::Archive;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::io::Write;
use tar::EntryType;

const BYTES: u64 = 1 << 20;
/// Nobody else admits anything here.
const TURN: Turn = Turn { _permit: None };

struct Fixture {
    dir: tempfile::TempDir,
    store: ImageStore,
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

fn compressed(archive: &[u8], compression: Compression) -> Vec<u8> {
    let mut encoder = compression.encoder(Vec::new()).unwrap();
    encoder.write_all(archive).unwrap();
    encoder.finish().unwrap()
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let store = ImageStore::open(dir.path()).unwrap();
        Self { dir, store }
    }

    fn put(&self, bytes: &[u8]) -> Digest {
        self.store.put_blob(bytes, u64::MAX, None).unwrap().digest
    }

    /// An image of these archives, as a registry would take it, with changes to its config.
    fn image(&self, layers: &[Vec<u8>], config: &Value) -> Digest {
        let mut document = json!({
            "os": "linux",
            "architecture": architecture().to_string(),
            "config": { "Cmd": ["/bin/web"], "Env": ["A=1"] },
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|one| sha256(one).to_string()).collect::<Vec<_>>() },
        });
        for (key, value) in config.as_object().unwrap() {
            document[key] = value.clone();
        }
        let config = self.put(document.to_string().as_bytes());
        let layers: Vec<_> = layers
            .iter()
            .map(|layer| {
                let blob = compressed(layer, Compression::Gzip);
                json!({
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": self.put(&blob).to_string(),
                    "size": blob.len(),
                })
            })
            .collect();
        self.manifest(config, &json!(layers))
    }

    fn manifest(&self, config: Digest, layers: &Value) -> Digest {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.to_string(), "size": 1 },
            "layers": layers,
        });
        self.put(manifest.to_string().as_bytes())
    }

    /// The message of a refusal, after which nothing may be left.
    fn refusal(&self, manifest: &Digest) -> String {
        let before = self.layers();
        let error = self.store.admit(&TURN, manifest, BYTES).unwrap_err();
        assert!(error.is_images_fault(), "{error:?}");
        assert_eq!(self.layers(), before, "{error}");
        error.to_string()
    }

    fn layers(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path().join("layers")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn layer(name: &str) -> Vec<u8> {
    Archive::default().file(name, "content").end()
}

#[test]
fn an_honest_image_is_unpacked_once() {
    let fixture = Fixture::new();
    let empty = Archive::default().end();
    let manifest = fixture.image(&[layer("bin/web"), empty, layer("etc/x")], &json!({}));
    let image = fixture.store.admit(&TURN, &manifest, BYTES).unwrap();
    assert_eq!((image.digest, image.layers.len(), fixture.layers().len()), (manifest, 3, 3));
    // The second time nothing is read again: the blobs may even be gone.
    for layer in &image.layers {
        std::fs::remove_file(fixture.store.blobs.path(&layer.digest)).unwrap();
    }
    assert_eq!(fixture.store.admit(&TURN, &manifest, BYTES).unwrap(), image);
}

#[test]
fn an_index_is_admitted_for_the_image_that_fits() {
    let fixture = Fixture::new();
    let manifest = fixture.image(&[layer("bin/web")], &json!({}));
    let entry = |digest: &Digest, architecture: &str| json!({ "digest": digest.to_string(), "platform": { "os": "linux", "architecture": architecture } });
    let own = architecture().to_string();
    let index = json!({ "manifests": [entry(&sha256(b"x"), "riscv64"), entry(&manifest, &own)] });
    let index = fixture.put(index.to_string().as_bytes());
    assert_eq!(fixture.store.admit(&TURN, &index, BYTES).unwrap().digest, manifest);
    let foreign = json!({ "manifests": [entry(&manifest, "riscv64"), { "digest": "x" }] });
    let foreign = fixture.put(foreign.to_string().as_bytes());
    assert!(fixture.refusal(&foreign).starts_with("it is for linux/riscv64, and this server is linux/"));
}

#[test]
fn hostile_layers_are_refused_and_leave_nothing() {
    let fixture = Fixture::new();
    let huge = |kind: EntryType| {
        let mut header = Archive::header("big", kind, 0);
        header.set_size(1 << 40);
        header.set_cksum();
        Archive::default().raw(&header, b"").end()
    };
    let bomb = Archive::default().file("zeros", &"\0".repeat(2 << 20)).end();
    let many = (0..300).fold(Archive::default(), |archive, number| archive.file(&format!("f{number}"), ""));
    for (archive, words) in [
        (Archive::default().file("../escape", "x").end(), "its path contains `..`"),
        (Archive::default().file("/etc/passwd", "x").end(), "its path is absolute"),
        (Archive::default().symlink("a", "/etc").file("a/passwd", "x").end(), "passes through a link"),
        (Archive::default().link("h", EntryType::Link, "../../etc/shadow").end(), "hard link"),
        (huge(EntryType::Regular), "unpack to more than 1 MiB"),
        (bomb, "unpack to more than 1 MiB"),
        (b"no archive at all".repeat(100), "cannot be read"),
    ] {
        let manifest = fixture.image(&[layer("first"), archive], &json!({}));
        let message = fixture.refusal_after_first(&manifest);
        assert!(message.contains(words), "{message}");
    }
    let manifest = fixture.image(&[many.end()], &json!({}));
    assert!(fixture.store.admit(&TURN, &manifest, BYTES).is_ok());
}

impl Fixture {
    /// As [`refusal`](Self::refusal), for an image whose first layer is good: that one may stay.
    fn refusal_after_first(&self, manifest: &Digest) -> String {
        let good = self.image(&[layer("first")], &json!({}));
        self.store.admit(&TURN, &good, BYTES).unwrap();
        self.refusal(manifest)
    }
}

#[test]
fn device_nodes_are_left_out() {
    let fixture = Fixture::new();
    let archive = Archive::default().kind("sda", EntryType::Block).kind("tty", EntryType::Char).file("f", "");
    let image = fixture.store.admit(&TURN, &fixture.image(&[archive.end()], &json!({})), BYTES).unwrap();
    let tree = fixture.store.layers(&image.digest).unwrap().remove(0);
    let names: Vec<_> = std::fs::read_dir(tree).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["f"]);
}

#[test]
fn all_layers_together_have_one_limit() {
    let fixture = Fixture::new();
    let half = |name: &str| Archive::default().file(name, &"x".repeat(600 << 10)).end();
    let manifest = fixture.image(&[half("a"), half("b")], &json!({}));
    assert!(fixture.store.admit(&TURN, &manifest, 2 * BYTES).is_ok());
    // Also when the layers are there already.
    assert_eq!(fixture.refusal(&manifest), "its layers unpack to more than 1 MiB");
}

#[test]
fn nobody_waits_for_a_layer_that_only_claims_to_be_theirs() {
    let fixture = Fixture::new();
    let manifest = fixture.image(&[layer("bin/web")], &json!({}));
    let claimed = fixture.store.image(&manifest).unwrap().layers[0];
    // A pipe in the blob's place, so that the unpacking goes on for as long as is wanted here.
    let path = fixture.store.blobs.path(&claimed.digest);
    let blob = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let store = fixture.store.clone();
    let admission = std::thread::spawn(move || store.admit(&TURN, &manifest, BYTES).unwrap());
    // Opens once the other end is read from.
    let mut pipe = std::fs::File::options().write(true).open(&path).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let store = fixture.store.clone();
    std::thread::spawn(move || store.layers.alone(&claimed.diff_id, || sender.send(())));
    let turn = receiver.recv_timeout(Duration::from_mins(1));
    assert!(turn.is_ok(), "the claim keeps others from the layer");
    pipe.write_all(&blob).unwrap();
    drop(pipe);
    admission.join().unwrap();
    assert!(fixture.store.layers.ready(&claimed.diff_id).is_some());
}

#[test]
fn a_blob_is_not_taken_for_another_one() {
    let fixture = Fixture::new();
    let secret = layer("secret");
    let known = fixture.image(std::slice::from_ref(&secret), &json!({}));
    fixture.store.admit(&TURN, &known, BYTES).unwrap();
    // Who knows nothing but the digest of somebody's layer does not get at what is in it.
    let lie = json!({ "rootfs": { "type": "layers", "diff_ids": [sha256(&secret).to_string()] } });
    let manifest = fixture.image(&[layer("mine")], &lie);
    assert_eq!(fixture.refusal(&manifest), "its layer 1 is not what the image's config says");
}

#[test]
fn what_cannot_run_is_refused() {
    let fixture = Fixture::new();
    let one = || vec![layer("bin/web")];
    let many = vec![layer("bin/web"); 128];
    for (layers, config, words) in [
        (one(), json!({ "architecture": "riscv64" }), "it is for linux/riscv64"),
        (one(), json!({ "os": "windows" }), "it is for windows/"),
        (one(), json!({ "config": { "Cmd": ["a\0b"] } }), "its CMD cannot be used"),
        (one(), json!({ "config": { "Cmd": ["a"], "Env": ["A=\0"] } }), "its ENV cannot be used"),
        (
            one(),
            json!({ "config": { "Entrypoint": ["x".repeat(300_000)] } }),
            "its ENTRYPOINT cannot be used",
        ),
        (one(), json!({ "rootfs": { "type": "layers", "diff_ids": [] } }), "disagree about the layers"),
        (one(), json!({ "rootfs": 1 }), "its config is not an image config"),
        (vec![], json!({}), "has no layers"),
        (many, json!({}), "it has 128 layers"),
    ] {
        let message = fixture.refusal(&fixture.image(&layers, &config));
        assert!(message.contains(words), "{message}");
    }
    let idle = fixture.store.admit(&TURN, &fixture.image(&one(), &json!({ "config": {} })), BYTES).unwrap();
    assert!(matches!(idle.own_command(), Err(AdmitError::NoCommand)));
    for (text, words) in [("[]", "is no image"), ("{}", "is no image"), ("x", "is no image")] {
        let message = fixture.refusal(&fixture.put(text.as_bytes()));
        assert!(message.contains(words), "{message}");
    }
    let large = " ".repeat(5 << 20);
    let message = fixture.refusal(&fixture.put(large.as_bytes()));
    assert_eq!(message, "it is no image: its manifest is larger than 4 MiB");
    let message = fixture.refusal(&fixture.image(&one(), &json!({ "author": large })));
    assert_eq!(message, "it is no image: its config is larger than 4 MiB");
    assert_eq!(fixture.refusal(&sha256(b"nowhere")), "it is not in the registry any more");
    let config = fixture.image(&one(), &json!({}));
    let config = fixture.store.image(&config).unwrap().config;
    let absent = json!([{
        "mediaType": "application/vnd.oci.image.layer.v1.tar",
        "digest": sha256(b"absent").to_string(),
        "size": 1,
    }]);
    assert_eq!(fixture.refusal(&fixture.manifest(config, &absent)), "its layer 1 was not pushed");
    // A registry does not ask for a layer that has an address, so it may be a stranger's.
    let mut elsewhere = absent;
    elsewhere[0]["digest"] = json!(fixture.put(&layer("bin/web")).to_string());
    elsewhere[0]["urls"] = json!([]);
    assert!(fixture.store.admit(&TURN, &fixture.manifest(config, &elsewhere), BYTES).is_ok());
    elsewhere[0]["urls"] = json!(["https://example.com/layer"]);
    let message = fixture.refusal(&fixture.manifest(config, &elsewhere));
    assert_eq!(message, "it is no image: a layer lies elsewhere");
}
