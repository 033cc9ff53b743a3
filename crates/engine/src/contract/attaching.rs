//! Containers with a terminal and their client.

use super::{Contract, Program, Status, within};
use crate::{ContainerSpec, EngineError, Terminal};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PTY: Terminal = Terminal::Pty { columns: 101, rows: 37 };

impl Contract {
    fn spec_with(&self, terminal: Terminal, program: Program) -> ContainerSpec {
        ContainerSpec { terminal, ..self.spec(program) }
    }

    async fn until_waiting(&self, id: crate::ContainerId) {
        self.until(id, "container that waits", |seen| seen.status == Status::AwaitingClient).await;
    }
}

/// Reads all that comes until the other side closes. A terminal's lines end in CR LF.
async fn read_all(mut stream: Box<dyn crate::Duplex>) -> String {
    let mut bytes = Vec::new();
    // A terminal whose last process is gone may end in an error; what came before counts.
    let _ = within("end of the stream", stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

pub(super) async fn nothing_happens_before_the_client_came(contract: Arc<Contract>) {
    for terminal in [PTY, Terminal::Pipes] {
        let id = contract.start_spec(contract.spec_with(terminal, Program::say("echo hi", &["hi"], 5))).await;
        contract.until_waiting(id).await;
        let stream = contract.engine.attach(id).await.expect("attach");
        assert_eq!(read_all(stream).await, "hi\n");
        assert_eq!(contract.exit(id).await.code, 5);
        contract.remove(id).await;
    }
    let id = contract.start_spec(contract.spec_with(PTY, Program::exit(0))).await;
    contract.until_waiting(id).await;
    contract.engine.stop(id, std::time::Duration::ZERO).await.expect("stop what waits");
    contract.exit(id).await;
    contract.remove(id).await;
}

pub(super) async fn a_client_talks_to_the_program(contract: Arc<Contract>) {
    for terminal in [PTY, Terminal::Pipes] {
        let id = contract.start_spec(contract.spec_with(terminal, Program::echo())).await;
        contract.until_waiting(id).await;
        let mut stream = contract.engine.attach(id).await.expect("attach");
        stream.write_all(b"knock\n").await.expect("write");
        let mut answer = [0; 5];
        within("answer", stream.read_exact(&mut answer)).await.expect("read");
        assert_eq!(&answer, b"knock");
        contract.remove(id).await;
    }
}

pub(super) async fn a_client_that_leaves_ends_the_container(contract: Arc<Contract>) {
    for terminal in [PTY, Terminal::Pipes] {
        let id = contract.start_spec(contract.spec_with(terminal, Program::stay())).await;
        contract.until_waiting(id).await;
        let mut stream = contract.engine.attach(id).await.expect("attach");
        let mut greeting = [0; 5];
        within("greeting", stream.read_exact(&mut greeting)).await.expect("read");
        assert_eq!(&greeting, b"ready");
        drop(stream);
        assert_eq!(contract.exit(id).await.code, 129, "SIGHUP ends it");
        contract.remove(id).await;
    }
}

pub(super) async fn there_is_one_client_and_only_with_a_terminal(contract: Arc<Contract>) {
    let refused = |result: Result<Box<dyn crate::Duplex>, EngineError>| {
        let error = result.err();
        assert!(matches!(error, Some(EngineError::NotAttachable(_))), "{error:?}");
    };
    let id = contract.start_spec(contract.spec_with(Terminal::Pipes, Program::echo())).await;
    contract.until_waiting(id).await;
    let stream = contract.engine.attach(id).await.expect("attach");
    refused(contract.engine.attach(id).await);
    drop(stream);
    contract.exit(id).await;
    refused(contract.engine.attach(id).await);
    contract.remove(id).await;

    let id = contract.start(Program::stay()).await;
    contract.until_printed(id, "ready").await;
    refused(contract.engine.attach(id).await);
    contract.remove(id).await;
}

pub(super) async fn a_terminal_has_its_size(contract: Arc<Contract>) {
    let program = Program::say("stty size", &["37 101"], 0);
    let id = contract.start_spec(contract.spec_with(PTY, program)).await;
    contract.until_waiting(id).await;
    let stream = contract.engine.attach(id).await.expect("attach");
    assert_eq!(read_all(stream).await, "37 101\n");
    contract.remove(id).await;
}
