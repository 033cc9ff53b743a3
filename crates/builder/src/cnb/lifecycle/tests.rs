//! A whole run, with files in the place of a container.

use super::super::descriptor::tests::platform;
use super::super::order;
use super::*;
use std::fs;

fn component(number: usize, more: &str) -> Component {
    let api = if more.contains("stacks") { "0.9" } else { "0.12" };
    let text = format!("api = \"{api}\"\n{more}[buildpack]\nid = \"acme/{number}\"\nversion = \"1.0.0\"\n");
    let text = match more.strip_prefix("buildpack:") {
        Some(more) => {
            format!("api = \"0.12\"\n[buildpack]\nid = \"acme/{number}\"\nversion = \"1.0.0\"\n{more}")
        }
        None => text,
    };
    Component { descriptor: Descriptor::parse(&text).unwrap(), place: format!("/kigo/buildpacks/{number}") }
}

fn lifecycle(components: Vec<Component>) -> Lifecycle {
    let catalog: Vec<_> = components.iter().map(|one| one.descriptor.clone()).collect();
    let all: Vec<_> = (0..catalog.len()).collect();
    let detection = Detection::new(order::groups(&catalog, &all).unwrap());
    let variables = [("SECRET", "s"), ("PATH", "/mine"), ("HOME", "/x"), ("CNB_X", "x"), ("STACK", "mine")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Lifecycle::new(components, detection, platform(), variables, Restored::default())
}

/// Sends files; the answer is shown as a text.
fn ask(lifecycle: &mut Lifecycle, files: &[(&str, &str)]) -> Result<String, BuildError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let answer = lifecycle.next(dir.path())?;
    let shown = answer.iter().map(|(name, content)| {
        let text = String::from_utf8(content.clone()).unwrap().replace('\0', "\n");
        format!("[{name}]\n{}", if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" })
    });
    Ok(shown.collect())
}

const BEGIN: (&str, &str) =
    ("env", "PATH=/usr/bin\0STACK=heroku-24\0BUILD_DIR=/app\0KIGO_X=1\0PWD=/\0HOME=/app\0");
const PASS: (&str, &str) = ("status", "0");

#[test]
fn a_run_from_detection_to_export() {
    let mut lifecycle = lifecycle(vec![component(0, ""), component(1, "buildpack:clear-env = true\n")]);
    let plan = ("plan", "[[provides]]\nname = \"x\"\n");
    let wants = ("plan", "[[requires]]\nname = \"x\"\nmetadata = {a = 1}\n");
    let layers = [
        ("listing", "t deps.toml\0t launch.toml\0d deps\0d scratch\0p deps/bin\0f deps/env.build/X\0"),
        ("layers/deps.toml", "[types]\nbuild = true\nlaunch = true\ncache = true\n"),
        ("layers/deps/env.build/X", "from deps"),
        ("layers/launch.toml", "[[processes]]\ntype = \"web\"\ncommand = [\"serve\"]\n"),
    ];
    let mut told = ask(&mut lifecycle, &[BEGIN]).unwrap();
    told += &ask(&mut lifecycle, &[PASS, plan]).unwrap();
    told += &ask(&mut lifecycle, &[PASS, wants]).unwrap();
    told += &ask(&mut lifecycle, &[&[PASS][..], &layers].concat()).unwrap();
    told += &ask(&mut lifecycle, &[PASS, ("listing", "")]).unwrap();
    insta::assert_snapshot!(told);
    assert_eq!(lifecycle.built.iter().map(|(component, _)| *component).collect::<Vec<_>>(), [0, 1]);
    assert!(ask(&mut lifecycle, &[PASS]).is_err());
}

#[test]
fn what_fails_ends_it() {
    let fails = |components: Vec<Component>, messages: &[&[(&str, &str)]]| {
        let mut lifecycle = lifecycle(components);
        ask(&mut lifecycle, &[BEGIN]).and_then(|mut told| {
            for message in messages {
                told += &ask(&mut lifecycle, message)?;
            }
            Ok(told)
        })
    };
    let words = |failed: Result<String, BuildError>| crate::errors::chain(&failed.unwrap_err());
    let one = || vec![component(0, "")];
    for (components, messages, line) in [
        (one(), &[&[("status", "100")][..]][..], "acme/0 1.0.0: fail"),
        (
            vec![component(0, "stacks = [{id = \"other\"}]\n")],
            &[],
            "acme/0 1.0.0: not for this stack, but for other",
        ),
    ] {
        let mut lifecycle = lifecycle(components);
        let mut told = ask(&mut lifecycle, &[BEGIN]).unwrap();
        for message in messages {
            told = ask(&mut lifecycle, message).unwrap();
        }
        assert_eq!(told, "[do]\nstop\n[say]\n");
        assert_eq!(lifecycle.nothing.unwrap().lines, [line]);
    }
    let build = fails(one(), &[&[PASS], &[("status", "7")]]);
    assert!(words(build).ends_with("acme/0 1.0.0 failed with status 7"));
    assert!(words(fails(one(), &[&[]])).contains("no status"));
    let named = fails(one(), &[&[PASS], &[PASS, ("listing", "t ...toml\0"), ("layers/...toml", "")]]);
    assert!(words(named).contains("has a layer \"..\""));
    // What a program said that failed is shown.
    let told =
        fails(vec![component(0, ""), component(1, "")], &[&[("status", "3"), ("output", "oops\nno\n")]]);
    assert!(told.unwrap().ends_with("[say]\n !     oops\n !     no\n"));
}
