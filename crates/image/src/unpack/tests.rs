//! A table of hostile archives, and what honest ones become.

use super::*;
use crate::testing::Archive;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use tar::{EntryType, Header};

struct Target {
    dir: tempfile::TempDir,
}

impl Target {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("target")).unwrap();
        fs::write(dir.path().join("outside"), "outside").unwrap();
        Self { dir }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("target").join(path)
    }

    fn unpack(&self, archive: &[u8], options: UnpackOptions) -> Result<Unpacked, UnpackError> {
        unpack(archive, &self.path(""), &options)
    }

    /// Nothing is left in the target, and nothing changed beside it.
    fn assert_untouched(&self, about: &str) {
        assert_eq!(fs::read_dir(self.path("")).unwrap().count(), 0, "{about} left something");
        assert_eq!(fs::read_to_string(self.dir.path().join("outside")).unwrap(), "outside", "{about}");
        assert_eq!(fs::read_dir(self.dir.path()).unwrap().count(), 2, "{about} wrote outside");
    }
}

fn source() -> UnpackOptions {
    UnpackOptions { single_root: false, ..UnpackOptions::source(1000, 1000) }
}

fn rule_of(result: Result<Unpacked, UnpackError>) -> Rule {
    match result {
        Err(UnpackError::Forbidden { rule, .. }) => rule,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hostile_archives_break_a_rule_and_leave_nothing() {
    use Rule::*;
    let new = Archive::default;
    let leaves = |target: &str| LinkLeaves { target: target.into() };
    let no_file = |target: &str| HardLinkTarget { target: target.into() };
    let long = "n".repeat(300);
    // Name, archive, rule for sources, rule for layers (None: harmless there).
    let table: Vec<(&str, Archive, Rule, Option<Rule>)> = vec![
        ("dotdot", new().file("../outside", "x"), ParentDirectory, Some(ParentDirectory)),
        ("inner dotdot", new().file("a/../../outside", "x"), ParentDirectory, Some(ParentDirectory)),
        ("absolute", new().file("/tmp/x", "x"), AbsolutePath, Some(AbsolutePath)),
        ("directory dotdot", new().dir("a/.."), ParentDirectory, Some(ParentDirectory)),
        (
            "write through a link",
            new().symlink("a", "..").file("a/outside", "x"),
            ThroughLink,
            Some(ThroughLink),
        ),
        (
            "write through two links",
            new().dir("d").symlink("d/up", ".").symlink("a", "d/up").file("a/x", "x"),
            ThroughLink,
            Some(ThroughLink),
        ),
        ("through a file", new().file("a", "").file("a/b", "x"), ThroughLink, Some(ThroughLink)),
        ("link to absolute", new().symlink("a", "/etc/passwd"), leaves("/etc/passwd"), None),
        ("link out", new().dir("d").symlink("d/a", "../../outside"), leaves("../../outside"), None),
        ("link out, dangling", new().symlink("a", "gone/../../outside"), leaves("gone/../../outside"), None),
        (
            // By its words the second link stays inside; by way of the first it does not.
            "link out by another link",
            new().dir("d").dir("d/e").symlink("d/e/top", "../..").symlink("a", "d/e/top/../outside"),
            leaves("d/e/top/../outside"),
            None,
        ),
        (
            "hard link out",
            new().link("a", EntryType::Link, "../outside"),
            no_file("../outside"),
            Some(no_file("../outside")),
        ),
        (
            "hard link to absolute",
            new().link("a", EntryType::Link, "/etc/passwd"),
            no_file("/etc/passwd"),
            Some(no_file("/etc/passwd")),
        ),
        (
            "hard link by a link",
            new().symlink("up", "..").link("a", EntryType::Link, "up/outside"),
            no_file("up/outside"),
            Some(no_file("up/outside")),
        ),
        (
            "hard link to a link",
            new().symlink("up", "../outside").link("a", EntryType::Link, "up"),
            no_file("up"),
            None,
        ),
        (
            "hard link to a directory",
            new().dir("d").link("a", EntryType::Link, "d"),
            no_file("d"),
            Some(no_file("d")),
        ),
        ("hard link to nothing", new().link("a", EntryType::Link, "b"), no_file("b"), Some(no_file("b"))),
        ("character device", new().kind("null", EntryType::Char), Device, None),
        ("block device", new().kind("sda", EntryType::Block), Device, None),
        ("fifo", new().kind("pipe", EntryType::Fifo), Fifo, None),
        ("unknown kind", new().kind("what", EntryType::new(b'Z')), UnknownKind, Some(UnknownKind)),
        ("no name", new().file("", "x"), EmptyPath, Some(EmptyPath)),
        ("root as a file", new().file("./", "x"), EmptyPath, Some(EmptyPath)),
        ("long name", new().pax(&[("path", &long)]).file("short", ""), NameTooLong, Some(NameTooLong)),
        ("zero byte", new().pax(&[("path", "a\0b")]).file("a", ""), ControlByte, Some(ControlByte)),
        (
            "two paths",
            new().pax(&[("path", "a"), ("path", "../b")]).file("a", ""),
            AmbiguousHeader,
            Some(AmbiguousHeader),
        ),
        (
            "path by PAX",
            new().pax(&[("path", "../outside")]).file("innocent", "x"),
            ParentDirectory,
            Some(ParentDirectory),
        ),
        (
            "link target by PAX",
            new().pax(&[("linkpath", "/etc/passwd")]).symlink("a", "b"),
            leaves("/etc/passwd"),
            None,
        ),
        (
            "PAX sparse",
            new()
                .pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "5")])
                .file("GNUSparseFile.0/a", ""),
            PaxSparse,
            Some(PaxSparse),
        ),
    ];
    for (name, archive, for_source, for_layer) in table {
        let archive = Archive::default().file("first", "kept until the end?").0.into_iter().chain(archive.0);
        let archive = Archive(archive.collect()).end();
        let target = Target::new();
        assert_eq!(rule_of(target.unpack(&archive, source())), for_source, "{name}");
        target.assert_untouched(name);
        let result = target.unpack(&archive, UnpackOptions::layer());
        match for_layer {
            Some(rule) => {
                assert_eq!(rule_of(result), rule, "{name} in a layer");
                target.assert_untouched(name);
            }
            None => assert!(result.is_ok(), "{name} in a layer: {result:?}"),
        }
    }
}

#[test]
fn archives_over_a_limit_leave_nothing() {
    let new = Archive::default;
    let limited = |change: fn(&mut Limits)| {
        let mut options = source();
        change(&mut options.limits);
        options
    };
    let mut million = new();
    for number in 0..20_000 {
        million = million.file(&format!("f{number}"), "");
    }
    let mut sparse = Archive::header("sparse", EntryType::GNUSparse, 0);
    sparse.as_mut_bytes()[386..398].copy_from_slice(b"\x80\0\0\0\0\x01\0\0\0\0\0\0");
    let terabyte = 1_u64 << 40;
    {
        let gnu = sparse.as_gnu_mut().unwrap();
        gnu.sparse[0].set_offset(terabyte);
        gnu.sparse[0].set_length(0);
        gnu.set_real_size(terabyte);
    }
    sparse.set_cksum();
    let zeros = vec![0_u8; 200 << 20];
    let bomb = Archive::default().raw(&Archive::header("zeros", EntryType::Regular, 200 << 20), &zeros).end();
    let compressed = |compression: Compression| {
        let mut encoder = compression.encoder(Vec::new()).unwrap();
        encoder.write_all(&bomb).unwrap();
        encoder.finish().unwrap()
    };
    // A name of 3 MB, which a parser has to keep in memory.
    let name = vec![b'n'; 3 << 20];
    let long_name = new().raw(&Archive::header("l", EntryType::GNULongName, name.len() as u64), &name);
    let deep = "d/".repeat(40);
    let table: Vec<(&str, Vec<u8>, UnpackOptions, TooMuch)> = vec![
        ("entries", million.end(), limited(|l| l.entries = 10_000), TooMuch::Entries(10_000)),
        (
            "size",
            new().file("a", "12345").file("b", "12345").end(),
            limited(|l| l.bytes = 9),
            TooMuch::Bytes(9),
        ),
        ("1 TB sparse", new().raw(&sparse, b"").end(), source(), TooMuch::Bytes(4 << 30)),
        (
            // Says 1 TB, holds nothing: refused before anything is written.
            "1 TB plain",
            new().raw(&Archive::header("a", EntryType::Regular, terabyte), b"").end(),
            source(),
            TooMuch::Bytes(4 << 30),
        ),
        (
            "1 TB by PAX",
            new().pax(&[("size", "1099511627776")]).file("a", "x").end(),
            source(),
            TooMuch::Bytes(4 << 30),
        ),
        ("gzip bomb", compressed(Compression::Gzip), limited(|l| l.ratio = 100), TooMuch::Ratio(100)),
        ("zstd bomb", compressed(Compression::Zstd), source(), TooMuch::Ratio(500)),
        (
            "bomb by size",
            compressed(Compression::Zstd),
            limited(|l| l.bytes = 1 << 20),
            TooMuch::Bytes(1 << 20),
        ),
        ("depth", new().dir(&deep).end(), limited(|l| l.depth = 39), TooMuch::Depth(39)),
        ("long name", long_name.file("a", "").end(), source(), TooMuch::Metadata(1 << 20)),
        ("time", new().file("a", "1").end(), limited(|l| l.time = Duration::ZERO), TooMuch::Seconds(0)),
    ];
    for (name, archive, options, expected) in table {
        let target = Target::new();
        match target.unpack(&archive, options) {
            Err(UnpackError::TooMuch(too_much)) => assert_eq!(too_much, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        target.assert_untouched(name);
    }
}

#[test]
fn endless_input_ends_at_the_limit() {
    // An archive that never ends, neither in its files nor after its end.
    let mut options = source();
    options.limits.bytes = 1 << 20;
    options.limits.entries = 10;
    for head in [
        Archive::default().file("a", "x").end(),
        Archive::default().raw(&Archive::header("a", EntryType::XGlobalHeader, 1 << 40), b"").0,
    ] {
        let target = Target::new();
        let result = unpack(head.as_slice().chain(io::repeat(0)), &target.path(""), &options);
        assert!(matches!(result, Err(UnpackError::TooMuch(_))), "{result:?}");
        target.assert_untouched("endless");
    }
}

#[test]
fn damaged_archives_are_refused() {
    let whole = Archive::default().file("first", "1").file("second", &"2".repeat(2000)).end();
    let compressed = |compression: Compression| {
        let mut encoder = compression.encoder(Vec::new()).unwrap();
        encoder.write_all(&whole).unwrap();
        encoder.finish().unwrap()
    };
    let (gzip, zstd) = (compressed(Compression::Gzip), compressed(Compression::Zstd));
    let mut flipped = gzip.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut pax = Archive::default().pax(&[("path", "a")]).0;
    pax[512] = b'7';
    for (name, archive) in [
        ("cut in content", &whole[..2048]),
        ("cut in a header", &whole[..1300]),
        ("cut gzip", &gzip[..gzip.len() - 9]),
        ("wrong gzip sum", &flipped),
        ("cut zstd", &zstd[..zstd.len() - 3]),
        ("a page of HTML", "<html>Not found</html>".repeat(100).as_bytes()),
        ("short text", b"hello".as_slice()),
        ("PAX record with a wrong length", &Archive(pax).file("b", "").end()),
        ("PAX without entry", &Archive::default().pax(&[("path", "a")]).end()),
    ] {
        let target = Target::new();
        let result = target.unpack(archive, source());
        assert!(matches!(result, Err(UnpackError::Read(_))), "{name}: {result:?}");
        target.assert_untouched(name);
    }
    let target = Target::new();
    for (name, archive) in
        [("nothing", vec![]), ("zeros", vec![0; 1024]), ("empty", Archive::default().end())]
    {
        let result = target.unpack(&archive, source());
        assert!(matches!(result, Err(UnpackError::Empty)), "{name}: {result:?}");
    }
    for (magic, format) in
        [(&b"PK\x03\x04...."[..], "a zip archive"), (b"\xfd7zXZ\0..", "compressed with xz")]
    {
        let result = target.unpack(magic, source());
        assert!(matches!(result, Err(UnpackError::Format { format: f }) if f == format), "{result:?}");
    }
}

#[test]
fn sources_belong_to_their_owner_and_lose_special_bits() {
    let archive = Archive::default()
        .dir("./")
        .file("./run", "#!/bin/sh")
        .file("./made/parents/too", "x")
        .symlink("./made/link", "parents/too")
        .link("./hard", EntryType::Link, "./run")
        .symlink("./dangling", "nowhere")
        .symlink("./self", "self")
        .end();
    for options in [source(), UnpackOptions::slug(1000, 1000)] {
        let target = Target::new();
        let unpacked = target.unpack(&archive, options).unwrap();
        assert_eq!(unpacked, Unpacked { entries: 7, bytes: 10, left_out: 0 });
        for (path, mode) in [("run", 0o755), ("made", 0o755), ("made/parents", 0o755), ("", 0o755)] {
            let meta = fs::symlink_metadata(target.path(path)).unwrap();
            assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (1000, 1000, mode), "{path}");
        }
        assert_eq!(fs::symlink_metadata(target.path("dangling")).unwrap().uid(), 1000);
        assert_eq!(fs::read_to_string(target.path("made/link")).unwrap(), "x");
        assert_eq!(fs::metadata(target.path("run")).unwrap().nlink(), 2);
        assert_eq!(fs::metadata(target.path("run")).unwrap().mtime(), 1_600_000_000);
    }
}

#[test]
fn a_slug_may_link_to_where_it_will_lie() {
    let archive = Archive::default().symlink("app/python", "/app/.heroku/python").end();
    let target = Target::new();
    target.unpack(&archive, UnpackOptions::slug(1000, 1000)).unwrap();
    assert!(matches!(rule_of(Target::new().unpack(&archive, source())), Rule::LinkLeaves { .. }));
    let device = Archive::default().kind("app/null", EntryType::Char).end();
    assert_eq!(rule_of(Target::new().unpack(&device, UnpackOptions::slug(1, 1))), Rule::Device);
}

#[test]
fn a_single_directory_becomes_the_root() {
    let descend = UnpackOptions::source(1000, 1000);
    let comment = Archive::default().raw(
        &Archive::header("pax_global_header", EntryType::XGlobalHeader, 52),
        b"52 comment=0123456789012345678901234567890123456789\n",
    );
    let github = Archive(comment.0)
        .dir("app-0a1b2c/")
        .file("app-0a1b2c/Procfile", "web: a")
        .file("app-0a1b2c/app-0a1b2c", "same name")
        .symlink("app-0a1b2c/link", "Procfile");
    let target = Target::new();
    target.unpack(&Archive(github.0.clone()).end(), descend).unwrap();
    assert_eq!(fs::read_to_string(target.path("link")).unwrap(), "web: a");
    assert_eq!(fs::read_to_string(target.path("app-0a1b2c")).unwrap(), "same name");
    assert_eq!(fs::read_dir(target.path("")).unwrap().count(), 3);

    // What was inside before is outside now.
    let escaping = Archive(github.0.clone()).symlink("app-0a1b2c/up", "../secret").end();
    let target = Target::new();
    assert!(matches!(rule_of(target.unpack(&escaping, descend)), Rule::LinkLeaves { .. }));
    target.assert_untouched("escaping");

    for two in [github.file("beside", ""), Archive::default().file("only", "")] {
        let target = Target::new();
        target.unpack(&two.end(), descend).unwrap();
        assert!(target.path("only").exists() || target.path("app-0a1b2c/Procfile").exists());
    }
}

#[test]
fn the_later_of_two_entries_wins() {
    let archive = Archive::default()
        .symlink("a", "b")
        .file("b", "b")
        .file("a", "file now")
        .dir("d")
        .file("d/x", "")
        .file("d", "file now")
        .file("e", "")
        .dir("e")
        .file("e/y", "y")
        .end();
    for options in [source(), UnpackOptions::layer()] {
        let target = Target::new();
        target.unpack(&archive, options).unwrap();
        for (path, content) in [("a", "file now"), ("b", "b"), ("d", "file now"), ("e/y", "y")] {
            assert_eq!(fs::read_to_string(target.path(path)).unwrap(), content, "{path}");
        }
    }
}

#[test]
fn layers_keep_what_the_archive_says() {
    let capability = "\u{1}\0\0\u{2}\0 \0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let archive = Archive::default()
        .dir("bin")
        .pax(&[("SCHILY.xattr.security.capability", capability), ("mtime", "1500000000.5")])
        .file("bin/ping", "")
        .file("bin/su", "")
        .pax(&[("SCHILY.xattr.trusted.overlay.redirect", "/etc"), ("SCHILY.xattr.user.note", "hi")])
        .dir("redirected")
        .kind("pipe", EntryType::Fifo)
        .kind("dev/null", EntryType::Char)
        .end();
    let target = Target::new();
    let unpacked = target.unpack(&archive, UnpackOptions::layer()).unwrap();
    assert_eq!(unpacked.left_out, 1);
    assert!(!target.path("dev/null").exists());
    let meta = fs::metadata(target.path("bin/su")).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (4242, 4343, 0o6755));
    assert_eq!(fs::metadata(target.path("bin")).unwrap().mtime(), 1_600_000_000);
    let ping = fs::metadata(target.path("bin/ping")).unwrap();
    assert_eq!((ping.mtime(), ping.mtime_nsec()), (1_500_000_000, 500_000_000));
    let mut value = [0; 64];
    let mut attribute = |path: &str, name: &str| {
        rustix::fs::getxattr(target.path(path), name, &mut value[..]).map(|length| value[..length].to_vec())
    };
    assert_eq!(attribute("bin/ping", "security.capability").unwrap(), capability.as_bytes());
    assert_eq!(attribute("redirected", "user.note").unwrap(), b"hi");
    assert!(attribute("redirected", "trusted.overlay.redirect").is_err());
    assert!(fs::metadata(target.path("pipe")).unwrap().file_type().is_fifo());
}

#[test]
fn whiteouts_become_what_overlayfs_understands() {
    let archive = Archive::default()
        .file("etc/.wh.motd", "")
        .dir("opaque")
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/new", "")
        .file("again", "before its whiteout")
        .file(".wh.again", "")
        .dir("kept")
        .file(".wh.kept", "")
        .file(".wh.replaced", "")
        .dir("replaced")
        .end();
    let target = Target::new();
    target.unpack(&archive, UnpackOptions::layer()).unwrap();
    let whiteout = fs::symlink_metadata(target.path("etc/motd")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);
    assert!(target.path("opaque/new").exists() && !target.path("opaque/.wh..wh..opq").exists());
    assert!(target.path("again").is_file());
    for (path, expected) in [("opaque", true), ("kept", true), ("replaced", true), ("etc", false)] {
        let mut value = [0; 4];
        let found = rustix::fs::getxattr(target.path(path), "trusted.overlay.opaque", &mut value[..]).is_ok();
        assert_eq!(found, expected, "{path}");
    }
    // In sources a file of that name is only a file.
    let target = Target::new();
    target.unpack(&Archive::default().file(".wh.x", "mine").end(), source()).unwrap();
    assert_eq!(fs::read_to_string(target.path(".wh.x")).unwrap(), "mine");
    let bad = Archive::default().file("d/.wh...", "").end();
    assert_eq!(rule_of(Target::new().unpack(&bad, UnpackOptions::layer())), Rule::UnknownKind);
}

#[test]
fn files_by_gnu_tar_are_understood() {
    let target = Target::new();
    let tree = target.dir.path().join("outside-tree");
    fs::create_dir_all(tree.join("x".repeat(150))).unwrap();
    fs::write(tree.join("x".repeat(150)).join("y".repeat(150)), "long").unwrap();
    let sparse = fs::File::create(tree.join("sparse")).unwrap();
    sparse.set_len(10 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"middle", 5 << 20).unwrap();
    fs::set_permissions(tree.join("sparse"), PermissionsExt::from_mode(0o400)).unwrap();
    for format in ["gnu", "pax"] {
        let mut command = std::process::Command::new("tar");
        command.args(["--create", "--gzip", "--format", format, "--directory"]).arg(&tree);
        if format == "gnu" {
            command.arg("--sparse");
        }
        let archive = command.arg(".").output().unwrap();
        assert!(archive.status.success());
        target.unpack(&archive.stdout, source()).unwrap();
        let content = fs::read(target.path("sparse")).unwrap();
        assert_eq!((content.len(), &content[5 << 20..][..6]), (10 << 20, &b"middle"[..]), "{format}");
        assert_eq!(fs::metadata(target.path("sparse")).unwrap().mode() & 0o777, 0o600);
        let long = PathBuf::from("x".repeat(150)).join("y".repeat(150));
        assert_eq!(fs::read_to_string(target.path("").join(long)).unwrap(), "long");
        clear(&target.path("")).unwrap();
    }
}

#[test]
fn a_target_that_is_not_empty_is_refused_and_kept() {
    let target = Target::new();
    fs::write(target.path("mine"), "mine").unwrap();
    let result = target.unpack(&Archive::default().file("a", "").end(), source());
    assert!(matches!(result, Err(UnpackError::Write { .. })), "{result:?}");
    assert_eq!(fs::read_to_string(target.path("mine")).unwrap(), "mine");
}

/// Put together and damaged at random, an archive may be read in any way, but never writes outside,
/// and never leaves something behind when it fails.
#[test]
fn archives_with_random_damage_stay_inside() {
    let new = Archive::default;
    let parts = [
        new().dir("d/"),
        new().file("d/file", "content"),
        new().symlink("d/up", ".."),
        new().symlink("d", "."),
        new().file("d/up/outside", "through"),
        new().pax(&[("path", "d/long"), ("mtime", "1.5"), ("size", "3")]).file("short", "abc"),
        new().link("hard", EntryType::Link, "d/long"),
        new().symlink("out", "d/../../outside"),
        new().symlink("d/up", "../../outside"),
        new().link("out", EntryType::Link, "d/up"),
        new().file("out", "overwritten"),
        new().file(".wh.d", ""),
    ];
    // A linear congruential generator (Knuth's MMIX): the same damage each time.
    let mut state = 42_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let target = Target::new();
    let (mut good, mut bad) = (0, 0);
    for round in 0..3000 {
        let mut archive = Archive::default();
        for _ in 0..=random(6) {
            archive.0.extend_from_slice(&parts[random(parts.len())].0);
        }
        let mut archive = archive.end();
        for _ in 0..random(4) {
            let at = random(archive.len());
            archive[at] = [0, b'/', b'.', b'5', 0xff, b'\n'][random(6)];
        }
        for block in archive.chunks_mut(512).filter(|block| &block[257..262] == b"ustar") {
            let mut header = Header::new_gnu();
            header.as_mut_bytes().copy_from_slice(block);
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
        let options = if round % 2 == 0 { source() } else { UnpackOptions::layer() };
        match target.unpack(&archive, options) {
            Ok(_) => {
                good += 1;
                clear(&target.path("")).unwrap();
            }
            Err(_) => bad += 1,
        }
        target.assert_untouched(&format!("round {round}"));
    }
    assert!(good > 50 && bad > 50, "the damage does not vary: {good} good, {bad} bad");
}
