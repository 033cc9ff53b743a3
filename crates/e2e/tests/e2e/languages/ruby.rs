//! Ruby: Sinatra and Rails with Bundler, and gems in the repository.

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

/// A Rails app: what its first release gives it, its assets, its console.
pub(crate) fn rails(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "ruby-rails")?;
        let page = app.answers("Hello from Rails in web.1").await?;
        let style = style_sheet(&app, &page.body).await?;
        ensure!(style.contains("sans-serif"), "the style sheet: {style}");
        let health = app.get("/up").await?;
        ensure!(health.status == 200, "{health:?}");
        app.logs_say("GreetingsController#show").await?;
        let secret = app.heroku(&["config:get", "SECRET_KEY_BASE"])?.ok()?.stdout;
        ensure!(secret.trim().len() >= 64, "no secret of its own: {secret:?}");
        let console = "bash -c \"echo 'puts 6 * 7, Rails.env' | rails console\"";
        app.heroku(&["run", "--no-tty", "--exit-code", console])?.ok()?.says("42\nproduction\n")?;

        app.write("app/assets/stylesheets/page.css", "body { color: green; }\n")?;
        app.commit("green")?;
        app.push()?.ok()?.says("Using the gems of the last build")?.says("Cleaning assets")?;
        e2e::until("the new style sheet", async || {
            let page = app.get("/").await.map_err(|error| format!("{error:#}"))?;
            match style_sheet(&app, &page.body).await {
                Ok(style) if style.contains("green") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
        app.write("app/assets/config/manifest.js", "//= link no-such.css\n")?;
        app.commit("lost style sheet")?;
        app.push()?.fails()?.says("no-such.css")?.says("!     Precompiling assets failed.")?;
        Ok(())
    })
}

/// The style sheet that a page names, by the digest of its content.
async fn style_sheet(app: &App<'_>, page: &str) -> Result<String> {
    let named = page.split('"').find(|part| part.starts_with("/assets/application-"));
    let style = app.get(named.unwrap_or("/no-style-sheet")).await?;
    ensure!(style.status == 200, "the style sheet: {style:?}");
    Ok(style.body)
}

const RAKE_LOCK: &str = "GEM
  remote: http://127.0.0.1:9/
  specs:
    rake (13.2.1)

PLATFORMS
  ruby

DEPENDENCIES
  rake

RUBY VERSION
   ruby 3.3.8p144
";

/// What a user can get wrong. There is one lockfile, so none that could contradict it.
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
            (
                "failing-install",
                &[
                    // A registry that nobody reaches.
                    ("Gemfile", "source \"http://127.0.0.1:9\"\nruby \"~> 3.3.0\"\ngem \"rake\"\n"),
                    ("Gemfile.lock", RAKE_LOCK),
                ],
            ),
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
