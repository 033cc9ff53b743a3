use super::*;
use domain::Digest;

fn stack() -> Stack {
    let runtime = |version: &str| Runtime {
        language: "python".into(),
        version: version.into(),
        build: Vec::new(),
        run: Vec::new(),
    };
    Stack {
        name: "kigo-13".into(),
        run: Digest::from_bytes([1; 32]),
        build: Digest::from_bytes([2; 32]),
        classic_alias: "heroku-24".into(),
        runtimes: vec![runtime("3.13"), runtime("3.11")],
    }
}

/// What an app with these files gets; and why.
fn resolve(files: &[(&str, &str)], last: Option<Series>) -> Result<(String, Origin), PythonError> {
    let tree = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(tree.path().join(name), content).unwrap();
    }
    let app = App::determine(tree.path(), false)?;
    let version = Version::resolve(&app, &stack(), last)?;
    let from = match &version.source {
        Source::Stack(runtime) => format!("{} of the stack", runtime.version),
        Source::Download(version) => format!("{version} by download"),
    };
    Ok((from, version.origin))
}

const PIP: (&str, &str) = ("requirements.txt", "");

#[test]
fn a_file_decides() {
    for (text, expected) in [
        ("3.13", "3.13 of the stack"),
        ("3.13.99", "3.13 of the stack"),
        ("3.11", "3.11 of the stack"),
        ("3.12", "3.12 by download"),
        ("3.12.4", "3.12.4 by download"),
        ("3.15", "3.15 by download"),
    ] {
        let (found, origin) = resolve(&[PIP, (".python-version", text)], Some(Series(3, 11))).unwrap();
        assert_eq!(found, expected, "{text}");
        assert!(matches!(origin, Origin::Asked(_)));
    }
    for text in ["2.7", "3.8", "4.0"] {
        let error = resolve(&[PIP, (".python-version", text)], None).unwrap_err();
        let PythonError::NotOffered { offered, .. } = &error else { panic!("{error:?}") };
        assert_eq!(offered.here, ["3.13", "3.11"]);
    }
}

#[test]
fn what_the_project_allows_is_kept_to() {
    let project = |text: &str| format!("[project]\nname = \"x\"\nrequires-python = \"{text}\"\n");
    for (allowed, last, expected) in [
        (">=3.9", None, "3.13 of the stack"),
        (">=3.9", Some(Series(3, 11)), "3.11 of the stack"),
        ("<3.13", None, "3.11 of the stack"),
        ("<3.13", Some(Series(3, 13)), "3.11 of the stack"),
        ("==3.12.*", None, "3.12 by download"),
        (">=3.14", None, "3.14 by download"),
    ] {
        let (found, _) = resolve(&[PIP, ("pyproject.toml", &project(allowed))], last).unwrap();
        assert_eq!(found, expected, "{allowed} {last:?}");
    }
    let files = [PIP, ("pyproject.toml", &project(">=3.13")), (".python-version", "3.11")];
    assert!(matches!(resolve(&files, None).unwrap_err(), PythonError::Conflict { .. }));
    let files = [PIP, ("pyproject.toml", &project("<3"))];
    assert!(matches!(resolve(&files, None).unwrap_err(), PythonError::NothingAllowed { .. }));
}

#[test]
fn without_any_the_last_build_decides_then_the_stack() {
    for (last, expected, origin) in [
        (None, "3.13 of the stack", Origin::Default),
        (Some(Series(3, 11)), "3.11 of the stack", Origin::Last),
        // It was built on another stack.
        (Some(Series(3, 14)), "3.13 of the stack", Origin::Default),
    ] {
        assert_eq!(resolve(&[PIP], last).unwrap(), (expected.into(), origin));
    }
}

#[test]
fn uv_wants_a_file() {
    let project = "[project]\nname = \"x\"\nrequires-python = \"<3.13\"\n";
    let files = [("uv.lock", "version = 1\n"), ("pyproject.toml", project)];
    let error = resolve(&files, Some(Series(3, 13))).unwrap_err();
    assert!(matches!(error, PythonError::NoVersionWithUv { proposed: Some(Series(3, 11)) }), "{error:?}");
}
