use super::*;

/// The app's files, which tests change.
struct Tree(tempfile::TempDir);

impl Tree {
    fn of(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            tree.write(name, content);
        }
        tree
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn read(&self, manager: Manager) -> Dependencies {
        let project = project(self.0.path()).unwrap();
        Dependencies::determine(self.0.path(), manager, project.as_ref(), false).unwrap()
    }

    /// Whether the hash is another one after each of these changes.
    fn follows(&self, manager: Manager, changes: &[(&str, &str, bool)]) {
        for (name, content, expected) in changes {
            let before = self.read(manager).hash;
            self.write(name, content);
            assert_eq!(self.read(manager).hash != before, *expected, "{name}: {content}");
        }
    }
}

#[test]
fn pip_included_files_and_paths_of_the_app_count() {
    let tree = Tree::of(&[
        ("requirements.txt", "-r req/live.txt\n./lib\nwheels/x-1-py3-none-any.whl\n-f more\nrequests\n"),
        ("req/live.txt", "-r base.txt\n-c ../limits.txt\nprivate @ https://${USER_NAME}:${TOKEN}@h/p.whl\n"),
        ("req/base.txt", "-r live.txt\ndjango\n"),
        ("limits.txt", "django<6\n"),
        ("lib/setup.py", "a"),
        ("wheels/x-1-py3-none-any.whl", "a"),
        ("more/y-1.tar.gz", "a"),
        ("app.py", "a"),
    ]);
    let found = tree.read(Manager::Pip);
    assert_eq!((found.fixed, found.itself, found.local), (true, false, true));
    assert_eq!(Vec::from_iter(&found.variables), ["TOKEN", "USER_NAME"]);
    tree.follows(
        Manager::Pip,
        &[
            ("app.py", "b", false),
            ("README", "b", false),
            ("req/base.txt", "-r live.txt\ndjango>5\n", true),
            ("limits.txt", "django<7\n", true),
            ("lib/setup.py", "b", true),
            ("lib/deep/new.py", "", true),
            ("wheels/x-1-py3-none-any.whl", "b", true),
            ("more/z-1.tar.gz", "", true),
            ("nltk.txt", "punkt", true),
        ],
    );
}

#[test]
fn pip_what_is_elsewhere_is_not_known() {
    for (requirements, fixed, itself) in [
        ("django\n", true, false),
        ("-e .\n", true, true),
        (".[web]\n", true, true),
        ("-r https://example.com/r.txt\n", false, false),
        ("-r missing.txt\n", false, false),
        ("-e ../other\n", false, false),
        ("x @ file:///srv/x\n", false, false),
        ("x @ git+https://example.com/x@main\n", true, false),
    ] {
        let found = Tree::of(&[("requirements.txt", requirements)]).read(Manager::Pip);
        assert_eq!((found.fixed, found.itself), (fixed, itself), "{requirements}");
    }
    let tree = Tree::of(&[("requirements.txt", "-e .\n"), ("setup.py", "a"), ("app.py", "a")]);
    tree.follows(Manager::Pip, &[("app.py", "b", false), ("setup.py", "b", true)]);
}

#[test]
fn uv_members_count_and_the_root_is_installed_again() {
    let lock = "version = 1\n[[package]]\nname = \"app\"\nsource = { editable = \".\" }\n\
                [[package]]\nname = \"lib\"\nsource = { editable = \"lib\" }\n\
                [[package]]\nname = \"docs\"\nsource = { virtual = \"docs\" }\n\
                [[package]]\nname = \"flask\"\nsource = { registry = \"https://pypi.org/simple\" }\n";
    let tree = Tree::of(&[("uv.lock", lock), ("pyproject.toml", ""), ("lib/a.py", "a"), ("app.py", "a")]);
    let found = tree.read(Manager::Uv);
    assert_eq!((found.fixed, found.itself, found.local), (true, true, true));
    tree.follows(
        Manager::Uv,
        &[
            ("app.py", "b", false),
            ("docs/index.md", "b", false),
            ("docs/pyproject.toml", "[project]", true),
            ("lib/a.py", "b", true),
            ("pyproject.toml", "[project]", true),
            ("uv.toml", "", true),
        ],
    );
    let plain = "[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\n";
    let found = Tree::of(&[("uv.lock", plain)]).read(Manager::Uv);
    assert_eq!((found.fixed, found.itself, found.local), (true, false, false));
}

#[test]
fn poetry_installs_the_app_unless_it_is_no_package() {
    let lock = "[[package]]\nname = \"lib\"\n[package.source]\ntype = \"directory\"\nurl = \"lib\"\n";
    for (project, itself) in [("", true), ("[tool.poetry]\npackage-mode = false\n", false)] {
        let tree = Tree::of(&[("poetry.lock", lock), ("pyproject.toml", project), ("lib/a.py", "a")]);
        let found = tree.read(Manager::Poetry);
        assert_eq!((found.fixed, found.itself, found.local), (true, itself, true), "{project}");
        tree.follows(Manager::Poetry, &[("app.py", "", false), ("lib/a.py", "b", true)]);
    }
}

#[test]
fn pipenv_reads_its_own_lock() {
    let lock = r#"{"_meta":{"sources":[{"url":"https://${TOKEN}@h/simple"}]},
        "default":{"a":{"version":"==1"},"lib":{"path":"./lib"},"w":{"file":"https://h/w.whl"}},
        "develop":{"dev":{"path":"."}}}"#;
    let tree = Tree::of(&[("Pipfile.lock", lock), ("Pipfile", ""), ("lib/a.py", "a")]);
    let found = tree.read(Manager::Pipenv);
    assert_eq!((found.fixed, found.itself, found.local), (true, false, true));
    assert_eq!(Vec::from_iter(&found.variables), ["TOKEN"]);
    tree.follows(Manager::Pipenv, &[("lib/a.py", "b", true), ("Pipfile", "[packages]", true)]);
    let own = r#"{"default":{"me":{"path":".","editable":true}}}"#;
    assert!(!Tree::of(&[("Pipfile.lock", own)]).read(Manager::Pipenv).fixed);
}

#[test]
fn files_that_cannot_be_read_are_told() {
    for (manager, files) in [
        (Manager::Uv, [("uv.lock", "version = "), ("pyproject.toml", "")]),
        (Manager::Poetry, [("poetry.lock", "[[package]"), ("pyproject.toml", "")]),
        (Manager::Pipenv, [("Pipfile.lock", "{"), ("Pipfile", "")]),
    ] {
        let tree = Tree::of(&files);
        let error = Dependencies::determine(tree.0.path(), manager, None, false).unwrap_err();
        assert!(
            matches!(&error, PythonError::BadFile { file, .. } if file == manager.file()),
            "{manager:?}: {error:?}"
        );
    }
    assert!(project(Tree::of(&[("pyproject.toml", "a b")]).0.path()).is_err());
}
