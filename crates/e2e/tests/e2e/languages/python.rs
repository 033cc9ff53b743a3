//! Python: with each of the package managers.

mod files;

use super::{first_push, refused, snapshot};
use crate::run;
use anyhow::{Result, ensure};
use e2e::{App, Output, Server};

/// What a command in a one-off dyno prints.
fn run_in(app: &App<'_>, command: &str) -> Result<Output> {
    app.heroku(&["run", "--no-tty", "--exit-code", command])?.ok()
}

/// A created app with these files, committed.
fn app_of<'a>(server: &'a Server, name: &str, files: &[(&str, &str)]) -> Result<App<'a>> {
    let app = App::create(server, name)?;
    files.iter().try_for_each(|(path, text)| app.write(path, text))?;
    app.commit("first")?;
    Ok(app)
}

/// Static files, a console, and a web server that starts as many processes as the dyno has room for.
pub(crate) fn django_with_pip(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "python-django")?;
        app.answers("Hello from Django in web.1").await?;
        app.logs_say("Defaulting WEB_CONCURRENCY to 2 based on the available memory.").await?;
        let style = app.get("/static/style.css").await?;
        ensure!(style.status == 200 && style.body.contains("sans-serif"), "the style sheet: {style:?}");
        let console = "import django, sys; print('django', django.get_version(), sys.prefix)";
        run_in(&app, &format!("python manage.py shell -c \"{console}\""))?
            .says("django 5.2.1 /app/.heroku/python")?;
        run_in(&app, "pip list")?.says("whitenoise")?;
        // What was compiled is of use: it goes by the hash of its source, not by its time.
        let compiled = "import django, importlib.util as i; print('flags', open(i.cache_from_source(django.__file__), 'rb').read(8)[4])";
        run_in(&app, &format!("python -c \"{compiled}\""))?.says("flags 3")?;
        app.write("greetings/static/style.css", "p { color: green; }")?;
        app.commit("green")?;
        app.push()?.ok()?.says("Using the dependencies of the last build")?;
        e2e::until("the new style sheet", async || match app.get("/static/style.css").await {
            Ok(answer) if answer.body.contains("green") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await?;
        app.heroku(&["config:set", "DISABLE_COLLECTSTATIC=1"])?.ok()?;
        app.commit("no static files")?;
        app.push()?
            .ok()?
            .says("Skipping Django collectstatic since the env var DISABLE_COLLECTSTATIC is set")?;
        Ok(())
    })
}

/// A lockfile with modules that are compiled.
pub(crate) fn fastapi_with_uv(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "python-fastapi")?;
        app.answers("Hello, world, from FastAPI").await?;
        let main = app.checkout.join("main.py");
        let text = std::fs::read_to_string(&main)?.replace("from FastAPI", "from FastAPI and uv");
        app.write("main.py", &text)?;
        app.commit("say more")?;
        app.push()?.ok()?.says("Using the dependencies of the last build")?;
        app.answers("Hello, world, from FastAPI and uv").await?;
        run_in(
            &app,
            "python -c 'import pydantic_core; print(pydantic_core.__name__)'; which uv || echo no uv",
        )?
        .says("pydantic_core")?
        .says("no uv")?;
        Ok(())
    })
}

/// Paths of the app among its requirements, a hook that writes some, a package that is compiled, and
/// another buildpack in front.
pub(crate) fn an_app_that_is_a_package(server: &Server) -> Result<()> {
    run(async {
        let app = app_of(server, "python-package", files::PACKAGE)?;
        app.heroku(&["config:set", "PSYCOPG=2.9.10"])?.ok()?;
        app.push()?.ok()?.says("Running bin/pre_compile hook")?.says("Building wheel for psycopg2")?;
        run_in(&app, "hello")?.says("hello from lib 1 in /app with libpq")?;

        app.write("mine.py", &files::MINE.replace("hello from", "good day from"))?;
        app.commit("politely")?;
        let push =
            app.push()?.ok()?.says("Restoring cache")?.says("Successfully installed lib-1.0 mine-1.0")?;
        push.says_not("psycopg2-2.9.10.tar.gz")?;
        run_in(&app, "hello")?.says("good day from lib 1 in /app with libpq")?;

        // Another content of what is installed: all again, but what was compiled.
        app.write("lib/lib.py", "VERSION = 2\n")?;
        app.write("package.json", "{\"private\": true}")?;
        app.heroku(&["buildpacks:set", "heroku/nodejs"])?.ok()?;
        app.heroku(&["buildpacks:add", "heroku/python"])?.ok()?;
        app.commit("lib 2")?;
        let push = app.push()?.ok()?.says("Node.js app detected")?.says("Python app detected")?;
        push.says_not("Building wheel for psycopg2")?;
        run_in(&app, "hello")?.says("good day from lib 2 in /app with libpq")?;
        run_in(&app, "node -p '\"node\" + 1'")?.says("node1")?;
        Ok(())
    })
}

/// The other two managers; and an older Python.
pub(crate) fn poetry_and_pipenv(server: &Server) -> Result<()> {
    let app = app_of(server, "python-poetry", files::POETRY)?;
    snapshot("python-poetry", &app.push()?.ok()?);
    run_in(&app, "hello")?.says("hello with click 8.1.8 and python 3.13")?;
    app.write("hello/__init__.py", &files::HELLO.replace("hello with", "good day with"))?;
    app.commit("politely")?;
    app.push()?.ok()?.says("Restoring cache")?.says("Installing the current project: hello")?;
    run_in(&app, "hello; which poetry || echo no poetry")?
        .says("good day with click 8.1.8")?
        .says("no poetry")?;

    let app = app_of(server, "python-pipenv", files::PIPENV)?;
    snapshot("python-pipenv", &app.push()?.ok()?);
    run_in(&app, "pipenv run python hello.py")?.says("hello with click 8.1.8 and python 3.11")?;
    app.write("nothing", "new")?;
    app.commit("again")?;
    app.push()?.ok()?.says("Using the dependencies of the last build")?;
    Ok(())
}

/// What a user can get wrong.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    refused(server, "python", files::MISTAKES)?;
    let app = app_of(
        server,
        "python-elsewhere",
        &[("requirements.txt", ""), (".python-version", "3.14"), ("app.py", "")],
    )?;
    let push = app.push()?.fails()?;
    push.says("Python 3.14 could not be downloaded.")?.says("The stack kigo-13 has Python 3.13 and 3.11.")?;
    Ok(())
}
