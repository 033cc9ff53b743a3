//! What goes over the wire: lines as Logplex frames them, and batches of them.
//!
//! A frame is its length, a space and a line of syslog. Over HTTP the host is the word `host` and there is no
//! structured data; over TCP the host is the drain's token. A datagram has no length in front.

use bytes::Bytes;
use domain::{DrainId, LogLine, LogSource};
use jiff::tz::TimeZone;
use logs::TailLine;
use std::borrow::Cow;
use std::ops::Range;
use uuid::Uuid;

/// Who speaks of what became of lines.
pub(super) const LOGPLEX: &str = "logplex";
/// How lines about lost lines begin.
const OVERFLOW: &[u8] = b"Error L10";
/// Digits of the number that a service has in its add-on's name; a dyno's has fewer.
const SERVICE_DIGITS: usize = 5;

/// The kind of frames that a drain gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Http,
    /// With the drain's token.
    Stream(String),
    /// With the drain's token.
    Datagram(String),
}

/// Frames that go together, and stay as they are however often they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// 32 hexadecimal digits. The same lines have the same, also of a later server.
    pub(super) id: String,
    /// Frames, the one about lost lines among them.
    pub(super) frames: usize,
    /// Lines of the log, which are lost if the batch is.
    pub(super) lines: u64,
    pub(super) body: Bytes,
    /// Where each frame lies in the body.
    pub(super) places: Vec<Range<usize>>,
}

impl Batch {
    /// Of the lines that drains get, after `loss`, which tells of lines that were lost before. `None` if there
    /// is no line.
    pub(super) fn new(
        drain: DrainId,
        framing: &Framing,
        loss: Option<&LogLine>,
        lines: &[TailLine],
    ) -> Option<Self> {
        let wanted: Vec<_> = lines.iter().filter(|one| is_for_drains(&one.line)).collect();
        let (first, last) = (wanted.first()?.id.0, wanted.last()?.id.0);
        let (mut body, mut places) = (Vec::new(), Vec::new());
        for line in loss.into_iter().chain(wanted.iter().map(|one| &one.line)) {
            let start = body.len();
            framing.append(&mut body, line);
            places.push(start..body.len());
        }
        let name = format!("{first}-{last}-{}", wanted.len() + usize::from(loss.is_some()));
        let id = Uuid::new_v5(&drain.0, name.as_bytes()).simple().to_string();
        Some(Self { id, frames: places.len(), lines: wanted.len() as u64, body: body.into(), places })
    }
}

/// Whether drains get a line. What is said about drains is for the log alone.
fn is_for_drains(line: &LogLine) -> bool {
    !is_logplex(line) || line.message.starts_with(OVERFLOW)
}

fn is_logplex(line: &LogLine) -> bool {
    line.source == LogSource::Heroku && line.process == LOGPLEX
}

impl Framing {
    fn append(&self, buffer: &mut Vec<u8>, line: &LogLine) {
        let (host, rest) = match self {
            Self::Http => ("host", "-"),
            Self::Stream(token) | Self::Datagram(token) => (token.as_str(), "- -"),
        };
        let time = line.time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
        let head = format!(
            "<{}>1 {time} {host} {} {} {rest} ",
            priority(line),
            line.source.as_str(),
            word(&line.process)
        );
        if matches!(self, Self::Datagram(_)) {
            buffer.extend(head.as_bytes());
            buffer.extend(&line.message);
            return;
        }
        let length = head.len() + line.message.len() + 1;
        buffer.extend(format!("{length} ").as_bytes());
        buffer.extend(head.as_bytes());
        buffer.extend(&line.message);
        buffer.push(b'\n');
    }
}

/// The facility and severity of a line, in Heroku's numbers.
fn priority(line: &LogLine) -> u8 {
    let digits = line.process.rsplit_once('.').map_or("", |(_, digits)| digits);
    match line.source {
        LogSource::Heroku if line.process == "router" => 158,
        LogSource::Heroku if line.process == LOGPLEX => 172,
        LogSource::Heroku => 45,
        // The API, figures of services, and what services print.
        LogSource::App if !line.process.contains('.') || digits.len() >= SERVICE_DIGITS => 134,
        LogSource::App => 190,
    }
}

/// A field of syslog, which has no blanks and is not empty.
fn word(text: &str) -> Cow<'_, str> {
    if text.is_empty() {
        return "-".into();
    }
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return text.into();
    }
    text.chars().map(|one| if one.is_ascii_graphic() { one } else { '_' }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use logs::LineId;

    fn line(source: &str, process: &str, message: &str) -> LogLine {
        let time = "2016-10-15T08:59:08.723822Z".parse().unwrap();
        match source {
            "app" => LogLine::app(time, process, message.to_owned()),
            _ => LogLine::heroku(time, process, message.to_owned()),
        }
    }

    fn framed(framing: &Framing, line: &LogLine) -> String {
        let mut buffer = Vec::new();
        framing.append(&mut buffer, line);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn lines_are_framed_as_logplex_does() {
        let state = line("heroku", "web.1", "State changed from up to down");
        let token = || "d.9fd1ef2c".to_owned();
        for (framing, line, expected) in [
            // Word for word what Heroku sent.
            (
                Framing::Http,
                &state,
                "89 <45>1 2016-10-15T08:59:08.723822+00:00 host heroku web.1 - State changed from up to down\n",
            ),
            (
                Framing::Stream(token()),
                &state,
                "97 <45>1 2016-10-15T08:59:08.723822+00:00 d.9fd1ef2c heroku web.1 - - State changed from up to down\n",
            ),
            (
                Framing::Datagram(token()),
                &state,
                "<45>1 2016-10-15T08:59:08.723822+00:00 d.9fd1ef2c heroku web.1 - - State changed from up to down",
            ),
            (
                Framing::Http,
                &line("app", "web.1", "grün"),
                "63 <190>1 2016-10-15T08:59:08.723822+00:00 host app web.1 - grün\n",
            ),
            (
                Framing::Http,
                &line("app", "", ""),
                "54 <134>1 2016-10-15T08:59:08.723822+00:00 host app - - \n",
            ),
            (
                Framing::Http,
                &line("app", "a b.1", "x"),
                "59 <190>1 2016-10-15T08:59:08.723822+00:00 host app a_b.1 - x\n",
            ),
        ] {
            let got = framed(&framing, line);
            assert_eq!(got, expected);
            if let Some((length, rest)) = got.split_once(" <") {
                assert_eq!(length.parse::<usize>().unwrap(), rest.len() + 1, "{got}");
            }
        }
    }

    #[test]
    fn priorities_are_herokus() {
        for (source, process, message, expected) in [
            ("app", "web.1", "", 190),
            ("app", "run.1234", "", 190),
            ("app", "api", "", 134),
            ("app", "heroku-postgresql", "", 134),
            ("app", "postgres.12345", "", 134),
            ("heroku", "router", "", 158),
            ("heroku", "web.1", "", 45),
            ("heroku", "backups", "", 45),
            ("heroku", "logplex", "Error L10 (output buffer overflow)", 172),
        ] {
            assert_eq!(priority(&line(source, process, message)), expected, "{source}[{process}]");
        }
    }

    #[test]
    fn a_batch_has_what_was_lost_in_front_and_a_name_that_follows_from_its_lines() {
        let drain = DrainId::new();
        let numbered = |id, line| TailLine { id: LineId(id), line };
        let lines = [
            numbered(3, line("app", "web.1", "one")),
            numbered(4, line("heroku", "logplex", "Error L14 (certificate validation): …")),
            numbered(5, line("heroku", "logplex", "Error L10 (output buffer overflow): …")),
        ];
        let loss = line("heroku", "logplex", "Error L10 (output buffer overflow): 7 messages dropped");
        let batch = Batch::new(drain, &Framing::Http, Some(&loss), &lines).unwrap();
        assert_eq!((batch.frames, batch.lines, batch.places.len()), (3, 2, 3));
        let text = String::from_utf8(batch.body.to_vec()).unwrap();
        let order = ["7 messages dropped", "host app web.1 - one", "overflow): …"]
            .map(|part| text.find(part).unwrap());
        assert!(order.is_sorted() && !text.contains("L14"), "{text}");
        assert!(text[batch.places[1].clone()].ends_with("one\n"), "{text}");
        assert!(
            batch.id.len() == 32 && batch.id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{}",
            batch.id
        );
        let again = Batch::new(drain, &Framing::Http, Some(&loss), &lines).unwrap();
        assert_eq!(batch, again);
        let others = [
            Batch::new(drain, &Framing::Http, None, &lines).unwrap().id,
            Batch::new(drain, &Framing::Http, Some(&loss), &lines[..1]).unwrap().id,
            Batch::new(DrainId::new(), &Framing::Http, Some(&loss), &lines).unwrap().id,
        ];
        assert!(!others.contains(&batch.id));
        assert_eq!(Batch::new(drain, &Framing::Http, Some(&loss), &lines[1..2]), None);
        assert_eq!(Batch::new(drain, &Framing::Http, Some(&loss), &[]), None);
    }
}
