//! The log as its users see it.

use super::*;
use futures_util::StreamExt;
use jiff::Timestamp;
use tempfile::TempDir;

fn logs(change: impl FnOnce(&mut Config)) -> (TempDir, Logs) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    change(&mut config);
    let logs = Logs::open(config).unwrap();
    (dir, logs)
}

fn line(process: &str, text: impl std::fmt::Display) -> LogLine {
    LogLine::app(Timestamp::UNIX_EPOCH, process, text.to_string())
}

fn text(line: &Result<TailLine, Error>) -> String {
    String::from_utf8_lossy(&line.as_ref().unwrap().line.message).into_owned()
}

async fn read(logs: &Logs, app: AppId, query: Query) -> Vec<String> {
    logs.tail(app, query).map(|line| text(&line)).collect().await
}

fn last(lines: usize) -> Query {
    Query { lines, ..Query::default() }
}

#[tokio::test]
async fn gives_the_last_lines_oldest_first() {
    let (_dir, logs) = logs(|config| config.segment_bytes = 300);
    let app = AppId::new();
    for n in 1..=50 {
        logs.append(app, line("web.1", n));
    }
    assert_eq!(read(&logs, app, last(3)).await, ["48", "49", "50"]);
    assert_eq!(read(&logs, app, last(0)).await, [""; 0]);
    let all: Vec<_> = (1..=50).map(|n| n.to_string()).collect();
    assert_eq!(read(&logs, app, last(5000)).await, all);
    assert_eq!(read(&logs, AppId::new(), last(10)).await, [""; 0]);
}

#[tokio::test]
async fn filters_while_it_reads_back_so_that_n_means_n() {
    let (_dir, logs) = logs(|config| config.segment_bytes = 300);
    let app = AppId::new();
    for n in 1..=100 {
        logs.append(app, line(if n % 25 == 0 { "worker.1" } else { "web.1" }, n));
    }
    let query = Query { process: Some("worker".into()), ..last(3) };
    assert_eq!(read(&logs, app, query).await, ["50", "75", "100"]);
}

#[tokio::test]
async fn follows_across_segments_and_comes_back_without_loss_or_repetition() {
    let (_dir, logs) = logs(|config| config.segment_bytes = 300);
    let app = AppId::new();
    logs.append(app, line("web.1", 1));
    let mut seen = Vec::new();
    let mut after = None;
    for round in 0..20 {
        let query = Query { follow: true, after, lines: 10, ..Query::default() };
        let mut tail = logs.tail(app, query);
        for n in 0..5 {
            logs.append(app, line("web.1", 2 + round * 5 + n));
        }
        for _ in 0..3 {
            let got = tail.next().await.unwrap();
            after = Some(got.as_ref().unwrap().id);
            seen.push(text(&got));
        }
    }
    let rest = read(&logs, app, Query { after, ..Query::default() }).await;
    seen.extend(rest);
    let all: Vec<_> = (1..=101).map(|n| n.to_string()).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_restart_keeps_lines_ids_and_positions() {
    let (dir, first) = logs(|_| ());
    let (app, container) = (AppId::new(), Uuid::from_u128(7));
    let output =
        |range: std::ops::RangeInclusive<u64>| range.map(|n| (n, line("web.1", n))).collect::<Vec<_>>();
    first.append_from(app, container, output(1..=3)).await.unwrap();
    drop(first);
    let second = Logs::open(Config::new(dir.path())).unwrap();
    assert_eq!(second.position(app, container).await.unwrap(), 3);
    second.append_from(app, container, output(2..=5)).await.unwrap();
    assert_eq!(read(&second, app, last(100)).await, ["1", "2", "3", "4", "5"]);
}

// On one thread the task that empties the queue cannot run while the loop fills it.
#[tokio::test]
async fn a_full_queue_drops_counts_and_says_so() {
    let (_dir, logs) = logs(|config| config.queue = 8);
    let app = AppId::new();
    for n in 1..=20 {
        logs.append(app, line("web.1", n));
    }
    logs.flush().await;
    logs.append(app, line("web.1", "later"));
    let got = read(&logs, app, last(100)).await;
    let overflow: Vec<_> = got.iter().filter(|text| text.contains("Error L10")).collect();
    assert_eq!(overflow.len(), 1, "{got:?}");
    assert!(
        overflow[0].starts_with("Error L10 (output buffer overflow): 12 messages dropped since "),
        "{got:?}"
    );
    assert_eq!(got.len(), 8 + 1 + 1);
}

#[tokio::test]
async fn a_burst_beyond_the_queue_is_kept_as_far_as_there_is_room() {
    let (_dir, logs) = logs(|config| config.queue = 8);
    let app = AppId::new();
    for round in 0..3 {
        logs.append_all(app, (round * 5..round * 5 + 5).map(|n| line("web.1", n)).collect());
    }
    logs.flush().await;
    // There is room again for as many.
    logs.append_all(app, (100..108).map(|n| line("web.1", n)).collect());
    let got = read(&logs, app, last(100)).await;
    let kept: Vec<_> = got.iter().filter(|text| !text.contains("Error L10")).map(String::as_str).collect();
    let expected =
        ["0", "1", "2", "3", "4", "5", "6", "7", "100", "101", "102", "103", "104", "105", "106", "107"];
    assert_eq!(kept, expected);
    assert!(got.iter().any(|text| text.contains(" 7 messages dropped since ")), "{got:?}");
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed() {
    let (_dir, logs) = logs(|config| {
        config.tail_lag = 100;
        config.sync_interval = Duration::ZERO;
    });
    let app = AppId::new();
    logs.append(app, line("web.1", "first"));
    let mut tail = logs.tail(app, Query { follow: true, ..last(1) });
    assert_eq!(text(&tail.next().await.unwrap()), "first");
    // Far more than is read ahead for a reader that takes nothing.
    for batch in 0..30 {
        let lines = (batch * 100..batch * 100 + 100).map(|n| (n + 1, line("web.1", n))).collect();
        logs.append_from(app, Uuid::from_u128(1), lines).await.unwrap();
    }
    let mut got = Vec::new();
    while got.last().map(String::as_str) != Some("2999") {
        got.push(text(&tail.next().await.unwrap()));
    }
    let missed: u64 = got
        .iter()
        .filter_map(|text| {
            text.strip_prefix("Error L11 (Tail buffer overflow) -> This tail session dropped ")
        })
        .map(|rest| rest.split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    let told = got.iter().filter(|text| text.contains("Error L11")).count();
    assert!(told >= 1, "nothing was missed");
    assert_eq!(got.len() - told + missed as usize, 3000);
}

#[tokio::test]
async fn a_removed_log_is_gone_and_stays_gone() {
    let (dir, logs) = logs(|_| ());
    let app = AppId::new();
    logs.append(app, line("web.1", "hello"));
    let mut tail = logs.tail(app, Query { follow: true, ..last(1) });
    assert_eq!(text(&tail.next().await.unwrap()), "hello");
    logs.remove(app).await.unwrap();
    assert!(tail.next().await.is_none(), "a follower is released");
    logs.append(app, line("web.1", "late"));
    logs.remove(app).await.unwrap();
    assert_eq!(read(&logs, app, last(10)).await, [""; 0]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_an_error_for_output_and_a_loss_for_lines() {
    let (dir, logs) = logs(|_| ());
    let app = AppId::new();
    // A file where the app's directory should be.
    let place = dir.path().join(app.to_string());
    std::fs::write(&place, "").unwrap();
    logs.append(app, line("web.1", "lost"));
    let output = || vec![(1, line("web.1", "kept by its spool"))];
    assert!(matches!(logs.append_from(app, Uuid::from_u128(1), output()).await, Err(Error::Write(_))));
    std::fs::remove_file(place).unwrap();
    logs.append_from(app, Uuid::from_u128(1), output()).await.unwrap();
    let got = read(&logs, app, last(10)).await;
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[0].contains("1 messages dropped"), "{got:?}");
    assert_eq!(got[1], "kept by its spool");
}

#[tokio::test]
async fn who_asks_for_what_there_is_gets_no_more_however_much_is_printed() {
    let (_dir, logs) = logs(|config| {
        config.segment_bytes = 3000;
        config.sync_interval = Duration::ZERO;
    });
    let app = AppId::new();
    for n in 1..=1000 {
        logs.append(app, line("web.1", n));
    }
    for wanted in [3, 600] {
        logs.flush().await;
        let mut tail = logs.tail(app, last(wanted));
        let first: usize = text(&tail.next().await.unwrap()).parse().unwrap();
        // The app prints as long as it is read.
        let (mut got, mut next) = (1, first + wanted);
        while let Some(line) = tail.next().await {
            assert_eq!(text(&line), (first + got).to_string());
            got += 1;
            for n in next..next + 2 {
                logs.append(app, self::line("web.1", n));
            }
            next += 2;
            logs.flush().await;
        }
        assert_eq!(got, wanted);
    }
}

#[tokio::test]
async fn a_search_goes_from_line_to_line() {
    let (_dir, logs) = logs(|config| config.segment_bytes = 300);
    let app = AppId::new();
    assert_eq!(logs.head(app).await.unwrap(), LineId(0));
    for n in 1..=1000 {
        logs.append(app, line("web.1", if n % 100 == 0 { format!("failed {n}") } else { n.to_string() }));
    }
    let failed = Query { search: Some("failed".parse().unwrap()), ..Query::default() };
    let found = logs.search(app, failed.clone(), None, 3).await.unwrap();
    assert_eq!((found.count, found.last), (10, logs.head(app).await.unwrap()));
    let shown: Vec<_> = found.lines.iter().map(|line| line.line.message.clone()).collect();
    assert_eq!(shown, ["failed 100", "failed 200", "failed 300"]);
    let third = found.lines[2].id;
    let rest = logs.search(app, Query { after: Some(third), ..failed.clone() }, None, 100).await.unwrap();
    assert_eq!((rest.count, rest.lines.len()), (7, 7));
    let until = rest.lines[1].id;
    let part =
        logs.search(app, Query { after: Some(third), ..failed.clone() }, Some(until), 100).await.unwrap();
    assert_eq!((part.count, part.last), (2, until));
    let none = logs.search(app, Query { after: Some(found.last), ..failed }, None, 100).await.unwrap();
    assert_eq!((none.count, none.last), (0, found.last));
}

#[tokio::test]
async fn a_search_of_what_was_dropped_finds_nothing() {
    let (_dir, logs) = logs(|config| (config.segment_bytes, config.app_bytes) = (300, 1000));
    let app = AppId::new();
    for n in 1..=100 {
        logs.append(app, line("web.1", n));
        logs.head(app).await.unwrap();
    }
    let all = Query { after: Some(LineId(0)), ..Query::default() };
    let found = logs.search(app, all, Some(LineId(5)), 100).await.unwrap();
    assert_eq!((found.count, found.last), (0, LineId(5)));
}

#[tokio::test]
async fn times_bound_what_is_read() {
    let (_dir, logs) = logs(|config| config.segment_bytes = 300);
    let app = AppId::new();
    let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
    for hour in 0..100 {
        logs.append(app, LogLine { time: at(hour), ..line("web.1", hour) });
    }
    let query = Query { since: Some(at(96)), until: Some(at(98)), ..last(1000) };
    assert_eq!(read(&logs, app, query).await, ["96", "97"]);
    assert_eq!(read(&logs, app, Query { until: Some(at(2)), ..last(1) }).await, ["1"]);
    assert_eq!(read(&logs, app, Query { since: Some(at(98)), ..last(1000) }).await, ["98", "99"]);
}
