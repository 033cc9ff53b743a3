//! One-off dynos, restarts and stops.

use super::*;
use crate::dynos::{self, Create, Target};
use domain::{Dyno, DynoKind, DynoName, DynoSize, DynoState};

fn run(command: &str) -> Create {
    Create { command: command.into(), ..Default::default() }
}

impl World {
    async fn web_app(&self) -> String {
        let app = self.app("shop").await;
        self.deploy(&app, &[("web", "node a.js"), ("console", "node repl.js")]).await;
        self.said();
        app
    }

    /// A formation dyno, as the loop that starts dynos writes it.
    async fn started(&self, app: &str, name: &str, state: DynoState) -> Dyno {
        self.pass(1);
        let row = self.row(app).await;
        let release = row.current_release.unwrap();
        let dyno = Dyno {
            name: name.parse::<DynoName>().unwrap(),
            kind: DynoKind::Formation,
            state,
            port: Some(5000),
            address: Some("10.0.0.1".parse().unwrap()),
            ..crate::one_offs::blank_dyno(row.id, release, "x".into(), self.ops.now())
        };
        let mut write = self.ops.store().write().await.unwrap();
        store::dynos::insert(&mut write, &dyno).await.unwrap();
        write.commit().await.unwrap();
        dyno
    }

    /// Names of the dynos that are to stop.
    async fn to_stop(&self) -> Vec<String> {
        let dynos = store::dynos::all(&mut self.ops.store().read().await.unwrap()).await.unwrap();
        dynos
            .into_iter()
            .filter(|dyno| dyno.stop_requested_at.is_some())
            .map(|dyno| dyno.name.to_string())
            .collect()
    }
}

#[tokio::test]
async fn a_one_off_runs_the_current_release() {
    let world = World::new().await;
    let app = world.web_app().await;
    let input = Create {
        attach: true,
        env: [("TERM".to_owned(), "xterm".to_owned())].into(),
        size: Some("standard-2x".into()),
        time_to_live: Some(60),
        ..run("console --fast")
    };
    let info = dynos::create(&world.ops, &world.admin, &app, input).await.unwrap();
    let dyno = &info.dyno;
    assert_eq!((dyno.kind, dyno.size, dyno.time_limit), (DynoKind::OneOff, DynoSize::Standard2X, Some(60)));
    assert_eq!(dyno.command, "node repl.js --fast");
    assert_eq!((info.release_version, dyno.state), (3, DynoState::Starting));
    assert!(dyno.name.to_string().starts_with("run.") && (1000..=9999).contains(&dyno.name.number));
    assert_eq!(
        world.said(),
        ["Starting process with command `node repl.js --fast` by user admin@example.com"]
    );

    let key = dyno.attach_key.clone().unwrap();
    assert_eq!(
        dynos::by_attach_key(&world.ops, &key).await.unwrap(),
        *dyno,
        "also what was sealed comes back"
    );
    assert!(dynos::by_attach_key(&world.ops, "").await.is_err());
    let mut ended = dyno.clone();
    (ended.state, ended.exit_status) = (DynoState::Complete, Some(0));
    let mut write = world.ops.store().write().await.unwrap();
    assert!(store::dynos::observe(&mut write, &ended).await.unwrap());
    write.commit().await.unwrap();
    assert!(dynos::by_attach_key(&world.ops, &key).await.is_err(), "over");
    assert!(dynos::list(&world.ops, &world.admin, &app).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_offs_that_make_no_sense() {
    let world = World::with(Settings { max_one_offs: 1, ..Settings::default() }).await;
    world.app("blank").await;
    assert_eq!(
        refusal(dynos::create(&world.ops, &world.admin, "blank", run("bash")).await),
        "422 invalid_params The app blank has no code to run. Deploy it first."
    );
    let app = world.web_app().await;
    for (input, words) in [
        (run(" "), "Command can't be blank"),
        (run("a\0b"), "control characters"),
        (Create { size: Some("huge".into()), ..run("x") }, "No such dyno size as huge"),
        (Create { process_type: Some("a b".into()), ..run("x") }, "Process type"),
        (Create { process_type: Some("web".into()), ..run("x") }, "can't be named web"),
        (Create { time_to_live: Some(0), ..run("x") }, "time_to_live must be"),
        (Create { env: [("A=B".to_owned(), String::new())].into(), ..run("x") }, "Environment variable"),
    ] {
        let text = refusal(dynos::create(&world.ops, &world.admin, &app, input).await);
        assert!(text.starts_with("422 invalid_params") && text.contains(words), "{text}");
    }
    dynos::create(&world.ops, &world.admin, &app, run("bash")).await.unwrap();
    let second = dynos::create(&world.ops, &world.admin, &app, run("bash")).await;
    assert!(refusal(second).contains("Cannot run more than 1 one-off dynos"));
}

#[tokio::test]
async fn restarts_and_stops_name_their_dynos() {
    let world = World::new().await;
    let app = world.web_app().await;
    for name in ["web.1", "web.2", "worker.1"] {
        world.started(&app, name, DynoState::Up).await;
    }
    let one_off = dynos::create(&world.ops, &world.admin, &app, run("bash")).await.unwrap().dyno;
    world.said();
    dynos::restart(&world.ops, &world.admin, &app, Target::One("web.2")).await.unwrap();
    assert_eq!(world.to_stop().await, ["web.2"]);
    dynos::restart(&world.ops, &world.admin, &app, Target::ProcessType("web")).await.unwrap();
    assert_eq!(world.to_stop().await, ["web.1", "web.2"]);
    dynos::restart(&world.ops, &world.admin, &app, Target::All).await.unwrap();
    assert_eq!(world.to_stop().await, ["web.1", "web.2", "worker.1"], "one-offs are left alone");
    assert!(world.said().is_empty());
    dynos::stop(&world.ops, &world.admin, &app, Target::ProcessType("run")).await.unwrap();
    assert_eq!(world.said(), [format!("Stopping process {} by user admin@example.com", one_off.name)]);
    let id = one_off.id.to_string();
    assert!(dynos::info(&world.ops, &world.admin, &app, &id).await.unwrap().dyno.stop_requested_at.is_some());

    dynos::restart(&world.ops, &world.admin, &app, Target::ProcessType("console")).await.unwrap();
    for (target, expected) in [
        (Target::One("web.9"), "404 not_found Couldn't find that dyno."),
        (Target::ProcessType("clock"), "404 not_found Couldn't find that process type (clock)."),
    ] {
        assert_eq!(refusal(dynos::restart(&world.ops, &world.admin, &app, target).await), expected);
        assert_eq!(refusal(dynos::stop(&world.ops, &world.admin, &app, target).await), expected);
    }
}

#[tokio::test]
async fn an_observation_does_not_undo_a_wish() {
    let world = World::new().await;
    let app = world.web_app().await;
    let seen = world.started(&app, "web.1", DynoState::Starting).await;
    dynos::restart(&world.ops, &world.admin, &app, Target::All).await.unwrap();
    // The loop that watches read the row before the wish and writes after it.
    let mut write = world.ops.store().write().await.unwrap();
    store::dynos::observe(&mut write, &Dyno { state: DynoState::Up, ..seen }).await.unwrap();
    write.commit().await.unwrap();
    let dyno = dynos::info(&world.ops, &world.admin, &app, "web.1").await.unwrap().dyno;
    assert_eq!(dyno.state, DynoState::Up);
    assert!(dyno.stop_requested_at.is_some());
}

#[tokio::test]
async fn what_serves_is_seen_beside_its_successor() {
    let world = World::new().await;
    let app = world.web_app().await;
    let old = world.started(&app, "web.1", DynoState::Up).await;
    world.started(&app, "web.1", DynoState::Crashed).await;
    let new = world.started(&app, "web.1", DynoState::Starting).await;
    world.started(&app, "web.2", DynoState::Starting).await;
    let fresh = world.started(&app, "web.2", DynoState::Up).await;
    world.started(&app, "web.3", DynoState::Down).await;
    let crashed = world.started(&app, "web.4", DynoState::Crashed).await;
    let ids: Vec<_> =
        dynos::list(&world.ops, &world.admin, &app).await.unwrap().iter().map(|info| info.dyno.id).collect();
    assert_eq!(ids, [old.id, new.id, fresh.id, crashed.id]);
    for (identity, expected) in [("web.1", new.id), (&old.id.to_string(), old.id)] {
        assert_eq!(dynos::info(&world.ops, &world.admin, &app, identity).await.unwrap().dyno.id, expected);
    }
    world.said();
    dynos::stop(&world.ops, &world.admin, &app, Target::One("web.1")).await.unwrap();
    assert_eq!(world.to_stop().await, ["web.1", "web.1"], "both who have the name");
    assert_eq!(world.said(), ["Stopping process web.1 by user admin@example.com"]);
}
