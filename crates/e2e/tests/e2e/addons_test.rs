//! `kigo addons:test`: what it says of a definition that works and of one that does not, and what it leaves.

use crate::{catalog, run};
use anyhow::{Context, Result, bail, ensure};
use e2e::{Output, Server, leftovers, until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A test of definitions beside a platform.
struct Tester<'a> {
    server: &'a Server,
    place: PathBuf,
}

impl Tester<'_> {
    fn command(&self, file: &Path) -> Result<Command> {
        let mut command = self.server.kigo_command(&["addons:test"])?;
        command.arg(file).arg("--data-dir").arg(self.server.data()).arg("--place").arg(&self.place);
        Ok(command)
    }

    fn of(&self, file: &Path) -> Result<Output> {
        let output = Output::of(&mut self.command(file)?)?;
        self.nothing_is_left(&output)?;
        Ok(output)
    }

    /// On the machine and in the place, but for what saves the next one time.
    fn nothing_is_left(&self, output: &Output) -> Result<()> {
        let said = output.stdout.lines().find(|line| line.contains(" installation "));
        let network = said.and_then(|line| line.rsplit_once(' ')).context(output.all())?.1;
        let prefix =
            network.strip_suffix("0.0/16").with_context(|| format!("{network}: {}", output.all()))?;
        leftovers::none(&self.place, prefix).with_context(|| output.all())?;
        let mut names: Vec<_> = fs::read_dir(&self.place)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_>>()?;
        names.sort();
        ensure!(names == ["blobs", "cache", "layers", "lock", "stacks"], "{names:?}");
        Ok(())
    }
}

/// The example of the document, the same with mistakes of every kind, and one that is interrupted.
pub(crate) fn a_definition_is_tried(server: &Server) -> Result<()> {
    run(async {
        let file = catalog::example()?.join("memo.toml");
        let good = fs::read_to_string(&file)?;
        let tester = Tester { server, place: server.folder("addons-test") };
        let output = tester.of(&file)?.ok()?;
        for line in [
            "memo:small",
            "ok      packages",
            "MEMO_URL=memcached://10.",
            "ok      write",
            "ok      read",
            "-       backup",
            "written and read anew: it keeps nothing",
            "no container, no volume, no row is left",
            "all right",
        ] {
            output.clone().says(line)?;
        }
        let wrong = server.folder("wrong.toml");
        for (from, to, step, words) in [
            (
                "exec memcached -l",
                "echo no room for what is kept; exit 3; memcached -l",
                "FAILED  provision",
                &["no room for what is kept", "the service said last:", "ok      deprovision"][..],
            ),
            (
                "grep kept <&3",
                "grep lost <&3 || echo it lost the word; exit 4",
                "FAILED  read",
                &["the script ended with status 4", "it lost the word", "ok      deprovision"],
            ),
            ("\"memcached\"]", "\"memcached-nowhere\"]", "FAILED  packages", &["memcached-nowhere"]),
        ] {
            ensure!(good.contains(from), "the example has no {from}");
            fs::write(&wrong, good.replacen(from, to, 1))?;
            let output = tester.of(&wrong)?.fails()?.says(step)?.says("cannot be used as it is")?;
            for words in words {
                output.clone().says(words)?;
            }
        }
        fs::write(&wrong, good.replacen("port = 11211", "prt = 11211", 1))?;
        let output = Output::of(&mut tester.command(&wrong)?)?;
        output.fails()?.says("unknown field `prt`")?;
        // What listens nowhere is waited for, so that there is time to lose one's patience.
        fs::write(&wrong, good.replacen("exec memcached -l", "sleep 1000; memcached -l", 1))?;
        interrupted(&tester, &wrong).await
    })
}

async fn interrupted(tester: &Tester<'_>, file: &Path) -> Result<()> {
    let log = tester.server.folder("interrupted.log");
    let printed = fs::File::create(&log)?;
    let mut child: Child = tester
        .command(file)?
        .stdin(Stdio::null())
        .stdout(printed.try_clone()?)
        .stderr(printed)
        .spawn()
        .context("cannot run kigo addons:test")?;
    let pid = child.id().to_string();
    let begun = until("the service to be started", async || {
        let ended = child.try_wait().map_err(|error| error.to_string())?;
        if ended.is_some() {
            return Ok(false);
        }
        let volumes = fs::read_dir(tester.place.join("containers")).map(Iterator::count);
        if volumes.is_ok_and(|count| count > 0)
            && fs::read_to_string(&log).is_ok_and(|text| text.contains("apps"))
        {
            return Ok(true);
        }
        Err(fs::read_to_string(&log).unwrap_or_default())
    })
    .await?;
    Output::of(Command::new("kill").args(["-INT", &pid]))?;
    let status = child.wait()?;
    let said = fs::read_to_string(&log)?;
    if !begun || status.success() {
        bail!("{status}: {said}");
    }
    let code = status.code().unwrap_or_default();
    let output = Output { command: "addons:test".into(), code, stdout: said, stderr: String::new() };
    tester.nothing_is_left(&output)?;
    output.says("interrupted; all that was made was taken away")?;
    Ok(())
}
