use super::*;
use crate::errors::tests::told;
use crate::languages::python::failed;

fn constraint(text: &str) -> Constraint {
    let project = format!("[project]\nrequires-python = \"{text}\"");
    Constraint::read(&project.parse().unwrap()).unwrap()
}

fn asked(text: &str) -> Asked {
    Asked { text: text.into(), series: Series::parse(text).unwrap(), file: ".python-version" }
}

fn offered() -> Offered {
    Offered { stack: "kigo-13".into(), here: vec!["3.13".into(), "3.11".into()] }
}

fn about_files() -> Vec<PythonError> {
    vec![
        PythonError::Unreadable { file: "requirements.txt".into(), why: "it is not a regular file".into() },
        PythonError::BadFile { file: "uv.lock".into(), why: "TOML parse error at line 1".into() },
        PythonError::OurDirectory,
        PythonError::OwnEnvironment("venv"),
        PythonError::NoManager { there: vec!["app.py".into(), "requirement.txt".into(), "src/".into()] },
        PythonError::OnlyProject,
        PythonError::OnlySetup,
        PythonError::NoPipfileLock,
        PythonError::SeveralManagers(vec![Manager::Pip, Manager::Uv]),
    ]
}

fn about_versions() -> Vec<PythonError> {
    let bad = |file, problem| PythonError::BadVersion { file, problem };
    vec![
        PythonError::Misspelled("python-version"),
        bad("runtime.txt", Problem::NoVersion("3.13".into())),
        bad(".python-version", Problem::NoVersion("three".into())),
        bad(".python-version", Problem::Several(vec!["3.13".into(), "3.11".into()])),
        bad(".python-version", Problem::Empty),
        bad(".python-version", Problem::Encoding("UTF-16")),
        bad("Pipfile.lock", Problem::NoVersion("3.*".into())),
        PythonError::RuntimeWithUv,
        PythonError::NoVersionWithUv { proposed: Some(Series(3, 11)) },
        PythonError::Conflict { asked: asked("3.11"), constraint: constraint(">=3.13") },
        PythonError::NotOffered { asked: asked("2.7"), offered: offered() },
        PythonError::NothingAllowed { constraint: constraint("<3.9"), offered: offered() },
        PythonError::NoPython { stack: "kigo-13".into() },
        PythonError::Download { version: "3.14".into(), offered: offered(), status: 1 },
        PythonError::Download { version: "3.12.4".into(), offered: offered(), status: 1 },
        PythonError::Tool { tool: "Poetry 2.5.1".into(), status: 1 },
    ]
}

#[tokio::test]
async fn every_failure_tells_what_to_do() {
    let step = |step: &str, manager| PythonError::Step {
        step: step.into(),
        status: 1,
        manager,
        manage: "backend/manage.py".into(),
    };
    let managers = [Manager::Pip, Manager::Pipenv, Manager::Poetry, Manager::Uv];
    let installs = managers.map(|manager| step("install", Some(manager)));
    let others =
        ["pre_compile", "post_compile", "nltk", "collectstatic", "pack"].map(|name| step(name, None));
    let steps = installs.into_iter().chain(others);
    let all = about_files().into_iter().chain(about_versions()).chain(steps);
    insta::assert_snapshot!(told(all.map(failed)).await);
}
