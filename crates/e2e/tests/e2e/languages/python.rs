//! Python: Django with pip.

use super::{first_push, refused};
use crate::run;
use anyhow::{Result, ensure};
use e2e::Server;

/// A Django app with static files.
pub(crate) fn django(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "python-django")?;
        app.answers("Hello from Django in web.1").await?;
        let style = app.get("/static/style.css").await?;
        ensure!(style.status == 200 && style.body.contains("sans-serif"), "the style sheet: {style:?}");
        let console = "import django, sys; print('django', django.get_version(), sys.prefix)";
        app.heroku(&["run", "--no-tty", "--exit-code", &format!("python -c \"{console}\"")])?
            .ok()?
            .says("django 5.2.1 /app/.heroku/python")?;
        app.write("greetings/static/style.css", "p { color: green; }")?;
        app.commit("green")?;
        app.push()?.ok()?.says("Using the dependencies of the last build")?;
        e2e::until("the new style sheet", async || match app.get("/static/style.css").await {
            Ok(answer) if answer.body.contains("green") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
    })
}

/// What a user can get wrong.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    refused(
        server,
        "python",
        &[
            ("no-requirements", &[("app.py", "")]),
            ("unknown-version", &[("requirements.txt", ""), (".python-version", "2.7")]),
            ("no-version", &[("requirements.txt", ""), (".python-version", "three")]),
            ("failing-install", &[("requirements.txt", "no-such-package-of-anybody==1.0")]),
            (
                "failing-hook",
                &[("requirements.txt", ""), ("bin/post_compile", "#!/bin/sh\necho broken; exit 3")],
            ),
        ],
    )
}
