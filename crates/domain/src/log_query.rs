//! What somebody looks for in a log: `"exact phrase" AND -foo OR (bar) program:app/web.1`.
//!
//! Words stand for lines that have them anywhere, in any case. Without a word between them both must be there;
//! `OR` binds less than that; `-` and `NOT` turn round what follows. `program:` names who speaks, `app/web.1`, or
//! all that begin so up to a dot, `app/web`, or up to a slash, `app`.

use crate::{LogLine, NameError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use winnow::ascii::multispace0;
use winnow::combinator::{alt, cut_err, delimited, not, opt, peek, preceded, repeat, separated, terminated};
use winnow::prelude::*;
use winnow::token::{any, literal, take_till, take_while};

/// Bytes of a query at most.
const LONGEST: usize = 500;
/// Parentheses at most, which bounds how deep they go: reading them takes room on the stack.
const GROUPS: usize = 20;

/// A query that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogQuery {
    text: String,
    wanted: Wanted,
}

/// What a line must be like. Texts are in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Text(String),
    Program(String),
}

impl LogQuery {
    /// Reads one; an empty one wants every line. The error is meant for the user.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(NameError(format!("The query is longer than {LONGEST} bytes.")));
        }
        if text.matches('(').count() > GROUPS {
            return Err(NameError(format!("The query has more than {GROUPS} parentheses.")));
        }
        if text.is_empty() {
            return Ok(Self { text: String::new(), wanted: Wanted::All(Vec::new()) });
        }
        let mut rest = text;
        let parsed = terminated(alternatives, multispace0).parse_next(&mut rest);
        match parsed {
            Ok(wanted) if rest.is_empty() => Ok(Self { text: text.to_owned(), wanted }),
            _ => {
                let place = if rest.is_empty() { "at its end".into() } else { format!("at {rest:?}") };
                Err(NameError(format!(
                    "The query {text:?} can't be read {place}: use words, \"phrases\", AND, OR, -without, \
                     (parentheses) and program:app/web.1."
                )))
            }
        }
    }

    /// Whether a line is one of those that are looked for.
    pub fn matches(&self, line: &LogLine) -> bool {
        let program = format!("{}/{}", line.source.as_str(), line.process).to_lowercase();
        let text = format!("{program} {}", String::from_utf8_lossy(&line.message).to_lowercase());
        self.wanted.fits(&program, &text)
    }
}

impl Wanted {
    fn fits(&self, program: &str, text: &str) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.fits(program, text)),
            Self::Any(any) => any.iter().any(|one| one.fits(program, text)),
            Self::Not(one) => !one.fits(program, text),
            Self::Text(wanted) => text.contains(wanted),
            Self::Program(wanted) => program.strip_prefix(wanted.as_str()).is_some_and(|rest| {
                rest.is_empty() || (rest.starts_with(['.', '/']) && !wanted.contains('.'))
            }),
        }
    }
}

impl fmt::Display for LogQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for LogQuery {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for LogQuery {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<LogQuery> for String {
    fn from(query: LogQuery) -> Self {
        query.text
    }
}

/// One or several with `OR` between them.
fn alternatives(input: &mut &str) -> ModalResult<Wanted> {
    let or = (multispace0, keyword("OR"), multispace0);
    let mut any: Vec<_> = separated(1.., conditions, or).parse_next(input)?;
    Ok(if any.len() == 1 { any.remove(0) } else { Wanted::Any(any) })
}

/// One or several that must all be met.
fn conditions(input: &mut &str) -> ModalResult<Wanted> {
    let next =
        preceded((multispace0, opt((keyword("AND"), multispace0)), peek(not(keyword("OR")))), condition);
    let first = preceded(multispace0, condition).parse_next(input)?;
    let rest: Vec<_> = repeat(0.., next).parse_next(input)?;
    if rest.is_empty() {
        return Ok(first);
    }
    Ok(Wanted::All(std::iter::once(first).chain(rest).collect()))
}

fn condition(input: &mut &str) -> ModalResult<Wanted> {
    let without = alt((
        terminated(literal("-"), peek(any.verify(|c: &char| !c.is_whitespace() && *c != ')'))).void(),
        (keyword("NOT"), multispace0).void(),
    ));
    let turned: usize = repeat(0.., without).parse_next(input)?;
    let one = alt((group, program, text));
    let wanted = if turned > 0 {
        cut_err(one).parse_next(input)?
    } else {
        let mut one = one;
        one.parse_next(input)?
    };
    Ok(if turned % 2 == 1 { Wanted::Not(Box::new(wanted)) } else { wanted })
}

fn group(input: &mut &str) -> ModalResult<Wanted> {
    delimited(literal("("), cut_err(alternatives), (multispace0, cut_err(literal(")")))).parse_next(input)
}

fn program(input: &mut &str) -> ModalResult<Wanted> {
    let name = preceded(literal("program:"), cut_err(alt((quoted, plain))));
    name.map(|name| Wanted::Program(name.to_lowercase())).parse_next(input)
}

fn text(input: &mut &str) -> ModalResult<Wanted> {
    let word = preceded(peek(not(alt((keyword("AND"), keyword("OR"), keyword("NOT"))))), plain);
    alt((quoted, word)).map(|text| Wanted::Text(text.to_lowercase())).parse_next(input)
}

fn quoted<'i>(input: &mut &'i str) -> ModalResult<&'i str> {
    let between = |quote: char| delimited(quote, take_till(1.., quote), cut_err(quote));
    alt((between('"'), between('\''))).parse_next(input)
}

/// A word: it may have quotes within, as in `don't`.
fn plain<'i>(input: &mut &'i str) -> ModalResult<&'i str> {
    preceded(
        peek(not(alt(('"', '\'')))),
        take_while(1.., |c: char| !c.is_whitespace() && !matches!(c, '(' | ')')),
    )
    .parse_next(input)
}

/// A word of the language, which ends where words do.
fn keyword<'i>(word: &'static str) -> impl ModalParser<&'i str, (), winnow::error::ContextError> {
    terminated(literal(word), peek(alt((separator, winnow::combinator::eof.void())))).void()
}

fn separator(input: &mut &str) -> ModalResult<()> {
    any.verify(|c: &char| c.is_whitespace() || matches!(c, '(' | ')')).void().parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn line(program: &str, message: &str) -> LogLine {
        let (source, process) = program.split_once('/').unwrap();
        let make = if source == "app" { LogLine::app } else { LogLine::heroku };
        make(Timestamp::UNIX_EPOCH, process, message.to_owned())
    }

    #[test]
    fn lines_that_are_wanted() {
        let web = ("app/web.1", "GET /orders failed: Connection refused after 30s");
        for (query, wanted) in [
            ("", true),
            ("failed", true),
            ("FAILED", true),
            ("fail", true),
            ("succeeded", false),
            ("\"connection refused\"", true),
            ("'connection refused'", true),
            ("\"refused connection\"", false),
            ("refused connection", true),
            ("refused AND connection", true),
            ("refused AND NOT connection", false),
            ("-succeeded", true),
            ("-failed", false),
            ("NOT failed", false),
            ("nothing OR failed", true),
            ("nothing OR never", false),
            ("nothing failed OR refused", true),
            ("nothing (failed OR refused)", false),
            ("failed (nothing OR refused)", true),
            ("failed -(nothing OR never)", true),
            ("failed -(nothing OR refused)", false),
            ("\"exact phrase\" AND -foo OR (refused) program:app/web.1", true),
            ("program:app/web.1", true),
            ("program:app/web", true),
            ("program:app", true),
            ("program:app/we", false),
            ("program:app/web.12", false),
            ("program:heroku/web.1", false),
            ("program:\"app/web.1\" failed", true),
            ("-program:heroku", true),
            ("failed:", true),
            ("/orders", true),
            ("app/web.1", true),
            ("30s - x", false),
            ("(failed)(refused)", true),
            ("ORDERS", true),
            ("android OR NOTHING", false),
            ("-(-failed)", true),
            ("--failed", true),
        ] {
            let parsed = LogQuery::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
            assert_eq!(parsed.matches(&line(web.0, web.1)), wanted, "{query}: {parsed:?}");
            assert_eq!(LogQuery::parse(&parsed.to_string()).unwrap(), parsed);
        }
    }

    #[test]
    fn lines_of_any_bytes_are_looked_at() {
        let query = LogQuery::parse("größe").unwrap();
        assert!(query.matches(&line("app/web.1", "GRÖSSE Größe")));
        let broken = LogLine::app(Timestamp::UNIX_EPOCH, "web.1", vec![0xff, b'o', b'k']);
        assert!(LogQuery::parse("ok").unwrap().matches(&broken));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (query, words) in [
            ("(a", "at its end"),
            ("a)", "at \")\""),
            ("\"a", "can't be read"),
            ("a OR", "can't be read"),
            ("OR a", "at \"OR a\""),
            ("AND", "at \"AND\""),
            ("a AND OR b", "can't be read"),
            ("NOT", "can't be read"),
            ("()", "can't be read"),
            ("program:", "can't be read"),
            (&"x".repeat(501), "longer than 500"),
        ] {
            let error = LogQuery::parse(query).expect_err(query).to_string();
            assert!(error.contains(words), "{query}: {error}");
        }
        // As deep as a query can be.
        let deep = |depth: usize| format!("{}a{}", "(-".repeat(depth), ")".repeat(depth));
        assert!(LogQuery::parse(&deep(20)).unwrap().matches(&line("app/web.1", "a")));
        assert!(LogQuery::parse(&deep(21)).unwrap_err().to_string().contains("more than 20 parentheses"));
        assert!(LogQuery::parse(&format!("{}a", "-".repeat(499))).is_ok());
    }
}
