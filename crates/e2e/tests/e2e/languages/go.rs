//! Go: gin, with modules from the proxy.

use super::{first_push, refused};
use crate::run;
use anyhow::{Result, ensure};
use e2e::{App, Server};

/// A gin app with a page that is compiled in.
pub(crate) fn gin(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "go-gin")?;
        app.answers("Hello from Go in web.1").await?;
        let health = app.get("/health").await?;
        ensure!(health.status == 200 && health.body.contains(r#""status":"ok""#), "{health:?}");
        app.heroku(&["run", "--no-tty", "--exit-code", "go-gin version"])?
            .ok()?
            .says("gin v1.10.0 on go1.24.")?;
        // A compiler and modules are no part of the app.
        let absent = "! command -v go && ! ls -d /usr/local/go /kigo-cache .heroku";
        app.heroku(&["run", "--no-tty", "--exit-code", &format!("bash -c \"{absent}\"")])?.ok()?;
        app.write("greeting.html", "<p>Goodbye from {{ .dyno }}</p>\n")?;
        // A second command, in a module that says what to install.
        app.write("cmd/greet/main.go", GREET)?;
        app.write("Procfile", "web: go-gin\ngreet: greet somebody\n")?;
        let module = std::fs::read_to_string(app.checkout.join("go.mod"))?;
        app.write("go.mod", &format!("// +heroku install . ./cmd/...\n{module}"))?;
        app.commit("goodbye")?;
        app.push()?
            .ok()?
            .says("example.com/go-gin")?
            .says("./bin/greet")?
            .says("Procfile declares types     -> greet, web")?
            .says_not("go: downloading")?
            .says_not("github.com/gin-gonic")?;
        e2e::until("the new page", async || match app.get("/").await {
            Ok(answer) if answer.body.contains("Goodbye from web.1") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await?;
        app.heroku(&["run", "--no-tty", "--exit-code", "greet"])?.ok()?.says("Good day, somebody")?;
        Ok(())
    })
}

const GREET: &str = "package main

import (
	\"fmt\"
	\"os\"
)

func main() {
	fmt.Println(\"Good day,\", os.Args[1])
}
";

/// What a user can get wrong. Without dependencies an app has no go.sum, so that a missing one is
/// told with the first module that it should have.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    let module = ("go.mod", "module example.com/refused\n\ngo 1.24\n");
    let main = ("main.go", "package main\n\nfunc main() {}\n");
    refused(
        server,
        "go",
        &[
            ("legacy-manager", &[("Gopkg.lock", ""), main]),
            ("no-version", &[("go.mod", "// +heroku goVersion latest\nmodule a\n"), main]),
            ("old-version", &[("go.mod", "// +heroku goVersion go1.24\nmodule a\n\ngo 1.25\n"), main]),
            (
                "missing-module",
                &[
                    module,
                    ("main.go", "package main\n\nimport _ \"github.com/gin-gonic/gin\"\n\nfunc main() {}\n"),
                ],
            ),
            (
                "other-vendor",
                &[
                    (
                        "go.mod",
                        "module example.com/refused\n\ngo 1.24\n\nrequire golang.org/x/text v0.14.0\n",
                    ),
                    ("vendor/modules.txt", "# golang.org/x/text v0.13.0\n## explicit\n"),
                    main,
                ],
            ),
            ("failing-compile", &[module, ("main.go", "package main\n\nfunc main() { serve() }\n")]),
            ("failing-hook", &[module, main, ("bin/go-post-compile", "#!/bin/sh\necho broken; exit 3")]),
        ],
    )?;
    unknown_version(server)
}

/// Which releases there are differs from one registry to the next.
fn unknown_version(server: &Server) -> Result<()> {
    let app = App::create(server, "go-unknown")?;
    app.write("go.mod", "module example.com/unknown\n\ngo 1.999\n")?;
    app.commit("unknown")?;
    let push = app.push()?.fails()?;
    push.says("go1.999, which the line `go` in go.mod asks for, cannot be had.")?
        .says("Debian has 1.24, 1.25")?;
    Ok(())
}
