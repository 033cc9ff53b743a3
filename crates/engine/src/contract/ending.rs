//! How containers end, and how one is told.

use super::{Contract, Program, Status, within};
use crate::{ContainerSpec, EngineError, Exit, Limits};
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

pub(super) async fn exit_codes_are_told(contract: Arc<Contract>) {
    for code in [0, 3, 255] {
        let id = contract.start(Program::exit(code)).await;
        let expected = Exit { code, out_of_memory: false, timed_out: false, killed: false, failure: None };
        assert_eq!(contract.exit(id).await, expected);
        match contract.status(id).await {
            Status::Exited { since: Some(since), at, .. } => assert!(since <= at, "{since} {at}"),
            other => panic!("{other:?}"),
        }
        contract.remove(id).await;
    }
}

pub(super) async fn stop_sends_sigterm(contract: Arc<Contract>) {
    for (program, code) in [(Program::stay(), 143), (Program::end_on_term(7), 7)] {
        let id = contract.start(program).await;
        contract.until_printed(id, "ready").await;
        contract.engine.stop(id, LONG).await.expect("stop");
        let exit = contract.exit(id).await;
        assert_eq!((exit.code, exit.killed), (code, false), "{exit:?}");
        contract.remove(id).await;
    }
}

pub(super) async fn stop_kills_after_the_grace(contract: Arc<Contract>) {
    let id = contract.start(Program::ignore_term()).await;
    contract.until_printed(id, "ready").await;
    contract.engine.stop(id, Duration::from_millis(300)).await.expect("stop");
    let exit = contract.exit(id).await;
    assert_eq!((exit.code, exit.killed, exit.out_of_memory), (137, true, false), "{exit:?}");
    contract.remove(id).await;
}

pub(super) async fn stopping_twice_or_late_is_no_error(contract: Arc<Contract>) {
    let id = contract.start(Program::ignore_term()).await;
    contract.until_printed(id, "ready").await;
    contract.engine.stop(id, LONG).await.expect("stop");
    // The second has less patience, and it is heard.
    contract.engine.stop(id, Duration::from_millis(100)).await.expect("stop again");
    assert!(contract.exit(id).await.killed);
    contract.engine.stop(id, LONG).await.expect("stop what has exited");
    contract.remove(id).await;
}

pub(super) async fn a_time_limit_is_kept(contract: Arc<Contract>) {
    let limit = Some(Duration::from_millis(500));
    let spec = ContainerSpec { time_limit: limit, ..contract.spec(Program::ignore_term()) };
    let id = contract.start_spec(spec).await;
    let exit = contract.exit(id).await;
    assert_eq!((exit.code, exit.timed_out), (137, true), "{exit:?}");
    contract.remove(id).await;
}

pub(super) async fn too_much_memory_is_told(contract: Arc<Contract>) {
    let mut spec = contract.spec(Program::hog());
    spec.limits = Limits { memory: 8 << 20, memory_max: 16 << 20, ..spec.limits };
    let id = contract.start_spec(spec).await;
    let exit = contract.exit(id).await;
    assert_eq!((exit.code, exit.out_of_memory), (137, true), "{exit:?}");
    contract.remove(id).await;
}

pub(super) async fn changes_wake_who_waits(contract: Arc<Contract>) {
    let mut changes = contract.engine.changes();
    let id = contract.start(Program::linger(0)).await;
    within("change until exited", async {
        while !matches!(contract.status(id).await, Status::Exited { .. }) {
            changes.changed().await.expect("engine is alive");
        }
    })
    .await;
    contract.remove(id).await;
}

pub(super) async fn remove_frees_even_what_runs(contract: Arc<Contract>) {
    let id = contract.start(Program::ignore_term()).await;
    contract.until_printed(id, "ready").await;
    contract.remove(id).await;
    let error = contract.engine.observe_one(id).await.expect_err("gone");
    assert!(matches!(error, EngineError::NotFound(_)), "{error:?}");
    let seen = contract.engine.observe().await.expect("observe");
    assert!(seen.iter().all(|seen| seen.id != id));
    contract.remove(id).await;
}
