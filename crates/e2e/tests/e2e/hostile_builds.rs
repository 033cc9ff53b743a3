//! Builds that want more than is theirs: they are stopped and told why, apps serve on and others
//! are built meanwhile, and nothing of them stays.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, until};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What a build does, whether it succeeds, and what its user reads.
struct Case {
    name: &'static str,
    script: &'static str,
    succeeds: bool,
    /// One of these.
    says: &'static [&'static str],
}

impl Case {
    fn app(&self) -> String {
        format!("it-{}", self.name)
    }
}

const TOO_LONG: &str = "The build took too long and was stopped.\n !\n !     A build may take 1 minute.";
const TOO_MUCH: &str = "The build used too much memory and was stopped.";
const DISK_FULL: &str = "The build ran out of disk space.\n !\n !     A build may write 400M.";

/// `marked` is part of every program's command line that should not outlive its build.
const CASES: &[Case] = &[
    Case {
        name: "forks",
        script: "perl -e '$0 = \"marked\"; $SIG{CHLD} = \"IGNORE\"; while (1) { fork }'",
        succeeds: false,
        // 4096 processes or the memory for them, whichever is there first.
        says: &[TOO_LONG, TOO_MUCH],
    },
    Case { name: "prints", script: "yes marked", succeeds: false, says: &[TOO_LONG] },
    Case {
        name: "sleeps",
        script: "trap '' TERM; sh -c 'trap \"\" TERM; sleep 1000 & wait; : marked'",
        succeeds: false,
        says: &[TOO_LONG],
    },
    Case {
        name: "fills",
        script: "dd if=/dev/zero of=marked bs=1M count=4000",
        succeeds: false,
        says: &[DISK_FULL],
    },
    Case {
        name: "fills-memory",
        script: "dd if=/dev/zero of=/dev/shm/marked bs=1M count=4000",
        succeeds: false,
        says: &["No space left on device", TOO_MUCH],
    },
    Case {
        name: "asks",
        // What a person would be asked at a terminal.
        script: "if read -r answer; then echo \"was told $answer\"; else echo nobody answers; fi; cat; tty; sh -c 'cat < /dev/tty' || echo no terminal",
        succeeds: true,
        says: &["nobody answers"],
    },
    Case {
        name: "stays",
        script: "setsid nohup perl -e '$0 = \"marked\"; $SIG{$_} = \"IGNORE\" for qw(HUP TERM INT); sleep 5 while 1' & (sleep 1000; : marked) & echo left behind",
        succeeds: true,
        says: &["left behind"],
    },
];

/// All at once, beside an app that serves and is deployed again.
pub(crate) fn they_harm_nobody_else() -> Result<()> {
    run(async {
        // Room for all of them and for the honest one.
        let settings = [
            ("KIGO_BUILD_TIMEOUT", "1"),
            ("KIGO_BUILD_DISK", "400"),
            ("KIGO_BUILD_MEMORY", "600"),
            ("KIGO_BUILD_CONCURRENCY", "9"),
        ];
        let server = Server::start("hostile", &settings).await?;
        let told = story(&server).await.with_context(|| server.log());
        let purged = server.purge();
        told.and(purged)
    })
}

async fn story(server: &Server) -> Result<()> {
    let neighbour = App::tiny(server, "neighbour", "before")?;
    neighbour.push()?.ok()?;
    neighbour.answers("before from web.1").await?;
    let apps: Vec<App<'_>> = CASES.iter().map(|case| hostile(server, case)).collect::<Result<_>>()?;
    let over = AtomicBool::new(false);
    let (pushes, served) = thread::scope(|scope| {
        let pushes: Vec<_> = apps.iter().map(|app| scope.spawn(|| app.push())).collect();
        let served = scope.spawn(|| run(serve_meanwhile(&neighbour, &over)));
        let pushes: Vec<_> = pushes.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        (pushes, served.join())
    });
    served.map_err(|_| anyhow::anyhow!("the neighbour's thread broke off"))??;
    for (case, push) in CASES.iter().zip(pushes) {
        let push = push.map_err(|_| anyhow::anyhow!("the push of {} broke off", case.name))??;
        judge(case, &push)?;
    }
    gone(server).await
}

/// An app that does it when it is built.
fn hostile<'a>(server: &'a Server, case: &Case) -> Result<App<'a>> {
    let app = App::tiny(server, &case.app(), case.name)?;
    app.write("build.sh", case.script)?;
    let package = r#"{"name":"tiny","version":"1.0.0","private":true,"scripts":{"build":"bash build.sh"}}"#;
    app.write("package.json", package)?;
    app.commit("hostile")?;
    Ok(app)
}

fn judge(case: &Case, push: &Output) -> Result<()> {
    let name = case.name;
    let lines = push.stderr.lines().filter_map(|line| line.strip_prefix("remote:"));
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    let end = lines[lines.len().saturating_sub(60)..].join("\n");
    ensure!((push.code == 0) == case.succeeds, "{name} ended with {}: {end}", push.code);
    ensure!(case.says.iter().any(|words| end.contains(words)), "{name} said none of {:?}: {end}", case.says);
    Ok(())
}

/// The neighbour answers every request, and can be deployed.
async fn serve_meanwhile(app: &App<'_>, over: &AtomicBool) -> Result<()> {
    let mut deployed = false;
    while !over.load(Ordering::Relaxed) {
        let answer = app.get("/").await?;
        ensure!(answer.status == 200, "the neighbour answered {answer:?}");
        if !deployed {
            app.write_web("after")?;
            app.commit("meanwhile")?;
            app.push()?.ok()?;
            app.answers("after from web.1").await?;
            deployed = true;
        }
        let ready = reqwest::get(format!("{}/readyz", app.server.api_url)).await?.status();
        ensure!(ready.is_success(), "/readyz answered {ready}");
    }
    Ok(())
}

/// No process and no container of a build is left; only the dynos that the API tells of.
async fn gone(server: &Server) -> Result<()> {
    let marked =
        || -> Result<String> { Ok(Output::of(Command::new("ps").args(["-eo", "pid,args"]))?.ok()?.stdout) };
    until("the builds' processes to be gone", async || {
        let all = marked().map_err(|error| format!("{error:#}"))?;
        let left: Vec<_> = all.lines().filter(|line| line.contains("marked")).collect();
        if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
    })
    .await?;
    until("the builds' containers and files to be gone", async || {
        let names = |path: &str| -> Result<BTreeSet<String>> {
            let entries =
                std::fs::read_dir(server.data().join(path))?.collect::<std::io::Result<Vec<_>>>()?;
            Ok(entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        };
        let look = async || -> Result<Option<String>> {
            let working = |build: &String| server.data().join("builds").join(build).join("work").exists();
            let works: Vec<_> = names("builds")?.into_iter().filter(working).collect();
            let containers: BTreeSet<_> =
                names("containers")?.into_iter().filter(|name| !name.starts_with('.')).collect();
            let dynos = dynos(server).await?;
            let clean = works.is_empty() && containers == dynos;
            Ok((!clean).then(|| format!("{works:?}, {containers:?} instead of {dynos:?}")))
        };
        match look().await {
            Ok(None) => Ok(()),
            Ok(Some(left)) => Err(left),
            Err(error) => Err(format!("{error:#}")),
        }
    })
    .await
}

/// The ids of all dynos.
async fn dynos(server: &Server) -> Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    for name in CASES.iter().map(Case::app).chain(["neighbour".to_owned()]) {
        let (_, dynos) = server.api("GET", &format!("/apps/{name}/dynos"), None).await?;
        let dynos = dynos.as_array().with_context(|| format!("no dynos of {name}: {dynos}"))?;
        ids.extend(dynos.iter().filter_map(|dyno| dyno["id"].as_str().map(str::to_owned)));
    }
    Ok(ids)
}
