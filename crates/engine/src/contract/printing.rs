//! What containers print.

use super::{Contract, Program, next, text, texts};
use std::sync::Arc;

pub(super) async fn lines_come_in_order_and_the_channel_closes_at_the_end(contract: Arc<Contract>) {
    let id = contract.start(Program::count(2000)).await;
    // Asked for at once: what comes later follows what is there.
    let lines = contract.output(id, 0).await;
    let expected: Vec<_> = (1..=2000).map(|number| format!("line {number}")).collect();
    assert_eq!(texts(&lines), expected);
    let sequences: Vec<_> = lines.iter().map(|line| line.sequence).collect();
    assert_eq!(sequences, (1..=2000).collect::<Vec<_>>());
    assert!(lines.is_sorted_by_key(|line| line.time));
    assert_eq!(contract.output(id, 0).await, lines, "reading takes nothing away");
    contract.exit(id).await;
    contract.remove(id).await;
}

pub(super) async fn a_reader_that_comes_back_goes_on_where_it_was(contract: Arc<Contract>) {
    let id = contract.start(Program::linger(0)).await;
    let mut first = contract.engine.output(id, 0).await.expect("output");
    let before = next(&mut first).await.expect("a line");
    assert_eq!(text(&before), "before");
    drop(first);
    let rest = contract.output(id, before.sequence).await;
    assert_eq!(texts(&rest), ["after"]);
    assert_eq!(rest[0].sequence, before.sequence + 1);
    assert!(contract.output(id, rest[0].sequence).await.is_empty());
    contract.remove(id).await;
}

pub(super) async fn acknowledged_lines_do_not_disturb_the_others(contract: Arc<Contract>) {
    let id = contract.start(Program::count(10)).await;
    contract.exit(id).await;
    contract.engine.acknowledge(id, 4).await.expect("acknowledge");
    contract.engine.acknowledge(id, 4).await.expect("acknowledge again");
    let rest = contract.output(id, 4).await;
    assert_eq!(texts(&rest), (5..=10).map(|number| format!("line {number}")).collect::<Vec<_>>());
    contract.engine.acknowledge(id, 10).await.expect("acknowledge all");
    assert!(contract.output(id, 10).await.is_empty());
    contract.remove(id).await;
}

pub(super) async fn long_lines_are_cut(contract: Arc<Contract>) {
    let id = contract.start(Program::long_line(25_000)).await;
    let lengths: Vec<_> = texts(&contract.output(id, 0).await).iter().map(String::len).collect();
    assert_eq!(lengths, [10_000, 10_000, 5_000]);
    contract.remove(id).await;
}
