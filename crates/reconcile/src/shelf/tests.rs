use super::*;
use object_store::memory::InMemory;
use uuid::Uuid;

struct World {
    data: tempfile::TempDir,
    objects: Arc<InMemory>,
}

impl World {
    fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap(), objects: Arc::new(InMemory::new()) }
    }

    fn shelf(&self, bucket: &str) -> Shelf {
        Shelf::of(self.data.path(), self.objects.clone(), bucket, Key::from("dumps"))
    }

    fn here(&self) -> Shelf {
        Shelf::here(self.data.path())
    }

    async fn keys(&self) -> Vec<String> {
        let listed: Vec<_> = self.objects.list(None).try_collect().await.unwrap();
        listed.into_iter().map(|one| one.location.to_string()).collect()
    }
}

async fn keep(shelf: &Shelf, text: &str) -> TransferId {
    shelf.prepare().await.unwrap();
    let id = TransferId(Uuid::new_v4());
    let part = shelf.part(id);
    std::fs::write(&part, text).unwrap();
    shelf.keep(id, &part).await.unwrap();
    assert!(!part.exists());
    id
}

async fn read(shelf: &Shelf, id: TransferId) -> Option<String> {
    let (size, pieces) = shelf.read(id).await.unwrap()?;
    let bytes: Vec<Bytes> = pieces.try_collect().await.unwrap();
    let bytes = bytes.concat();
    assert_eq!(bytes.len() as u64, size);
    Some(String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn a_dump_is_read_from_wherever_it_was_kept() {
    let world = World::new();
    let (here, store) = (world.here(), world.shelf("vault"));
    let old = keep(&here, "old").await;
    let new = keep(&store, "new").await;
    assert_eq!(world.keys().await, [format!("dumps/{new}")]);
    let scratch = world.data.path().join("work/scratch");
    for (id, text) in [(old, "old"), (new, "new")] {
        assert_eq!(read(&store, id).await.as_deref(), Some(text));
        let lent = store.lend(id, &scratch).await.unwrap();
        assert_eq!(std::fs::read_to_string(lent.path()).unwrap(), text);
    }
    assert!(!scratch.exists());
    assert_eq!(read(&store, TransferId(Uuid::new_v4())).await, None);
}

#[tokio::test]
async fn what_lies_in_a_store_that_is_not_set_is_told() {
    let world = World::new();
    let id = keep(&world.shelf("vault"), "new").await;
    for shelf in [world.here(), world.shelf("other")] {
        let error = shelf.read(id).await.err().unwrap().to_string();
        assert!(error.contains(&format!("s3://vault/dumps/{id}")), "{error}");
    }
}

#[tokio::test]
async fn strays_go_and_what_is_known_or_nobodys_stays() {
    let world = World::new();
    let (here, store) = (world.here(), world.shelf("vault"));
    let ids =
        [keep(&here, "1").await, keep(&here, "2").await, keep(&store, "3").await, keep(&store, "4").await];
    std::fs::write(here.part(ids[0]), "").unwrap();
    std::fs::write(here.dir().join("notes"), "").unwrap();
    world.objects.put(&Key::from("dumps/somebody-else's"), "x".into()).await.unwrap();
    let known: HashSet<_> = [ids[1].to_string(), ids[3].to_string()].into();

    // Without the store, what lies there is not forgotten.
    let left = here.remove_strays(&known).await.unwrap();
    assert_eq!(left.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), [ids[2].to_string()]);
    let marker = here.marker(ids[2]);
    assert!(marker.exists() && !here.whole(ids[0]).exists() && !here.part(ids[0]).exists());

    store.remove_strays(&known).await.unwrap();
    assert!(!marker.exists() && here.marker(ids[3]).exists() && here.whole(ids[1]).exists());
    assert!(here.dir().join("notes").exists());
    assert_eq!(world.keys().await, [format!("dumps/{}", ids[3]), "dumps/somebody-else's".into()]);
}

#[tokio::test]
async fn a_server_that_dies_as_it_notes_the_place_leaves_nothing_for_ever() {
    let world = World::new();
    let store = world.shelf("vault");
    store.prepare().await.unwrap();
    let id = TransferId(Uuid::new_v4());
    std::fs::write(store.marker(id), "").unwrap();
    assert_eq!(read(&store, id).await, None);
    store.remove_strays(&HashSet::new()).await.unwrap();
    assert!(!store.marker(id).exists());
}

#[test]
fn addresses_are_buckets_with_folders() {
    let none = || Vec::new();
    for wrong in ["", "bucket", "s3://", "s3:///folder", "https://bucket/folder", "s3://bucket/a//b"] {
        let error = Shelf::in_store(Path::new("/data"), wrong, none()).unwrap_err();
        assert!(matches!(error, StoreError::Address(_)), "{wrong}: {error}");
    }
    for (right, prefix) in [("s3://bucket", ""), ("s3://bucket/", ""), ("s3://bucket/a/b/", "a/b")] {
        let shelf = Shelf::in_store(Path::new("/data"), right, none()).unwrap();
        let store = shelf.store.unwrap();
        assert_eq!((store.bucket.as_str(), store.prefix.as_ref()), ("s3://bucket", prefix));
    }
}
