//! The text that builds, release commands and scripts of setups print: written once, followed by many.
//!
//! Each has a file that only grows and a marker beside it once nothing more comes, so that a reader
//! can begin anywhere, come back after a restart of the server, and knows when it is over.

use bytes::Bytes;
use domain::{AppSetupId, BuildId, ReleaseId};
use std::collections::{HashMap, VecDeque};
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

/// Bytes handed out at a time.
const PIECE: usize = 32 << 10;
/// Bytes of one output at most; of what comes after only the end is kept.
const LIMIT: u64 = 64 << 20;
/// Bytes of that end.
const LAST: usize = 8 << 10;
/// Stands where an output was cut off.
const CUT: &[u8] = b" !     The output is cut off here: it is too long.\n";
/// A reader looks again after this long even if nobody woke it.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Whose output it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputId {
    Build(BuildId),
    /// The output of a release's command.
    Release(ReleaseId),
    /// The output of a setup's `postdeploy`.
    Setup(AppSetupId),
}

impl OutputId {
    fn dir(self, data: &Path) -> PathBuf {
        match self {
            Self::Build(id) => data.join("builds").join(id.to_string()),
            Self::Release(id) => data.join("releases").join(id.to_string()),
            Self::Setup(id) => data.join("setups").join(id.to_string()),
        }
    }
}

/// Makes an output's directory, but not the data directory: once that is removed, nothing comes back.
async fn make(dir: &Path) -> io::Result<()> {
    for dir in dir.parent().into_iter().chain([dir]) {
        match tokio::fs::create_dir(dir).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(())
}

/// Pieces of an output as they come; ends when all of it was delivered.
pub type OutputStream = tokio_stream::wrappers::ReceiverStream<io::Result<Bytes>>;

/// All outputs below a data directory. Cheap to clone.
#[derive(Clone)]
pub struct Outputs {
    data: PathBuf,
    /// Moves whenever an output has grown or ended.
    growing: Arc<Mutex<HashMap<OutputId, watch::Sender<u64>>>>,
}

impl Outputs {
    /// Outputs are in `builds/<id>/`, `releases/<id>/` and `setups/<id>/` of the data directory.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), growing: Arc::default() }
    }

    /// Opens an output for adding to it; from then on it can be followed. One writer at a time.
    pub async fn writer(&self, id: OutputId) -> io::Result<OutputWriter> {
        let dir = id.dir(&self.data);
        make(&dir).await?;
        let file = OpenOptions::new().create(true).append(true).open(dir.join("output")).await?;
        let length = file.metadata().await?.len();
        self.wake(id);
        let outputs = self.clone();
        Ok(OutputWriter { file, length, id, outputs, last: VecDeque::new(), last_bytes: 0 })
    }

    /// Opens an output that consists of numbered lines, and tells how many whole ones are there; a
    /// line that was cut short is removed.
    pub(crate) async fn line_writer(&self, id: OutputId) -> io::Result<(OutputWriter, u64)> {
        let mut writer = self.writer(id).await?;
        let mut file = File::open(id.dir(&self.data).join("output")).await?;
        let (mut read, mut whole, mut lines) = (0, 0, 0);
        let mut buffer = vec![0; PIECE];
        loop {
            let count = file.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            for (at, _) in buffer[..count].iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                whole = read + at as u64 + 1;
                lines += 1;
            }
            read += count as u64;
        }
        if whole < read {
            writer.file.set_len(whole).await?;
            writer.length = whole;
        }
        Ok((writer, lines))
    }

    /// Nothing more will come. Doing it twice is fine.
    pub async fn finish(&self, id: OutputId) -> io::Result<()> {
        let dir = id.dir(&self.data);
        make(&dir).await?;
        File::create(dir.join("output.done")).await?;
        self.wake(id);
        let mut growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        if growing.get(&id).is_some_and(|sender| sender.receiver_count() == 0) {
            growing.remove(&id);
        }
        Ok(())
    }

    /// Whether [`Outputs::finish`] was called.
    pub async fn is_finished(&self, id: OutputId) -> bool {
        tokio::fs::try_exists(id.dir(&self.data).join("output.done")).await.unwrap_or(false)
    }

    /// Whether there is anything of this output.
    pub async fn exists(&self, id: OutputId) -> bool {
        tokio::fs::try_exists(id.dir(&self.data).join("output")).await.unwrap_or(false)
    }

    /// Reads an output from byte `offset` on, and what comes until it is finished. `None` if nobody
    /// has begun to write it. Must be called within a tokio runtime; dropping the stream ends the
    /// reading.
    pub async fn follow(&self, id: OutputId, offset: u64) -> io::Result<Option<OutputStream>> {
        let dir = id.dir(&self.data);
        let mut file = match File::open(dir.join("output")).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(offset)).await?;
        let (sender, receiver) = mpsc::channel(4);
        let grown = self.changes(id);
        tokio::spawn(async move {
            if let Err(error) = copy(file, dir.join("output.done"), grown, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(Some(OutputStream::new(receiver)))
    }

    /// Moves whenever the output is begun, grows or ends.
    pub fn changes(&self, id: OutputId) -> watch::Receiver<u64> {
        let mut growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        growing.entry(id).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Deletes an output and everything beside it. One that is not there is no error.
    pub async fn remove(&self, id: OutputId) -> io::Result<()> {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        match tokio::fs::remove_dir_all(id.dir(&self.data)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether nothing was added for so long. Something that cannot be looked at is not quiet.
    pub(crate) async fn is_quiet(&self, id: OutputId, time: Duration) -> bool {
        let dir = id.dir(&self.data);
        for path in [dir.join("output"), dir] {
            match tokio::fs::metadata(path).await.and_then(|metadata| metadata.modified()) {
                Ok(at) if at.elapsed().is_ok_and(|passed| passed >= time) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => return false,
            }
        }
        true
    }

    /// The outputs on disk that were begun and not finished.
    pub(crate) async fn unfinished(&self) -> io::Result<Vec<OutputId>> {
        let mut found = Vec::new();
        for id in self.list().await? {
            if self.exists(id).await && !self.is_finished(id).await {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// The outputs on disk.
    pub(crate) async fn list(&self) -> io::Result<Vec<OutputId>> {
        let within = async |folder: &str| ids(&self.data.join(folder)).await;
        let mut found = Vec::new();
        found.extend(within("builds").await?.into_iter().map(|id| OutputId::Build(BuildId(id))));
        found.extend(within("releases").await?.into_iter().map(|id| OutputId::Release(ReleaseId(id))));
        found.extend(within("setups").await?.into_iter().map(|id| OutputId::Setup(AppSetupId(id))));
        Ok(found)
    }

    fn wake(&self, id: OutputId) {
        let growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = growing.get(&id) {
            sender.send_modify(|count| *count += 1);
        }
    }
}

/// Directories that are named after an id.
async fn ids(dir: &Path) -> io::Result<Vec<Uuid>> {
    let mut entries = match tokio::fs::read_dir(dir).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        found.extend(entry.file_name().to_str().and_then(|name| Uuid::parse_str(name).ok()));
    }
    Ok(found)
}

async fn copy(
    mut file: File,
    done: PathBuf,
    mut grown: watch::Receiver<u64>,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        grown.mark_unchanged();
        // Asked before reading: what is there when the marker is, is all there will be.
        let finished = tokio::fs::try_exists(&done).await?;
        loop {
            let count = file.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            if sender.send(Ok(Bytes::copy_from_slice(&buffer[..count]))).await.is_err() {
                return Ok(());
            }
        }
        if finished {
            return Ok(());
        }
        tokio::select! {
            () = sender.closed() => return Ok(()),
            changed = grown.changed() => if changed.is_err() {
                // The output was removed.
                return Ok(());
            },
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// Adds to an output.
pub struct OutputWriter {
    file: File,
    length: u64,
    id: OutputId,
    outputs: Outputs,
    /// The newest lines beyond the bound, and how many bytes they have.
    last: VecDeque<String>,
    last_bytes: usize,
}

impl OutputWriter {
    /// Adds text, and wakes those who follow. Beyond the bound nothing is added any more.
    pub async fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.length > LIMIT {
            return Ok(());
        }
        self.length += text.len() as u64;
        self.file.write_all(text).await?;
        if self.length > LIMIT {
            self.file.write_all(CUT).await?;
        }
        self.file.flush().await?;
        self.outputs.wake(self.id);
        Ok(())
    }

    /// Adds a line. Beyond the bound it is one of the last lines, as long as there are no newer ones.
    pub async fn line(&mut self, text: &str) -> io::Result<()> {
        let line = format!("{text}\n");
        if self.length <= LIMIT {
            return self.write(line.as_bytes()).await;
        }
        self.last_bytes += line.len();
        self.last.push_back(line);
        while self.last_bytes > LAST && self.last.len() > 1 {
            self.last_bytes -= self.last.pop_front().map_or(0, |oldest| oldest.len());
        }
        Ok(())
    }

    /// Adds the last lines of an output that was cut off, which tell how it ended.
    pub async fn end(mut self) -> io::Result<()> {
        let last: String = self.last.drain(..).collect();
        self.file.write_all(last.as_bytes()).await?;
        self.file.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    async fn text(stream: OutputStream) -> String {
        let pieces: Vec<_> = stream.map(|piece| piece.unwrap()).collect().await;
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[tokio::test]
    async fn readers_get_everything_whenever_they_come() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path());
        let id = OutputId::Build(BuildId::new());
        assert!(outputs.follow(id, 0).await.unwrap().is_none());
        let mut writer = outputs.writer(id).await.unwrap();
        let early = outputs.follow(id, 0).await.unwrap().unwrap();
        writer.line("one").await.unwrap();
        let middle = outputs.follow(id, 2).await.unwrap().unwrap();
        writer.line("two").await.unwrap();
        drop(writer);
        // Another process goes on with it.
        let again = Outputs::new(dir.path());
        again.writer(id).await.unwrap().line("three").await.unwrap();
        assert!(!outputs.is_finished(id).await);
        again.finish(id).await.unwrap();
        outputs.finish(id).await.unwrap();
        let late = outputs.follow(id, 0).await.unwrap().unwrap();
        assert_eq!(text(early).await, "one\ntwo\nthree\n");
        assert_eq!(text(middle).await, "e\ntwo\nthree\n");
        assert_eq!(text(late).await, "one\ntwo\nthree\n");
    }

    #[tokio::test]
    async fn an_endless_output_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path());
        let id = OutputId::Build(BuildId::new());
        for _ in 0..3 {
            // Opened anew each time, as after a restart.
            let mut writer = outputs.writer(id).await.unwrap();
            writer.write(&vec![b'\n'; 33 << 20]).await.unwrap();
        }
        let length = std::fs::metadata(id.dir(dir.path()).join("output")).unwrap().len();
        assert_eq!(length, 2 * (33 << 20) + CUT.len() as u64);
        let (_, lines) = outputs.line_writer(id).await.unwrap();
        assert_eq!(lines, 2 * (33 << 20) + 1);
    }

    #[tokio::test]
    async fn how_an_endless_output_ended_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path());
        let id = OutputId::Build(BuildId::new());
        let mut writer = outputs.writer(id).await.unwrap();
        writer.write(&vec![b'\n'; 65 << 20]).await.unwrap();
        for number in 0..100_000 {
            writer.line(&format!("line {number}")).await.unwrap();
        }
        writer.line(" !     Push failed").await.unwrap();
        writer.end().await.unwrap();
        let written = std::fs::read_to_string(id.dir(dir.path()).join("output")).unwrap();
        let (_, end) = written.split_once("too long.\n").unwrap();
        assert!(end.ends_with("line 99999\n !     Push failed\n"), "{end}");
        assert!(end.starts_with("line ") && end.len() <= LAST, "{} bytes", end.len());
        let mut short = outputs.writer(OutputId::Build(BuildId::new())).await.unwrap();
        short.line("all of it").await.unwrap();
        short.end().await.unwrap();
    }

    #[tokio::test]
    async fn a_line_that_was_cut_short_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path());
        let id = OutputId::Release(ReleaseId::new());
        outputs.writer(id).await.unwrap().write(b"one\ntwo\nthr").await.unwrap();
        let (mut writer, lines) = outputs.line_writer(id).await.unwrap();
        assert_eq!(lines, 2);
        writer.line("three").await.unwrap();
        outputs.finish(id).await.unwrap();
        assert_eq!(text(outputs.follow(id, 0).await.unwrap().unwrap()).await, "one\ntwo\nthree\n");
        assert_eq!(outputs.list().await.unwrap(), [id]);
        outputs.remove(id).await.unwrap();
        assert!(outputs.follow(id, 0).await.unwrap().is_none());
    }
}
