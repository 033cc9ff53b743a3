//! From a spec to a container that runs.

use super::programs::PORT;
use super::{Contract, Program, Status, texts, within};
use crate::{ContainerSpec, EngineError};
use domain::Digest;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(super) async fn a_container_runs_with_what_its_spec_says(contract: Arc<Contract>) {
    let script = "echo $GREETING; pwd; hostname; id -u; env | grep -c '^CARGO'; echo $#";
    let user = contract.subject.user().to_string();
    let lines = ["hello world", "/app", "contract-1", &user, "0", "0"];
    let id = contract.start(Program::say(script, &lines, 0)).await;
    contract.exit(id).await;
    assert_eq!(texts(&contract.output(id, 0).await), lines);
    let seen = contract.engine.observe_one(id).await.expect("observe");
    assert_eq!(seen.labels.get("kind").map(String::as_str), Some("contract"));
    contract.remove(id).await;
}

pub(super) async fn a_second_start_does_nothing(contract: Arc<Contract>) {
    let spec = contract.spec(Program::count(3));
    let id = contract.start_spec(spec.clone()).await;
    contract.start_spec(spec.clone()).await;
    contract.exit(id).await;
    contract.start_spec(spec).await;
    assert!(matches!(contract.status(id).await, Status::Exited { .. }));
    assert_eq!(contract.output(id, 0).await.len(), 3);
    contract.remove(id).await;
}

pub(super) async fn an_unknown_image_is_an_error_and_leaves_nothing(contract: Arc<Contract>) {
    let spec = ContainerSpec { image: Digest::from_bytes([0xee; 32]), ..contract.spec(Program::exit(0)) };
    let (id, image) = (spec.id, spec.image);
    match contract.engine.start(spec).await {
        Err(EngineError::NoImage(named)) => assert_eq!(named, image),
        other => panic!("expected NoImage, got {other:?}"),
    }
    let seen = contract.engine.observe().await.expect("observe");
    assert!(seen.iter().all(|seen| seen.id != id));
}

pub(super) async fn what_cannot_be_launched_has_exited_with_a_failure(contract: Arc<Contract>) {
    let id = contract.start(Program::missing()).await;
    let exit = contract.exit(id).await;
    assert!(exit.failure.is_some() && exit.code != 0, "{exit:?}");
    contract.remove(id).await;
}

pub(super) async fn listening_is_seen(contract: Arc<Contract>) {
    let spec = ContainerSpec { watch_port: Some(PORT), ..contract.spec(Program::listen()) };
    let id = contract.start_spec(spec).await;
    let seen = contract
        .until(id, "listening", |seen| matches!(seen.status, Status::Running { listening: true, .. }))
        .await;
    assert!(seen.address.is_some(), "what listens has an address");
    contract.remove(id).await;
}

pub(super) async fn unknown_containers_are_not_found(contract: Arc<Contract>) {
    let id = Uuid::new_v4();
    let engine = &contract.engine;
    let refused = [
        engine.stop(id, Duration::ZERO).await.err(),
        engine.observe_one(id).await.err(),
        engine.output(id, 0).await.err(),
        engine.acknowledge(id, 1).await.err(),
        engine.attach(id).await.err(),
        within("answer", engine.wait(id)).await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(EngineError::NotFound(unknown)) if unknown == id), "{error:?}");
    }
    contract.remove(id).await;
}
