//! What is read from an app's files.

use super::*;

fn app(files: &[(&str, &str)]) -> Result<App, NodeError> {
    let tree = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = tree.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    App::determine(tree.path())
}

const LOCK: (&str, &str) = ("package-lock.json", r#"{"lockfileVersion":3,"packages":{"":{}}}"#);
const PNPM_LOCK: (&str, &str) = ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n");

#[test]
fn reads_engines_and_scripts() {
    let package = r#"{"engines":{"node":" 24.x ","npm":""},"scripts":{"build":"a","prepare":"b","start":"c","install":1}}"#;
    let read = app(&[("package.json", package), LOCK]).unwrap();
    assert_eq!(read.node, Some(Asked { text: "24.x".into(), place: "engines.node".into() }));
    assert_eq!(read.npm, None);
    assert_eq!(read.build_script(), Some("build"));
    assert_eq!(read.lists()[2].1, ".\tprepare\n");
    assert!(read.needs_all_packages() && !read.can_be_pruned());
    assert_eq!(read.warnings, []);
    let both = app(&[("package.json", r#"{"scripts":{"build":"a","heroku-postbuild":"b"}}"#), LOCK]).unwrap();
    assert_eq!(both.build_script(), Some("heroku-postbuild"));
}

#[test]
fn version_files_count_where_engines_say_nothing() {
    let asked = |files: &[(&str, &str)]| {
        app(files).unwrap().node.map(|asked| format!("{} {}", asked.place, asked.text))
    };
    let nvmrc = (".nvmrc", "# which\nv22.1 # newer breaks\n");
    for (files, expected) in [
        (vec![("package.json", "{}")], None),
        (vec![("package.json", "{}"), nvmrc], Some(".nvmrc v22.1")),
        (vec![("package.json", "{}"), (".nvmrc", "\n"), (".node-version", "20\n")], Some(".node-version 20")),
        (vec![("package.json", "{}"), nvmrc, (".node-version", "20\n")], Some(".nvmrc v22.1")),
        (vec![("package.json", r#"{"engines":{"node":"24.x"}}"#), nvmrc], Some("engines.node 24.x")),
    ] {
        assert_eq!(asked(&files).as_deref(), expected, "{files:?}");
    }
}

#[test]
fn the_version_of_a_package_manager_comes_from_one_place() {
    let pinned = r#"{"packageManager":"pnpm@9.1.0+sha256.ab","engines":{"pnpm":"10"}}"#;
    for (package, lock, npm, wanted) in [
        (pinned, PNPM_LOCK, None, Some("packageManager 9.1.0")),
        (r#"{"engines":{"pnpm":"10","node":"24"}}"#, PNPM_LOCK, None, Some("engines.pnpm 10")),
        (
            r#"{"packageManager":"npm@11.1.0","engines":{"npm":"10"}}"#,
            LOCK,
            Some("packageManager 11.1.0"),
            None,
        ),
        (r#"{"engines":{"npm":"10"}}"#, LOCK, Some("engines.npm 10"), None),
        (r#"{"engines":{"npm":"10"}}"#, PNPM_LOCK, Some("engines.npm 10"), None),
    ] {
        let read = app(&[("package.json", package), lock]).unwrap();
        let told = |asked: Option<Asked>| asked.map(|asked| format!("{} {}", asked.place, asked.text));
        assert_eq!((told(read.npm).as_deref(), told(read.wanted).as_deref()), (npm, wanted), "{package}");
    }
}

#[test]
fn a_workspace_s_packages_count() {
    let root = r#"{"workspaces":["lib/*"]}"#;
    let read = |lib: &str| app(&[("package.json", root), ("lib/a/package.json", lib), LOCK]).unwrap();
    let plain = read("{}");
    assert!(!plain.can_be_pruned() && !plain.needs_all_packages());
    assert!(read(r#"{"devDependencies":{"a":"1"}}"#).can_be_pruned());
    let scripts = read(r#"{"scripts":{"prepare":"a"}}"#);
    assert!(scripts.needs_all_packages());
    assert_eq!(scripts.lists().map(|(_, list)| list), ["lib/a\n", "", "lib/a\tprepare\n", ""]);
    assert_eq!(plain.fingerprint, scripts.fingerprint);
    assert_ne!(plain.fingerprint, read(r#"{"dependencies":{"a":"1"}}"#).fingerprint);
}

#[test]
fn the_fingerprint_needs_a_lockfile_and_follows_what_decides() {
    let package = ("package.json", r#"{"dependencies":{"a":"1"}}"#);
    let of = |files: &[(&str, &str)]| app(files).unwrap().fingerprint;
    assert_eq!(of(&[package]), None);
    let plain = of(&[package, LOCK]);
    assert!(plain.is_some());
    assert_eq!(plain, of(&[package, LOCK, ("server.js", "x")]));
    for other in [(".npmrc", "a=b"), ("package-lock.json", "{}"), ("package.json", "{}")] {
        assert_ne!(plain, of(&[package, LOCK, other]), "{other:?}");
    }
    let unknown = ("package.json", r#"{"workspaces":["+(a|b)"]}"#);
    assert_eq!(of(&[unknown, LOCK]), None);
    let copied = r#"{"dependencies":{"a":"file:a"}}"#;
    let with = |text| of(&[("package.json", copied), PNPM_LOCK, ("a/index.js", text)]);
    assert_ne!(with("1"), with("2"));
}

#[test]
fn refuses_what_it_cannot_read() {
    let empty = ("package.json", "{}");
    let long = format!(r#"{{"engines":{{"node":"{}1"}}}}"#, "1 || ".repeat(100));
    let pnpm_workspace = ("pnpm-workspace.yaml", "packages: ['a/*']");
    for (files, expected) in [
        (vec![("package.json", "{")], "package.json is not valid"),
        (vec![("package.json", "[]")], "package.json is not valid"),
        (
            vec![("package.json", long.as_str())],
            "\"1 || 1 || 1 || 1 || 1 || 1 || 1 || 1 || …\" is not a version",
        ),
        (vec![("package.json", r#"{"engines":{"node":24}}"#)], "engines.node in package.json is not a text"),
        (vec![empty, PNPM_LOCK, pnpm_workspace, ("a/b/package.json", "x")], "a/b/package.json is not valid"),
        (vec![empty, PNPM_LOCK, ("pnpm-workspace.yaml", "[")], "pnpm-workspace.yaml is not valid"),
    ] {
        let error = app(&files).unwrap_err().to_string();
        assert!(error.contains(expected), "{files:?}: {error}");
    }
}

#[test]
fn warns_of_what_is_likely_to_go_wrong() {
    let found = |files: &[(&str, &str)]| -> Vec<String> {
        let warnings = app(files).unwrap().warnings;
        let named = warnings.iter().map(|warning| format!("{warning:?}"));
        named.map(|text| text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()).collect()
    };
    let fine = r#"{"engines":{"node":"24.x"},"scripts":{"start":"a"}}"#;
    for (files, expected) in [
        (vec![("package.json", fine), LOCK], vec![]),
        (vec![("package.json", "{}")], vec!["NoNodeVersion", "NoLockfile", "NoStart"]),
        (vec![("package.json", "{}"), LOCK, ("server.js", "")], vec!["NoNodeVersion"]),
        (vec![("package.json", fine), LOCK, ("node_modules/a", "")], vec!["InstalledModules"]),
        (vec![("package.json", fine), PNPM_LOCK], vec!["NoManagerVersion"]),
        (
            vec![
                ("package.json", fine),
                ("yarn.lock", "__metadata:\n"),
                (".yarnrc.yml", "yarnPath: y.cjs"),
                ("y.cjs", ""),
                (".npmrc", ""),
            ],
            vec!["IgnoredFiles"],
        ),
        (
            vec![
                ("package.json", r#"{"engines":{"node":"24.x"},"packageManager":"yarn@4.5.0"}"#),
                ("yarn.lock", "__metadata:\n"),
                (".yarnrc.yml", "yarnPath: y.cjs"),
                ("y.cjs", ""),
                ("Procfile", ""),
            ],
            vec!["OtherRelease"],
        ),
    ] {
        assert_eq!(found(&files), expected, "{files:?}");
    }
}
