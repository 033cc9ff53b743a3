//! The only place that prints: results to standard output, progress, warnings and errors to
//! standard error. Colours and spinners appear on terminals only.

use client::ClientError;
use indicatif::ProgressBar;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const RESET: &str = "\u{1b}[0m";

/// Where words go.
pub(crate) struct Printer {
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    /// Whether somebody watches standard error.
    watched: bool,
}

/// Something that takes a while. Dropped without an end it is shown as failed.
pub(crate) struct Action<'a> {
    printer: &'a Printer,
    text: String,
    spinner: Option<ProgressBar>,
    ended: bool,
}

impl Printer {
    /// Prints to the process's own streams.
    pub(crate) fn terminal() -> Self {
        Self {
            out: Mutex::new(Box::new(anstream::stdout())),
            err: Mutex::new(Box::new(anstream::stderr())),
            watched: io::stderr().is_terminal(),
        }
    }

    /// A line of the result.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(lock(&self.out), "{}", text.as_ref())
    }

    /// Part of the result, as it is.
    pub(crate) fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = lock(&self.out);
        out.write_all(bytes)?;
        out.flush()
    }

    /// The headline of a result: `=== my-app Config Vars`.
    pub(crate) fn heading(&self, text: impl AsRef<str>) -> io::Result<()> {
        self.line(format!("{BOLD}=== {}{RESET}\n", text.as_ref()))
    }

    /// The result as JSON, for programs.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string_pretty(value)?)?;
        Ok(())
    }

    /// `key: value` lines with the values in one column.
    pub(crate) fn pairs<K: AsRef<str>, V: AsRef<str>>(&self, pairs: &[(K, V)]) -> io::Result<()> {
        let width = pairs.iter().map(|(key, _)| key.as_ref().chars().count()).max().unwrap_or(0) + 1;
        for (key, value) in pairs {
            self.line(format!("{:<width$} {}", format!("{}:", key.as_ref()), value.as_ref()))?;
        }
        Ok(())
    }

    /// Rows in columns; the last column is not padded.
    pub(crate) fn table(&self, rows: &[Vec<String>]) -> io::Result<()> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Something the user should know, beside the result.
    pub(crate) fn note(&self, text: &str) {
        // There is nobody left to tell when this fails.
        let _ = writeln!(lock(&self.err), "{text}");
    }

    pub(crate) fn warn(&self, text: &str) {
        self.note(&format!(" {YELLOW}›   Warning:{RESET} {text}"));
    }

    /// Says why a command failed: each cause once, then the API's word for it.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let mut shown = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            if !shown.contains(&cause) {
                shown = format!("{shown}: {cause}");
            }
        }
        self.note(&format!(" {RED}›   Error:{RESET} {shown}"));
        if let Some(id) = error.downcast_ref::<ClientError>().and_then(ClientError::id) {
            self.note(&format!(" {RED}›{RESET}   Error ID: {id}"));
        }
    }

    /// Begins something that takes a while: `Scaling dynos... done`.
    pub(crate) fn action(&self, text: impl Into<String>) -> Action<'_> {
        let text = text.into();
        let spinner = self.watched.then(|| {
            let spinner = ProgressBar::new_spinner().with_message(format!("{text}..."));
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        Action { printer: self, text, spinner, ended: false }
    }
}

impl Action<'_> {
    /// It worked.
    pub(crate) fn done(self) {
        self.end("done");
    }

    /// It worked, and this came of it.
    pub(crate) fn done_with(self, result: impl AsRef<str>) {
        self.end(&format!("done, {}", result.as_ref()));
    }

    fn end(mut self, word: &str) {
        self.ended = true;
        self.say(word);
    }

    fn say(&self, word: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        self.printer.note(&format!("{}... {word}", self.text));
    }
}

impl Drop for Action<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.say("!");
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<Box<T>>) -> MutexGuard<'_, Box<T>> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod kept {
    use super::*;
    use std::sync::Arc;

    /// What was printed, without colours.
    #[derive(Clone, Default)]
    pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        pub(crate) fn text(&self) -> String {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            [BOLD, RED, YELLOW, RESET].iter().fold(text, |text, code| text.replace(code, ""))
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Printer {
        /// A printer whose words are kept.
        pub(crate) fn kept() -> (Self, Kept, Kept) {
            let (out, err) = (Kept::default(), Kept::default());
            let printer = Self {
                out: Mutex::new(Box::new(out.clone())),
                err: Mutex::new(Box::new(err.clone())),
                watched: false,
            };
            (printer, out, err)
        }
    }
}
