//! What users read about a step of a build that failed.

use super::Manager;
use crate::errors::Words;
use crate::languages::words::{above, copying};

pub(super) fn words(step: &str, status: i32, manager: Option<Manager>, manage: &str) -> Words {
    let above = above(status);
    match step {
        "pre_compile" | "post_compile" => Words::new(
            format!("Failed to run the bin/{step} script."),
            above,
            "Fix what it names and push again, or remove or rename the script so that it is not run.",
        ),
        "install" => install(manager, &above),
        "nltk" => Words::new(
            "Unable to download NLTK data.",
            "The command `python -m nltk.downloader`, for what nltk.txt lists, failed. The lines above say\nmore.",
            "Check the names in nltk.txt, and try again.",
        ),
        "collectstatic" => Words::new(
            "Unable to generate Django static files.",
            format!(
                "The 'python {manage} collectstatic --noinput' Django management command failed with status\n{status}. See the traceback above for details."
            ),
            "You may need to change the app's code; config vars are there as environment variables. Or\ndisable collectstatic for this app:\n\n   $ heroku config:set DISABLE_COLLECTSTATIC=1",
        ),
        _ => copying(status),
    }
}

fn install(manager: Option<Manager>, above: &str) -> Words {
    let title = manager.map_or("the package manager", Manager::title);
    let lock = |command: &str| {
        format!(
            "If the lockfile does not fit any more, run `{command}` and commit it. If a package could not be\nbuilt, see whether it has a version that needs no compiler, or that supports this Python."
        )
    };
    let next = match manager {
        Some(Manager::Uv) => lock("uv lock"),
        Some(Manager::Poetry) => lock("poetry lock"),
        Some(Manager::Pipenv) => lock("pipenv lock"),
        Some(Manager::Pip) | None => "If a package could not be found, check its name and version in requirements.txt. If it could\nnot be built, see whether it has a version that needs no compiler, or that supports this Python.".into(),
    };
    Words::new(format!("Unable to install dependencies using {title}."), above, next)
}
