//! The small apps of these stories.

/// An app's files.
type Files = &'static [(&'static str, &'static str)];

pub(super) const MINE: &str = include_str!("apps/package/mine.py");

/// With pip: the app itself as a package, another one in a directory, and a file that a hook writes.
pub(super) const PACKAGE: Files = &[
    ("requirements.txt", "-r compiled.txt\n--editable .\n./lib\n"),
    ("bin/pre_compile", "#!/bin/sh\necho \"psycopg2==$PSYCOPG\" > compiled.txt\n"),
    ("pyproject.toml", include_str!("apps/package/pyproject.toml")),
    ("mine.py", MINE),
    ("lib/lib.py", "VERSION = 1\n"),
    (
        "lib/pyproject.toml",
        "[project]\nname = \"lib\"\nversion = \"1.0\"\n[tool.setuptools]\npy-modules = [\"lib\"]\n\
         [build-system]\nrequires = [\"setuptools==80.9.0\"]\nbuild-backend = \"setuptools.build_meta\"\n",
    ),
    (".python-version", "3.13\n"),
];

pub(super) const HELLO: &str = include_str!("apps/poetry/hello/__init__.py");
const POETRY_PROJECT: &str = include_str!("apps/poetry/pyproject.toml");
const POETRY_LOCK: &str = include_str!("apps/poetry/poetry.lock");

/// With Poetry. It names an index, so that it takes the same way as those of companies do.
pub(super) const POETRY: Files = &[
    ("pyproject.toml", POETRY_PROJECT),
    ("poetry.lock", POETRY_LOCK),
    ("hello/__init__.py", HELLO),
    (".python-version", "3.13\n"),
];

const PIPFILE: &str = include_str!("apps/pipenv/Pipfile");
const PIPFILE_LOCK: &str = include_str!("apps/pipenv/Pipfile.lock");

/// With Pipenv, which asks for a Python of an older release of Debian.
pub(super) const PIPENV: Files = &[
    ("Pipfile", PIPFILE),
    ("Pipfile.lock", PIPFILE_LOCK),
    ("hello.py", include_str!("apps/pipenv/hello.py")),
];

const UV_PROJECT: &str =
    "[project]\nname = \"x\"\nversion = \"1\"\nrequires-python = \">=3.13\"\ndependencies = [\"click\"]\n";
const UV_LOCK: &str = "version = 1\nrevision = 3\nrequires-python = \">=3.13\"\n\n[[package]]\nname = \"x\"\nversion = \"1\"\nsource = { virtual = \".\" }\n";
const NEWER: (&str, &str) = (".python-version", "3.13\n");

/// Apps that cannot be built, by what is wrong.
pub(super) const MISTAKES: &[(&str, Files)] = &[
    ("no-requirements", &[("app.py", ""), ("requirement.txt", "")]),
    ("several-managers", &[("requirements.txt", ""), ("uv.lock", UV_LOCK), ("Pipfile.lock", "{}")]),
    ("pipfile-without-lock", &[("Pipfile", PIPFILE)]),
    ("project-without-lock", &[("pyproject.toml", UV_PROJECT), ("setup.py", "")]),
    ("setup-only", &[("setup.py", "")]),
    ("committed-environment", &[("requirements.txt", ""), ("venv/pyvenv.cfg", "home = /usr/bin")]),
    ("unknown-version", &[("requirements.txt", ""), (".python-version", "2.7")]),
    ("no-version", &[("requirements.txt", ""), (".python-version", "three")]),
    (
        "conflicting-version",
        &[("requirements.txt", ""), ("pyproject.toml", UV_PROJECT), (".python-version", "3.11")],
    ),
    ("failing-install", &[("requirements.txt", "no-such-package-of-anybody==1.0"), NEWER]),
    ("uv-without-version", &[("uv.lock", UV_LOCK), ("pyproject.toml", UV_PROJECT)]),
    ("uv-stale-lock", &[("uv.lock", UV_LOCK), ("pyproject.toml", UV_PROJECT), NEWER]),
    (
        "poetry-stale-lock",
        &[
            ("poetry.lock", POETRY_LOCK),
            (
                "pyproject.toml",
                "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = \"^3.11\"\nclick = \"8.1.7\"\n",
            ),
            NEWER,
        ],
    ),
    (
        "pipenv-stale-lock",
        &[("Pipfile", "[packages]\nclick = \"*\"\n"), ("Pipfile.lock", PIPFILE_LOCK), NEWER],
    ),
    (
        "failing-hook",
        &[("requirements.txt", ""), NEWER, ("bin/post_compile", "#!/bin/sh\necho broken; exit 3")],
    ),
    (
        "failing-collectstatic",
        &[
            ("requirements.txt", "asgiref==3.13.0\nDjango==5.2.1\nsqlparse==0.6.1\n"),
            NEWER,
            (
                "site/manage.py",
                "import os, sys\nfrom django.core.management import execute_from_command_line\n\
                 os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\nexecute_from_command_line(sys.argv)\n",
            ),
            ("site/settings.py", "SECRET_KEY = 'only for this'\n"),
        ],
    ),
];
