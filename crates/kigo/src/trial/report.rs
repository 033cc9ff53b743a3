//! What whoever runs a test reads: a line for each step, and for one that failed the reason.

use super::witness::Witness;
use anyhow::Result;
use std::time::Instant;

/// What a step found out, and what its line says of it.
pub(super) type Said<T> = Result<(T, String)>;

/// Prints steps as they end.
pub(super) struct Report {
    witness: Witness,
    failed: usize,
}

impl Report {
    pub(super) fn new(witness: Witness) -> Self {
        Self { witness, failed: 0 }
    }

    /// Takes a step. `None` if it failed, which is said.
    pub(super) async fn step<T>(&mut self, name: &str, work: impl Future<Output = Said<T>>) -> Option<T> {
        self.witness.begin();
        let begun = Instant::now();
        let outcome = work.await;
        let seconds = begun.elapsed().as_secs_f64();
        match outcome {
            Ok((found, said)) => {
                say(format!("  ok      {name:<12} {seconds:>6.1} s  {said}").trim_end());
                Some(found)
            }
            Err(error) => {
                self.failed += 1;
                say(&format!("  FAILED  {name:<12} {seconds:>6.1} s  {}", indented(&format!("{error:#}"))));
                for (whose, lines) in self.witness.last() {
                    say(&format!("          {whose} said last:"));
                    for line in lines {
                        say(&format!("            {}", line.trim_end()));
                    }
                }
                None
            }
        }
    }

    /// Something that is not tried.
    pub(super) fn left_out(what: &str, why: &str) {
        say(&format!("  -       {what:<12}           {why}"));
    }

    /// What the next steps are about.
    pub(super) fn head(what: &str) {
        say(what);
    }

    /// The last word.
    pub(super) fn last(what: &str) {
        say(what);
    }

    /// How many steps failed.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n          ")
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(line: &str) {
    println!("{line}");
}
