//! Containers outlive whoever started them.

use super::{Contract, Program, Status, text, texts, within};
use std::sync::Arc;

pub(super) async fn a_new_engine_finds_what_runs(contract: Arc<Contract>) {
    let id = contract.start(Program::end_on_term(9)).await;
    contract.until_printed(id, "ready").await;
    let running = contract.until(id, "running", |seen| matches!(seen.status, Status::Running { .. })).await;
    let before = running.status;

    let engine = contract.subject.engine().await;
    let seen = engine.observe().await.expect("observe");
    let found = seen.iter().find(|seen| seen.id == id).expect("the container");
    assert_eq!(found.status, before);
    assert_eq!(found.labels.get("kind").map(String::as_str), Some("contract"));
    let mut lines = engine.output(id, 0).await.expect("output");
    let line = within("line", lines.recv()).await.expect("a line");
    assert_eq!(text(&line), "ready");
    engine.stop(id, super::DEADLINE).await.expect("stop");
    assert_eq!(within("exit", engine.wait(id)).await.expect("wait").code, 9);
    engine.remove(id).await.expect("remove");
}

pub(super) async fn a_new_engine_finds_what_ended_meanwhile(contract: Arc<Contract>) {
    // An engine that is dropped right after the start: nobody of that process is left to care.
    let first = contract.subject.engine().await;
    let spec = contract.spec(Program::linger(6));
    let id = spec.id;
    first.start(spec).await.expect("start");
    drop(first);
    let engine = contract.subject.engine().await;
    assert_eq!(within("exit", engine.wait(id)).await.expect("wait").code, 6);
    let mut lines = engine.output(id, 0).await.expect("output");
    let mut all = Vec::new();
    while let Some(line) = within("line or end of output", lines.recv()).await {
        all.push(line);
    }
    assert_eq!(texts(&all), ["before", "after"]);
    engine.remove(id).await.expect("remove");
}
