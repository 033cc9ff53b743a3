//! Ruby: Sinatra with Bundler, and gems in the repository.

use super::{first_push, refused};
use crate::run;
use anyhow::{Result, ensure};
use e2e::{App, Server};

/// A Sinatra app with a gem that is compiled and a rake task for its assets.
pub(crate) fn sinatra(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "ruby-sinatra")?;
        app.answers("Hello from Ruby in web.1").await?;
        for (path, words) in [
            ("/password", "true"),
            ("/assets/style.css", "sans-serif"),
            ("/health", r#""rack_env":"production","lang":"UTF-8""#),
        ] {
            let answer = app.get(path).await?;
            ensure!(answer.status == 200 && answer.body.contains(words), "{path}: {answer:?}");
        }
        let console = "bash -c \"echo 'puts 6 * 7' | bundle exec irb\"";
        app.heroku(&["run", "--no-tty", "--exit-code", console])?.ok()?.says("42")?;
        // What compiled the gems is no part of the app, nor are gems for tests.
        let absent = "! command -v gcc && ! bundle list | grep rack-test && ! ls /kigo-cache";
        app.heroku(&["run", "--no-tty", "--exit-code", &format!("bash -c \"{absent}\"")])?.ok()?;
        app.heroku(&["run", "--no-tty", "--exit-code", "rake -T"])?.ok()?.says("rake assets:precompile")?;
        app.write("views/greeting.erb", "<p>Goodbye from <%= ENV[\"DYNO\"] %></p>\n")?;
        app.commit("goodbye")?;
        app.push()?.ok()?.says("Using the gems of the last build")?.says_not("Installing sinatra")?;
        app.answers("Goodbye from web.1").await?;
        Ok(())
    })
}

/// What a user can get wrong.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    let lock = ("Gemfile.lock", "GEM\n  specs:\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n");
    refused(
        server,
        "ruby",
        &[
            ("no-lockfile", &[("Gemfile", "source \"https://rubygems.org\"\n")]),
            ("unknown-version", &[("Gemfile", "ruby \"3.4.1\"\n"), lock]),
            ("other-patch", &[("Gemfile", "ruby \"3.3.0\"\n"), lock]),
            ("outdated-lockfile", &[("Gemfile", "source \"https://rubygems.org\"\ngem \"sinatra\"\n"), lock]),
            ("broken-gemfile", &[("Gemfile", "gem \"sinatra\n"), lock]),
        ],
    )?;
    let app = App::example(server, "ruby-broken", "ruby-sinatra")?;
    app.write("Rakefile", "task(\"assets:precompile\") { abort \"There is no such style.\" }\n")?;
    app.commit("broken")?;
    // Gems are installed in any order.
    app.push()?.fails()?.says("There is no such style.")?.says("!     Precompiling assets failed.")?;
    Ok(())
}
