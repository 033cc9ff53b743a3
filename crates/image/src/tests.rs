//! The store as its users see it.

use crate::*;
use domain::Digest;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

struct Fixture {
    dir: tempfile::TempDir,
    store: ImageStore,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(&dir.path().join("data")).unwrap();
        Self { dir, store }
    }

    /// A tree with one of everything that a slug may hold.
    fn tree(&self, name: &str) -> std::path::PathBuf {
        let tree = self.dir.path().join(name);
        fs::create_dir_all(tree.join("bin/deep")).unwrap();
        fs::create_dir_all(tree.join("empty")).unwrap();
        fs::write(tree.join("Procfile"), "web: a").unwrap();
        fs::write(tree.join("bin/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(tree.join("bin/run"), PermissionsExt::from_mode(0o755)).unwrap();
        fs::hard_link(tree.join("bin/run"), tree.join("bin/run2")).unwrap();
        symlink("../bin/run", tree.join("bin/link")).unwrap();
        let long = "x".repeat(200);
        fs::create_dir_all(tree.join(&long)).unwrap();
        fs::write(tree.join(&long).join("y".repeat(200)), "long").unwrap();
        tree
    }

    fn layer(&self, name: &str) -> Layer {
        self.layer_of(&self.tree(name))
    }

    fn layer_of(&self, tree: &Path) -> Layer {
        self.store
            .add_layer_from_directory(tree, &PackOptions::app(1_700_000_000), Compression::Zstd)
            .unwrap()
    }

    fn collect(&self, roots: &Roots) -> Collected {
        self.store.collect(roots, Duration::ZERO).unwrap()
    }
}

/// All there is below a directory: path → kind, mode, owner, time, content or target.
fn listing(root: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, at: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_dir() {
                walk(root, &path, found);
                "dir".to_owned()
            } else if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            let about = format!("{:o} {}:{} {}", meta.mode() & 0o7777, meta.uid(), meta.gid(), meta.mtime());
            found
                .insert(path.strip_prefix(root).unwrap().display().to_string(), format!("{about} {content}"));
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

#[test]
fn a_blob_is_stored_once_and_only_whole() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let blob = store.put_blob(&b"hello"[..], 5, None).unwrap();
    let known = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!((blob.digest.to_string().as_str(), blob.size), (known, 5));
    assert_eq!(store.put_blob(&b"hello"[..], 5, Some(&blob.digest)).unwrap(), blob);
    let mut content = String::new();
    store.open_blob(&blob.digest).unwrap().read_to_string(&mut content).unwrap();
    assert_eq!((content.as_str(), store.blob_size(&blob.digest).unwrap()), ("hello", 5));

    assert!(matches!(store.put_blob(&b"hello!"[..], 5, None), Err(StoreError::TooLarge { limit: 5 })));
    assert!(matches!(
        store.put_blob(&b"other"[..], 5, Some(&blob.digest)),
        Err(StoreError::DigestMismatch { expected, .. }) if expected == blob.digest
    ));
    drop(store.begin_blob(10).unwrap());
    let incoming = fixture.dir.path().join("data/blobs/incoming");
    assert_eq!(fs::read_dir(incoming).unwrap().count(), 0, "failed writers left something");
    let absent = Digest::from_bytes([7; 32]);
    assert!(matches!(store.open_blob(&absent), Err(StoreError::NotFound(digest)) if digest == absent));
}

#[tokio::test]
async fn a_stream_becomes_a_blob_unless_it_fails() {
    let fixture = Fixture::new();
    let content = vec![7; 1_000_000];
    let blob = fixture.store.receive_blob(content.as_slice(), 1_000_000, None).await.unwrap();
    assert_eq!(blob, fixture.store.put_blob(content.as_slice(), u64::MAX, None).unwrap());
    let over = fixture.store.receive_blob(content.as_slice(), 999_999, None).await;
    assert!(matches!(over, Err(StoreError::TooLarge { limit: 999_999 })), "{over:?}");
    let (broken, mut writing) = tokio::io::duplex(64);
    let failing = tokio::io::AsyncReadExt::chain(broken, BrokenReader);
    tokio::io::AsyncWriteExt::write_all(&mut writing, b"half").await.unwrap();
    drop(writing);
    let failed = fixture.store.receive_blob(failing, 100, None).await;
    assert!(matches!(failed, Err(StoreError::System { .. })), "{failed:?}");
    assert_eq!(fs::read_dir(fixture.dir.path().join("data/blobs/sha256")).unwrap().count(), 1);
}

struct BrokenReader;

impl tokio::io::AsyncRead for BrokenReader {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
    }
}

#[test]
fn the_same_content_gives_the_same_layer() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.tree("one"), fixture.tree("two"));
    for path in ["Procfile", "bin/run"] {
        let file = fs::File::options().write(true).open(second.join(path)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5)).unwrap();
        std::os::unix::fs::chown(second.join(path), Some(12), Some(34)).unwrap();
    }
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let layer =
            |tree| fixture.store.add_layer_from_directory(tree, &PackOptions::app(9), compression).unwrap();
        assert_eq!(layer(&first), layer(&second), "{compression:?}");
    }
    fs::set_permissions(second.join("bin/run"), PermissionsExt::from_mode(0o700)).unwrap();
    assert_ne!(fixture.layer_of(&first).diff_id, fixture.layer_of(&second).diff_id);
}

#[test]
fn what_was_packed_is_unpacked() {
    let fixture = Fixture::new();
    let tree = fixture.tree("tree");
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let layer =
            fixture.store.add_layer_from_directory(&tree, &PackOptions::app(1234), compression).unwrap();
        let image = fixture.store.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() });
        let places = fixture.store.layers(&image.unwrap()).unwrap();
        let [place] = places.as_slice() else { panic!("{places:?}") };
        let (was, is) = (listing(&tree), listing(&place.join("app")));
        assert_eq!(was.keys().collect::<Vec<_>>(), is.keys().collect::<Vec<_>>());
        assert_eq!(is["Procfile"], "644 1000:1000 1234 web: a");
        assert_eq!(is["bin/run"], "755 1000:1000 1234 #!/bin/sh\n");
        assert_eq!(is["bin/link"], "777 1000:1000 1234 -> ../bin/run");
        assert_eq!(is["empty"], "755 1000:1000 1234 dir");
        let inode = |name| fs::metadata(place.join("app/bin").join(name)).unwrap().ino();
        assert_eq!(inode("run"), inode("run2"));
        // An archive of what was unpacked is the archive it was unpacked from.
        let options = PackOptions { prefix: "".into(), owner: None, modified: None };
        let again = pack(place, std::io::sink(), &options, Compression::None).unwrap();
        assert_eq!(again.diff_id, layer.diff_id);
    }
}

#[test]
fn an_image_reads_back_as_it_was_put() {
    let fixture = Fixture::new();
    let time = "2026-01-02T03:04:05Z".parse().unwrap();
    let text = |text: &str| text.to_owned();
    let spec = ImageSpec {
        layers: vec![fixture.layer("one")],
        env: [("PATH", "/bin"), ("EMPTY", ""), ("A", "b=c")].map(|(k, v)| (text(k), text(v))).into(),
        labels: [(text("io.kigo.process-types"), text("{\"web\":\"a\"}"))].into(),
        entrypoint: vec![text("/bin/entry")],
        command: vec![text("bash")],
        working_dir: Some(text("/app")),
        user: Some(text("1000:1000")),
        created: Some(time),
        history: vec![
            HistoryStep { created_by: text("stack"), created: Some(time), empty_layer: false },
            HistoryStep { created_by: text("env"), created: None, empty_layer: true },
        ],
    };
    let digest = fixture.store.put_image(&spec).unwrap();
    assert_eq!(fixture.store.put_image(&spec).unwrap(), digest);
    let image = fixture.store.image(&digest).unwrap();
    assert_eq!(image.spec, spec);
    assert_eq!(image.size(), spec.layers[0].size);

    let plain = fixture.store.put_blob(&b"{}"[..], 2, None).unwrap().digest;
    assert!(matches!(fixture.store.image(&plain), Err(StoreError::Corrupt { .. })));
    let missing = Layer { digest: Digest::from_bytes([1; 32]), ..spec.layers[0] };
    let spec = ImageSpec { layers: vec![missing], ..spec };
    assert!(matches!(fixture.store.put_image(&spec), Err(StoreError::NotFound(_))));
}

#[test]
fn a_damaged_layer_is_noticed() {
    let fixture = Fixture::new();
    let layer = fixture.layer("one");
    let image = fixture.store.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() }).unwrap();
    let path = fixture.dir.path().join("data/blobs/sha256").join(layer.digest.hex());
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\x28\xb5\x2f").unwrap();
    fixture.store.layers(&image).unwrap_err();
    assert_eq!(fs::read_dir(fixture.dir.path().join("data/layers")).unwrap().count(), 0);
}

#[test]
fn a_layer_of_an_earlier_boot_is_unpacked_anew_unless_it_was_flushed() {
    let fixture = Fixture::new();
    let layer = fixture.layer("one");
    let image = fixture.store.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() }).unwrap();
    let tree = fixture.store.layers(&image).unwrap().remove(0);
    let procfile = tree.join("app/Procfile");
    fs::write(&procfile, "torn").unwrap();
    fs::write(tree.parent().unwrap().join("boot"), "another").unwrap();
    assert_eq!(fixture.store.layers(&image).unwrap(), [tree.as_path()]);
    assert_eq!(fs::read_to_string(&procfile).unwrap(), "web: a");

    let roots = Roots { images: [image].into(), ..Roots::default() };
    fixture.collect(&roots);
    assert!(tree.parent().unwrap().join("synced").exists());
    let inode = fs::metadata(&tree).unwrap().ino();
    fixture.store.layers(&image).unwrap();
    assert_eq!(fs::metadata(&tree).unwrap().ino(), inode);
}

#[test]
fn many_who_want_a_layer_get_the_same_one() {
    let fixture = Fixture::new();
    let layer = fixture.layer("one");
    let image = fixture.store.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() }).unwrap();
    let other = ImageStore::open(&fixture.dir.path().join("data")).unwrap();
    let found: Vec<_> = std::thread::scope(|scope| {
        let one = |store: ImageStore| scope.spawn(move || store.layers(&image).unwrap());
        let threads: Vec<_> =
            (0..8).map(|n| one(if n % 2 == 0 { fixture.store.clone() } else { other.clone() })).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|paths| *paths == found[0]));
    let names: Vec<_> = fs::read_dir(fixture.dir.path().join("data/layers")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn only_what_no_root_reaches_is_collected() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let shared = fixture.layer("shared");
    let lone_tree = fixture.tree("lone");
    fs::write(lone_tree.join("more"), "more").unwrap();
    let lone = fixture.layer_of(&lone_tree);
    let image = |layers: &[Layer]| {
        store.put_image(&ImageSpec { layers: layers.to_vec(), ..ImageSpec::default() }).unwrap()
    };
    let (kept, dropped) = (image(&[shared]), image(&[shared, lone]));
    for image in [kept, dropped] {
        store.layers(&image).unwrap();
    }
    let source = store.put_blob(&b"source"[..], 100, None).unwrap().digest;
    let garbage = store.put_blob(&b"garbage"[..], 100, None).unwrap().digest;
    let mut roots = Roots { images: [kept, dropped].into(), blobs: [source].into(), ..Roots::default() };

    // Young things stay.
    assert_eq!(store.collect(&Roots::default(), Duration::from_hours(1)).unwrap(), Collected::default());
    assert_eq!(fixture.collect(&roots), Collected { blobs: 1, bytes: 7, layers: 0 });
    assert!(!store.has_blob(&garbage) && store.has_blob(&source));

    roots.images.remove(&dropped);
    let pin = store.pin(dropped);
    assert_eq!(fixture.collect(&roots), Collected::default());
    drop(pin);
    let collected = fixture.collect(&roots);
    assert_eq!((collected.blobs, collected.layers), (3, 1), "manifest, config and layer of its own");
    assert_eq!(store.layers(&kept).unwrap().len(), 1);
    assert!(matches!(store.image(&dropped), Err(StoreError::NotFound(_))));
    assert!(!store.has_blob(&lone.digest) && store.has_blob(&shared.digest));
}

#[test]
fn an_unreadable_root_stops_the_collection() {
    let fixture = Fixture::new();
    let layer = fixture.layer("one");
    let image = fixture.store.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() }).unwrap();
    fs::write(fixture.dir.path().join("data/blobs/sha256").join(image.hex()), "damaged").unwrap();
    let roots = Roots { images: [image].into(), ..Roots::default() };
    assert!(matches!(fixture.store.collect(&roots, Duration::ZERO), Err(StoreError::Corrupt { .. })));
    assert!(fixture.store.has_blob(&layer.digest));
}

#[test]
fn what_crashed_writers_left_is_collected() {
    let fixture = Fixture::new();
    let data = fixture.dir.path().join("data");
    fs::write(data.join("blobs/incoming/abandoned"), "half").unwrap();
    for name in ["incoming-x", "outgoing-y"] {
        fs::create_dir_all(data.join("layers").join(name).join("tree")).unwrap();
    }
    let mut writer = fixture.store.begin_blob(100).unwrap();
    writer.write_all(b"being written").unwrap();
    fixture.collect(&Roots::default());
    assert_eq!(fs::read_dir(data.join("layers")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(data.join("blobs/incoming")).unwrap().count(), 1);
    writer.finish(None).unwrap();
}

#[test]
fn pack_leaves_out_what_is_no_file() {
    let fixture = Fixture::new();
    let tree = fixture.tree("tree");
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    assert!(fs::metadata(tree.join("socket")).unwrap().file_type().is_socket());
    let packed = pack(&tree, std::io::sink(), &PackOptions::app(1), Compression::None).unwrap();
    assert_eq!(packed.left_out, 1);
    assert_eq!(packed.diff_id, fixture.layer_of_time(&fixture.tree("other"), 1).diff_id);
}

#[test]
fn pack_refuses_a_tree_without_end() {
    let fixture = Fixture::new();
    let tree = fixture.dir.path().join("deep");
    fs::create_dir_all(tree.join("d/".repeat(201))).unwrap();
    let result = pack(&tree, std::io::sink(), &PackOptions::app(1), Compression::None);
    assert!(matches!(result, Err(PackError::TooDeep { limit: 200, .. })), "{result:?}");
}

impl Fixture {
    fn layer_of_time(&self, tree: &Path, modified: u64) -> Layer {
        self.store.add_layer_from_directory(tree, &PackOptions::app(modified), Compression::None).unwrap()
    }
}
