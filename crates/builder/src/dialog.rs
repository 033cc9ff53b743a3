//! A conversation with the program in a build container: it sends a few small files, this process
//! decides and answers with others, for as often as it takes.
//!
//! What is asked comes through a named pipe, as an archive behind its length, and is a stranger's. What
//! is answered lies below `/kigo/answers/<number>`; one byte through another pipe tells that it is
//! there. Neither side waits for one that is gone.

use crate::BuildError;
use crate::source::OWNER;
use crate::work::{Work, give_to_owner};
use image::{UnpackOptions, unpack};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use tokio::task::JoinHandle;

/// Bytes of one question, unpacked as well.
const LIMIT: u64 = 16 << 20;

/// Files of one question.
const FILES: u64 = 20_000;

/// Questions of one container.
const QUESTIONS: usize = 2000;

/// Files by name. One that is called `do` tells the program what to do.
pub(crate) type Answer = Vec<(&'static str, Vec<u8>)>;

/// What is told when nothing more can be decided.
const STOP: &str = "stop";

/// Whoever decides.
pub(crate) trait Decide: Send + 'static {
    /// Looks at what was sent, in a directory, and tells what is next. Blocks.
    fn decide(&mut self, sent: &Path) -> Result<Answer, BuildError>;
}

/// A conversation that may begin.
pub(crate) struct Dialog {
    /// An open end for writing: as long as it is there, a silent container is not taken for the end.
    keeper: OwnedFd,
    reader: JoinHandle<Result<(), BuildError>>,
}

impl Dialog {
    /// Waits for the first question.
    pub(crate) fn open(work: &Work, decide: Box<dyn Decide>) -> Result<Self, BuildError> {
        let make = || {
            std::fs::create_dir_all(work.inside("answers"))?;
            let (questions, keeper) = pipe(&work.inside("pipes/ask"), OFlags::WRONLY | OFlags::NONBLOCK)?;
            // For both directions, so that it is there whether or not somebody reads it already.
            let (_, bell) = pipe(&work.inside("pipes/answer"), OFlags::RDWR | OFlags::NONBLOCK)?;
            let place = work.fresh_output("asked")?;
            Ok((questions, keeper, bell, place))
        };
        let (questions, keeper, bell, place) =
            make().map_err(BuildError::system("making pipes for a build's questions"))?;
        let answers = work.inside("answers");
        let reader =
            tokio::task::spawn_blocking(move || talk(questions, &File::from(bell), &place, &answers, decide));
        Ok(Self { keeper, reader })
    }

    /// Once no container can write any more: why the conversation broke off, if it did.
    pub(crate) async fn finish(self) -> Result<(), BuildError> {
        drop(self.keeper);
        match self.reader.await {
            Ok(result) => result,
            Err(error) => Err(BuildError::Container(format!("what decides failed: {error}"))),
        }
    }
}

/// Makes a pipe that the container may use; returns an end for reading and another one.
fn pipe(path: &Path, other: OFlags) -> io::Result<(File, OwnedFd)> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
    give_to_owner(path, 0o600)?;
    let end = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let other = rustix::fs::open(path, other | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::fcntl_setfl(&end, OFlags::empty())?;
    Ok((File::from(end), other))
}

fn talk(
    questions: File,
    bell: &File,
    place: &Path,
    answers: &Path,
    mut decide: Box<dyn Decide>,
) -> Result<(), BuildError> {
    let mut questions = BufReader::new(questions);
    for number in 1..=QUESTIONS {
        let Some(size) = length(&mut questions)? else { return Ok(()) };
        let asked = receive(&mut questions, size, place);
        let decided = asked.and_then(|()| decide.decide(place));
        let (answer, failed) = match decided {
            Ok(answer) => (answer, None),
            Err(error) => (vec![("do", STOP.into())], Some(error)),
        };
        tell(&answers.join(number.to_string()), &answer, bell)
            .map_err(BuildError::system("answering a build's question"))?;
        if let Some(error) = failed {
            // A writer must not be stopped: its exit status says nothing more.
            let _ = io::copy(&mut questions, &mut io::sink());
            return Err(error);
        }
    }
    Err(BuildError::Container("it asks without end".into()))
}

/// The length of the next question; `None` at the end.
fn length(questions: &mut impl BufRead) -> Result<Option<u64>, BuildError> {
    let mut line = Vec::new();
    let mut head = questions.take(32);
    head.read_until(b'\n', &mut line).map_err(BuildError::system("reading a build's question"))?;
    if line.is_empty() {
        return Ok(None);
    }
    let size = std::str::from_utf8(&line).ok().and_then(|line| line.trim().parse::<u64>().ok());
    let size = size.ok_or_else(|| BuildError::Container("its question cannot be read".into()))?;
    Ok(Some(size))
}

fn receive(questions: &mut impl Read, size: u64, place: &Path) -> Result<(), BuildError> {
    let mut archive = questions.take(size);
    let clear = || {
        std::fs::remove_dir_all(place)?;
        std::fs::create_dir(place)
    };
    clear().map_err(BuildError::system("making room for a build's question"))?;
    let mut options = UnpackOptions::slug(OWNER, OWNER);
    options.limits.bytes = LIMIT;
    options.limits.entries = FILES;
    let unpacked = unpack(&mut archive, place, &options).map_err(BuildError::Result);
    io::copy(&mut archive, &mut io::sink()).map_err(BuildError::system("reading a build's question"))?;
    unpacked.map(drop)
}

fn tell(directory: &PathBuf, answer: &Answer, mut bell: &File) -> io::Result<()> {
    std::fs::create_dir(directory)?;
    for (name, content) in answer {
        std::fs::write(directory.join(name), content)?;
    }
    bell.write_all(b"!")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BuildId;
    use std::process::Command;

    /// Answers with what was said, twice at most.
    struct Echo(usize);

    impl Decide for Echo {
        fn decide(&mut self, sent: &Path) -> Result<Answer, BuildError> {
            let words = std::fs::read(sent.join("words")).unwrap();
            self.0 -= 1;
            if self.0 == 0 { Err(BuildError::NoLanguage) } else { Ok(vec![("do", words)]) }
        }
    }

    /// What a program in the place of a container's is answered, and how it ends for the one that decides.
    async fn said(script: &str) -> (String, Result<(), BuildError>) {
        let data = tempfile::tempdir_in("/var/tmp").unwrap();
        let work = Work::create(data.path(), BuildId::new()).unwrap();
        let dialog = Dialog::open(&work, Box::new(Echo(3))).unwrap();
        let kigo = work.inside("");
        let script = format!("{}\n{script}", include_str!("scripts/ask.sh"));
        let script = script.replace("/kigo/", kigo.to_str().unwrap());
        let message = format!("message={}; mkdir -p $message\n", data.path().join("message").display());
        let run = move || Command::new("bash").args(["-c", &(message + &script)]).output().unwrap();
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        (text, dialog.finish().await)
    }

    #[tokio::test]
    async fn questions_are_answered_one_after_the_other() {
        let ask = |words: &str| format!("echo {words} > $message/words; ask; cat \"$order/do\"\n");
        let (text, ended) = said(&(ask("one") + &ask("two"))).await;
        assert_eq!(text, "one\ntwo\n");
        ended.unwrap();
        // Whoever decides may have had enough; what is asked then is not heard.
        let (text, ended) = said(&(ask("one") + &ask("two") + &ask("three"))).await;
        assert_eq!(text, "one\ntwo\nstop");
        assert!(matches!(ended, Err(BuildError::NoLanguage)));
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        for script in [
            "echo nonsense > /kigo/pipes/ask",
            "echo 99999999999999999999999 > /kigo/pipes/ask",
            "{ echo 3; echo abc; } > /kigo/pipes/ask",
            "{ echo 5000; echo abc; } > /kigo/pipes/ask",
            "truncate --size 20M $message/words; ask; cat $order/do",
        ] {
            assert!(said(script).await.1.is_err(), "{script}");
        }
    }
}
