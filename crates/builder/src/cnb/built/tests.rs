//! What buildpacks leave.

use super::*;
use std::fs;

/// What was sent: files below `layers`, the listing made of them and of more lines.
fn sent(files: &[(&str, &str)], more: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut listing = String::new();
    for (name, content) in files {
        let path = dir.path().join("layers").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        let kind = if name.contains('/') { "f" } else { "t" };
        listing.extend([kind, " ", *name, "\0"]);
    }
    listing.extend(more.iter().flat_map(|line| [*line, "\0"]));
    fs::write(dir.path().join("listing"), listing).unwrap();
    dir
}

fn read(files: &[(&str, &str)], more: &[&str], api: u32) -> Result<Built, CnbError> {
    super::read(sent(files, more).path(), "acme/one 1.0.0", Api(api))
}

#[test]
fn layers_are_read_with_what_they_change() {
    let built = read(
        &[
            ("deps.toml", "[types]\nlaunch = true\ncache = true\n[metadata]\nversion = \"1\"\n"),
            ("tool.toml", "[types]\nbuild = true\n"),
            ("deps/env/A", "all"),
            ("deps/env.build/B.append", "build"),
            ("deps/env.launch/C", "launch"),
            ("deps/env.launch/web/D.default", "web"),
            ("store.toml", "[metadata]\nn = 1\n"),
            ("build.toml", "[[unmet]]\nname = \"x\"\n"),
        ],
        &[
            "d deps",
            "d tool",
            "d scratch",
            "p deps/bin",
            "p deps/lib",
            "p tool/include",
            "p tool/pkgconfig",
            "f deps/exec.d/b",
            "f deps/exec.d/a",
            "f deps/exec.d/web/c",
            "f deps/profile.d/p.sh",
            "nonsense",
            "x y",
        ],
        10,
    )
    .unwrap();
    assert_eq!(built.store.as_deref(), Some("[metadata]\nn = 1\n"));
    assert_eq!(built.unmet, ["x"]);
    let deps = &built.layers["deps"];
    assert_eq!(deps.types, Types { launch: true, build: false, cache: true });
    assert_eq!((deps.metadata.as_str(), deps.has_content), ("[metadata]\nversion = \"1\"\n", true));
    let names: Vec<_> = deps
        .paths
        .iter()
        .chain(&deps.for_build)
        .map(|change| format!("{}={}", change.name, change.value))
        .collect();
    assert_eq!(
        names,
        [
            "PATH=/layers/acme_one/deps/bin",
            "LD_LIBRARY_PATH=/layers/acme_one/deps/lib",
            "LIBRARY_PATH=/layers/acme_one/deps/lib",
            "A=all",
            "B=build"
        ]
    );
    let here = "/layers/acme_one/deps";
    let launch = &deps.at_launch;
    insta::assert_snapshot!(
        [
            launch.paths(here),
            launch.variables(),
            launch.programs(here, false),
            launch.programs(here, true),
            launch.scripts(here, false)
        ]
        .concat()
    );
    let tool: Vec<_> = built.layers["tool"].paths.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(tool, ["CPATH", "PKG_CONFIG_PATH"]);
    assert_eq!(built.layers["scratch"], Left { has_content: true, ..Left::default() });
}

#[test]
fn scripts_are_of_an_older_api() {
    let scripts = |api| {
        let files = [("l.toml", "[types]\nlaunch = true\n"), ("l/profile.d/a.sh", "")];
        read(&files, &["d l"], api).unwrap().layers["l"].at_launch.scripts("/l", false)
    };
    assert_eq!((scripts(8).as_str(), scripts(9).as_str()), (". '/l/profile.d/a.sh'\n", ""));
}

#[test]
fn what_is_hostile_is_refused() {
    let large = format!("# {}", "x".repeat(2 << 20));
    for (files, more, words) in [
        (&[("...toml", "")][..], &[][..], "has a layer \"..\""),
        (&[("..toml", "")], &[], "has a layer \".\""),
        (&[(".toml", "")], &[], "has a layer \"\""),
        (&[], &["d store"], "has a layer \"store\""),
        (&[], &["d a\nb"], "has a layer"),
        (&[("launch.toml", large.as_str())], &[], "is larger than"),
        (&[("launch.toml", "[[processes")], &[], "launch.toml of acme/one 1.0.0 is not valid: line 1"),
        (&[("store.toml", "x")], &[], "store.toml of acme/one 1.0.0 is not valid: line 1"),
        (&[("a.toml", "[types]\nlaunch = 1")], &[], "its types: invalid type"),
        (&[("build.toml", "unmet = 1")], &[], "build.toml of acme/one"),
    ] {
        let error = read(files, more, 10).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let many: Vec<_> = (0..200).map(|n| format!("d layer{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(matches!(read(&[], &many, 10), Err(CnbError::TooMany { .. })));

    // A link leads nowhere.
    let dir = sent(&[("a.toml", "")], &["d a", "f a/env/X"]);
    fs::create_dir_all(dir.path().join("layers/a/env")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("layers/a/env/X")).unwrap();
    let error = super::read(dir.path(), "acme/one 1.0.0", Api(10)).unwrap_err();
    assert!(error.to_string().contains("a/env of acme/one 1.0.0 is not valid"), "{error}");
}
