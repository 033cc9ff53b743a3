//! Drains that take what they are sent, or not; and servers that are killed while they send.

mod receiver;

use super::harness::World;
use super::kills::harass;
use super::other_side::{Asked, OtherSide, Reply};
use domain::{App, Drain, LogLine};
use logs::{Bounds, LineId};
use planner::drains::Rests;
use receiver::{Receiver, frames};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

impl World {
    async fn with_drains() -> Self {
        Self::with(|settings| {
            settings.drain_networks = vec!["127.0.0.1/32".parse().unwrap()];
            let rests = Rests { first: Duration::from_millis(2), longest: Duration::from_millis(20) };
            (settings.drains.http, settings.drains.syslog) = (rests, rests);
            settings.drains.linger = Duration::from_millis(5);
        })
        .await
    }

    async fn drain(&self, app: &App, url: &str) -> Drain {
        ops::drains::create(&self.ops, &self.actor, app.name.as_str(), url).await.unwrap().drain
    }

    /// The app prints, and it is in the log.
    async fn say(&self, app: &App, lines: &[&str]) {
        for text in lines {
            self.logs.append(app.id, LogLine::app(self.ops.now(), "web.1", (*text).to_owned()));
        }
        self.logs.head(app.id).await.unwrap();
    }

    async fn logged(&self, app: &App, words: &str) {
        self.until(words, async || self.log(app).await.iter().any(|line| line.contains(words))).await;
    }
}

fn always(status: u16) -> impl FnMut(&Asked) -> Reply + Send + 'static {
    move |_| Reply::With(status, String::new())
}

/// Does so often what it is told, and then takes everything.
fn first(count: usize, reply: Reply) -> impl FnMut(&Asked) -> Reply + Send + 'static {
    let left = Arc::new(AtomicUsize::new(count));
    move |_| match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
        Ok(_) => reply.clone(),
        Err(_) => Reply::With(204, String::new()),
    }
}

/// What came, without times: `<190>1 host app web.1 - hello`.
fn came(side: &OtherSide) -> Vec<String> {
    side.asked().iter().flat_map(|one| frames(one.body.as_bytes())).collect()
}

/// The messages that came, each once.
fn messages(lines: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for line in lines {
        let message = line.rsplit_once(" - ").map_or("", |(_, message)| message).to_owned();
        if !all.contains(&message) {
            all.push(message);
        }
    }
    all
}

#[tokio::test]
async fn lines_go_to_the_drain_from_the_moment_it_is_added_until_it_is_removed() {
    let side = OtherSide::start(always(204)).await.unwrap();
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    world.say(&app, &["before"]).await;
    let url = side.url().replace("http://", "http://me:ge%20heim@") + "/logs?x=1";
    let drain = world.drain(&app, &url).await;
    world.say(&app, &["hello"]).await;
    world.logs.append(app.id, LogLine::heroku(world.ops.now(), "router", "at=info"));
    world.logs.append(app.id, LogLine::heroku(world.ops.now(), "web.1", "State changed from starting to up"));
    world.until("all is there", async || came(&side).len() >= 3).await;
    assert_eq!(
        came(&side),
        [
            "<190>1 host app web.1 - hello",
            "<158>1 host heroku router - at=info",
            "<45>1 host heroku web.1 - State changed from starting to up"
        ]
    );
    for one in side.asked() {
        let count = frames(one.body.as_bytes()).len().to_string();
        assert_eq!((one.method.as_str(), one.path.as_str()), ("POST", "/logs?x=1"));
        assert_eq!(one.header("authorization"), "Basic bWU6Z2UgaGVpbQ==");
        assert_eq!(one.header("content-type"), "application/logplex-1");
        assert_eq!(one.header("logplex-msg-count"), count);
        assert_eq!(one.header("logplex-drain-token"), drain.token);
        assert_eq!(one.header("logplex-frame-id").len(), 32);
        assert!(one.header("user-agent").starts_with("Logplex/"), "{one:?}");
    }
    let place = world.settings.data.join("drains").join(drain.id.to_string());
    world.until("its place is taken down", async || place.exists()).await;
    ops::drains::destroy(&world.ops, &world.actor, "shop", &drain.token).await.unwrap();
    world.until("its place is forgotten", async || !place.exists()).await;
    let witness = OtherSide::start(always(200)).await.unwrap();
    world.drain(&app, &witness.url()).await;
    world.say(&app, &["after"]).await;
    world.until("others get it", async || messages(&came(&witness)) == ["after"]).await;
    assert_eq!(came(&side).len(), 3);
}

#[tokio::test]
async fn what_fails_three_times_is_given_up_and_that_is_said() {
    let side = OtherSide::start(first(3, Reply::With(503, String::new()))).await.unwrap();
    let mut world = World::with_drains().await;
    let app = world.create_app("shop").await;
    world.drain(&app, &side.url()).await;
    world.say(&app, &["one", "two"]).await;
    world.start();
    world.until("it is given up", async || side.asked().len() >= 3).await;
    world.logged(&app, "does not take this app's log: it answered 503").await;
    world.say(&app, &["three"]).await;
    world.until("it goes on", async || side.asked().len() >= 4).await;
    let asked = side.asked();
    let ids: Vec<_> = asked.iter().map(|one| one.header("logplex-frame-id").to_owned()).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    assert_eq!(messages(&frames(asked[2].body.as_bytes())), ["one", "two"]);
    let last = frames(asked[3].body.as_bytes());
    let told = "<172>1 host heroku logplex - Error L10 (output buffer overflow): 2 messages dropped since ";
    assert!(last[0].starts_with(told), "{last:?}");
    assert_eq!(last[1], "<190>1 host app web.1 - three");
    world.logged(&app, "takes this app's log again").await;
    assert!(
        !came(&side).iter().any(|line| line.contains("takes this app's log")),
        "that is for the log alone"
    );
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again_and_what_is_cut_off_is() {
    for (reply, tries, lost) in [
        (Reply::With(400, String::new()), 1, true),
        (Reply::Elsewhere("http://127.0.0.1:9/".into()), 1, true),
        (Reply::With(429, String::new()), 1, false),
        (Reply::Cut, 1, false),
        (Reply::Cut, 2, false),
        (Reply::Cut, 3, true),
    ] {
        let side = OtherSide::start(first(tries, reply.clone())).await.unwrap();
        let mut world = World::with_drains().await;
        let app = world.create_app("shop").await;
        world.drain(&app, &side.url()).await;
        world.say(&app, &["one"]).await;
        world.start();
        world.until("it is tried", async || side.asked().len() >= tries).await;
        world.say(&app, &["two"]).await;
        world.until("it goes on", async || messages(&came(&side)).iter().any(|line| line == "two")).await;
        let bodies: Vec<_> = side.asked().iter().map(|one| messages(&frames(one.body.as_bytes()))).collect();
        assert!(bodies[..tries].iter().all(|body| body[0] == "one"), "{reply:?} {bodies:?}");
        let is_lost = came(&side).iter().any(|line| line.contains("Error L10"));
        assert_eq!(is_lost, lost, "{reply:?} {tries} {bodies:?}");
        assert_eq!(bodies[tries][0] == "one", !lost, "{reply:?} {tries} {bodies:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_was_away_gets_everything_when_it_is_back() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    world.drain(&app, &format!("syslog://{address}")).await;
    let lines: Vec<_> = (0..3000).map(|number| format!("line {number}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    world.say(&app, &lines).await;
    world
        .logged(&app, "does not take this app's log: it could not be connected to (connection refused)")
        .await;
    let receiver = Receiver::at(address).await;
    world.until("all is there", async || receiver.lines().len() >= lines.len()).await;
    assert_eq!(messages(&receiver.lines()), lines);
}

#[tokio::test]
async fn why_it_fails_is_told_without_what_is_secret() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    world.drain(&app, &format!("http://me:geheim@{address}/geheim")).await;
    world.say(&app, &["hello"]).await;
    world.logged(&app, "log: it could not be connected to (Connection refused (os error 111)).").await;
    let log = world.log(&app).await;
    assert!(!log.iter().any(|line| line.contains("geheim")), "{log:?}");
}

#[tokio::test]
async fn one_that_never_answers_holds_up_nobody_else() {
    let (dead, good) =
        (OtherSide::start(|_| Reply::Never).await.unwrap(), OtherSide::start(always(200)).await.unwrap());
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    world.drain(&app, &dead.url()).await;
    world.drain(&app, &good.url()).await;
    world.say(&app, &["first"]).await;
    world.until("it hangs", async || !dead.asked().is_empty()).await;
    let container = uuid::Uuid::new_v4();
    for number in 1..=2000 {
        let line = LogLine::app(world.ops.now(), "web.1", format!("line {number}"));
        world.logs.append(app.id, line);
        if number % 500 == 0 {
            let kept = LogLine::app(world.ops.now(), "web.2", format!("kept {number}"));
            world.logs.append_from(app.id, container, vec![(number, kept)]).await.unwrap();
        }
    }
    world.until("the other has all", async || came(&good).len() == 2005).await;
    assert_eq!(messages(&frames(dead.asked()[0].body.as_bytes())), ["first"]);
}

#[tokio::test]
async fn who_is_behind_by_more_than_is_kept_is_told_how_much_is_gone() {
    let side = OtherSide::start(always(200)).await.unwrap();
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    world.drain(&app, &side.url()).await;
    world.say(&app, &["begin"]).await;
    world.until("it has begun", async || came(&side).len() == 1).await;
    world.kill().await;
    let begun = world.logs.head(app.id).await.unwrap();
    world.logs.keep(HashMap::from([(app.id, Bounds { bytes: 1 << 20, age: Duration::from_hours(1) })]));
    let filler = "x".repeat(9000);
    for number in 0..1000 {
        world.say(&app, &[&format!("{filler} {number}")]).await;
    }
    let LineId(written) = world.logs.head(app.id).await.unwrap();
    world.start();
    world
        .until("it is through", async || came(&side).last().is_some_and(|line| line.ends_with(" 999")))
        .await;
    let lines = came(&side);
    let lost = lines.iter().find(|line| line.contains("Error L10")).unwrap();
    let lost: u64 = lost.split("overflow): ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let got = lines.iter().filter(|line| line.contains("xxx")).count() as u64;
    assert_eq!(lost + got, written - begun.0);
    assert!(lost > 100 && got > 50, "{lost} {got}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_loses_a_line() {
    let side = OtherSide::start(first(2, Reply::With(500, String::new()))).await.unwrap();
    let mut world = World::with_drains().await;
    let app = world.create_app("shop").await;
    world.drain(&app, &side.url()).await;
    let receiver = Receiver::new().await;
    world.drain(&app, &format!("syslog+tcp://{}", receiver.address)).await;
    let (number, all) = (AtomicUsize::new(0), 400);
    harass(&mut world, "all is there", async |world| {
        let next = number.load(Ordering::SeqCst);
        if next < all {
            let lines: Vec<_> = (next..next + 20).map(|number| format!("line {number}")).collect();
            world.say(&app, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
            number.store(next + 20, Ordering::SeqCst);
        }
        let enough = |lines: Vec<String>| messages(&lines).len() >= all;
        next >= all && enough(came(&side)) && enough(receiver.lines())
    })
    .await;
    let expected: Vec<_> = (0..all).map(|number| format!("line {number}")).collect();
    assert_eq!(messages(&came(&side)), expected, "all of them, and in order");
    assert_eq!(messages(&receiver.lines()), expected, "all of them, and in order");
}

#[tokio::test]
async fn a_connection_that_is_cut_is_made_again() {
    let receiver = Receiver::new().await;
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    let drain = world.drain(&app, &format!("syslog://{}", receiver.address)).await;
    for round in 0..5 {
        let text = format!("round {round}");
        // What was under way when it was cut is lost, as this protocol is; so it is cut in between.
        world.say(&app, &[&text]).await;
        world.until(&text, async || receiver.lines().last().is_some_and(|line| line.ends_with(&text))).await;
        receiver.cut().await;
    }
    let expected: Vec<_> =
        (0..5).map(|round| format!("<190>1 {} app web.1 - - round {round}", drain.token)).collect();
    assert_eq!(receiver.lines(), expected);
}

#[tokio::test]
async fn certificates_are_looked_at_unless_the_address_says_not_to() {
    let (receiver, _) = Receiver::with_tls().await;
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    world.drain(&app, &format!("syslog+tls://{}", receiver.address)).await;
    world.drain(&app, &format!("https://me:geheim@{}/logs", receiver.address)).await;
    world.say(&app, &["hello"]).await;
    let stream = format!("uri=\"syslog+tls://{}\"", receiver.address);
    let http = format!("uri=\"https://{}\"", receiver.address);
    world.logged(&app, "Error L14 (certificate validation): error=\"").await;
    world.logged(&app, &stream).await;
    world.logged(&app, &http).await;
    assert_eq!(receiver.lines(), [""; 0]);
    let anybody = world.drain(&app, &format!("syslog+tls://{}#insecure", receiver.address)).await;
    world.say(&app, &["again"]).await;
    world.until("it is there", async || !receiver.lines().is_empty()).await;
    assert_eq!(receiver.lines(), [format!("<190>1 {} app web.1 - - again", anybody.token)]);
    assert!(!world.log(&app).await.iter().any(|line| line.contains("geheim")));
}

/// The variable with the address for [`child_that_trusts_the_receiver`].
const ADDRESS: &str = "KIGO_TEST_DRAIN";

#[tokio::test]
async fn certificates_of_the_machines_authorities_are_good() {
    let (receiver, certificate) = Receiver::with_tls().await;
    let world = World::with_drains().await;
    let authorities = world.settings.data.join("authorities.pem");
    std::fs::write(&authorities, certificate).unwrap();
    // What the machine trusts is a matter of the process.
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::drains::child_that_trusts_the_receiver", "--ignored"])
        .env("SSL_CERT_FILE", &authorities)
        .env(ADDRESS, format!("syslog+tls://{}", receiver.address))
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    world.until("it is there", async || !receiver.lines().is_empty()).await;
    assert!(receiver.lines()[0].ends_with(" app web.1 - - from the child"), "{:?}", receiver.lines());
    drop(child);
}

#[tokio::test]
#[ignore = "run by certificates_of_the_machines_authorities_are_good"]
async fn child_that_trusts_the_receiver() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    world.drain(&app, &address).await;
    world.say(&app, &["from the child"]).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn datagrams_have_a_line_each() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    let drain = world.drain(&app, &format!("udpsyslog://{}", socket.local_addr().unwrap())).await;
    world.say(&app, &["one", "two"]).await;
    for text in ["one", "two"] {
        let mut buffer = [0; 2000];
        let length = socket.recv(&mut buffer).await.unwrap();
        let line = String::from_utf8(buffer[..length].to_vec()).unwrap();
        assert!(line.starts_with("<190>1 20"), "{line}");
        assert!(line.ends_with(&format!(" {} app web.1 - - {text}", drain.token)), "{line}");
    }
}

#[tokio::test]
async fn the_inner_network_is_not_reached() {
    let side = OtherSide::start(always(200)).await.unwrap();
    let mut world = World::with_drains().await;
    world.start();
    for (name, scheme) in [("one", "http"), ("two", "syslog"), ("three", "udpsyslog")] {
        let app = world.create_app(name).await;
        let port = side.url().rsplit_once(':').unwrap().1.to_owned();
        world.drain(&app, &format!("{scheme}://127.0.0.2:{port}")).await;
        world.say(&app, &["hello"]).await;
        world.logged(&app, "its address lies in this server's own network").await;
    }
    assert_eq!(side.lines(), [""; 0]);
}

#[tokio::test]
async fn another_address_goes_on_where_the_first_one_was() {
    let (old, new) =
        (OtherSide::start(always(200)).await.unwrap(), OtherSide::start(always(200)).await.unwrap());
    let mut world = World::with_drains().await;
    world.start();
    let app = world.create_app("shop").await;
    let mut drain = world.drain(&app, &old.url()).await;
    world.say(&app, &["one"]).await;
    world.until("the old one has it", async || messages(&came(&old)) == ["one"]).await;
    drain.url = new.url();
    let mut write = world.ops.store().write().await.unwrap();
    store::drains::update(&mut write, &drain).await.unwrap();
    world.say(&app, &["two"]).await;
    world.until("the old one has it", async || messages(&came(&old)) == ["one", "two"]).await;
    write.commit().await.unwrap();
    world
        .until("lines go to the new one", async || {
            world.say(&app, &["three"]).await;
            !came(&new).is_empty()
        })
        .await;
    // The last batch may come twice, when the address changes while it is answered.
    assert!(!messages(&came(&new)).contains(&"one".to_owned()), "{:?}", came(&new));
    world.say(&app, &["four"]).await;
    world.until("the new one has it", async || messages(&came(&new)).contains(&"four".to_owned())).await;
    assert!(!messages(&came(&old)).contains(&"four".to_owned()), "{:?}", came(&old));
    ops::apps::destroy(&world.ops, &world.actor, "shop").await.unwrap();
    let places = world.settings.data.join("drains");
    world.until("nothing is left of it", async || std::fs::read_dir(&places).unwrap().next().is_none()).await;
}
