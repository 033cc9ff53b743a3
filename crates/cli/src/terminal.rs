//! The user's terminal: questions, hidden answers, raw mode.

use anyhow::{Context, Result, bail};
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use std::io::{self, BufRead, IsTerminal, Write};

/// Puts the terminal back as it was when dropped.
pub(crate) struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        // When this fails the terminal is gone.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Lets every key through to the dyno. `None` when standard input is no terminal.
pub(crate) fn raw() -> Result<Option<Restore>> {
    change(Termios::make_raw)
}

fn change(how: impl FnOnce(&mut Termios)) -> Result<Option<Restore>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let before = termios::tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
    let mut changed = before.clone();
    how(&mut changed);
    termios::tcsetattr(io::stdin(), OptionalActions::Flush, &changed)
        .context("cannot change the terminal's settings")?;
    Ok(Some(Restore(before)))
}

/// Columns and lines of the terminal, if there is one.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Asks for a line.
pub(crate) fn ask(question: &str) -> Result<String> {
    let mut err = anstream::stderr();
    write!(err, "{question}: ").and_then(|()| err.flush()).context("cannot ask")?;
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer).context("cannot read an answer")? == 0 {
        bail!("No answer to: {question}");
    }
    Ok(answer.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks for a line that is not shown.
pub(crate) fn ask_hidden(question: &str) -> Result<String> {
    let hidden = change(|settings| settings.local_modes.remove(LocalModes::ECHO))?;
    let answer = ask(question);
    if hidden.is_some() {
        // The line break that the user typed was not shown either.
        let _ = writeln!(anstream::stderr());
    }
    answer
}
