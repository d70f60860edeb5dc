//! A vector file on its way: partial files and a journal beside it, renamed into place when it is whole.
//!
//! `FILE.partial` has the rows, `FILE.ids.partial` the ids, `FILE.journal` how far both are. Parquet, which cannot
//! be appended to, is made of the two when they are complete, as `FILE.joined.partial`.

use std::io::{self, BufRead, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use serde_json::json;

use super::journal::{Checkpoint, History, Journal};
use super::parquet::ParquetWriter;
use super::stream::{Mark, Stream, sound_marks};
use super::{Existing, ExportError, Item, Settings, VectorFormat, ids};
use crate::{Clock, Result};

/// How long what was written may be with the operating system only. The end of the process loses nothing of it, a
/// power failure does.
const SYNC_INTERVAL: Duration = Duration::from_secs(2);

/// A file being written.
pub(super) struct Output {
    path: PathBuf,
    settings: Settings,
    journal: Journal,
    rows: Stream,
    ids: Option<Stream>,
    synced: Duration,
    /// The bytes of one batch; kept for its memory.
    buffer: Vec<u8>,
}

/// A file that was begun now or before.
pub(super) enum Begun {
    /// It goes on behind the checkpoint, where there is one.
    Open(Box<Output>, Option<Checkpoint>),
    /// An earlier run had written everything, and was stopped before it had given the files their names.
    Whole(u64),
}

impl Output {
    pub fn begin(path: &Path, settings: &Settings, existing: Existing) -> Result<Begun> {
        let exists = || ExportError::Exists { path: path.to_owned() };
        let replace = existing == Existing::Replace;
        let journal_path = beside(path, "journal");
        if !replace && path.try_exists()? && !journal_path.try_exists()? {
            return Err(exists().into());
        }
        let (mut journal, history) = Journal::open(&journal_path, path, replace)?;
        let checkpoint = match history {
            Some(history) if existing == Existing::Resume => {
                history.check(settings, path)?;
                if let Some(texts) = history.finished {
                    publish(path, settings.format, &journal)?;
                    return Ok(Begun::Whole(texts));
                }
                last_sound(&history, path, settings, &mut journal)?
            }
            Some(history) if !replace => {
                let texts = history.texts();
                return Err(ExportError::Unfinished { path: path.to_owned(), texts }.into());
            }
            None if !replace && path.try_exists()? => return Err(exists().into()),
            _ => None,
        };
        if checkpoint.is_none() {
            journal.begin(settings)?;
        }
        let (rows, ids) = checkpoint
            .as_ref()
            .map_or_else(Default::default, |checkpoint| (checkpoint.rows(), checkpoint.ids()));
        let rows = Stream::open(&beside(path, "partial"), settings.header_bytes(), rows)?;
        let ids = match settings.format {
            VectorFormat::Jsonl => None,
            _ => Some(Stream::open(&beside(path, "ids.partial"), 0, ids)?),
        };
        let (path, settings) = (path.to_owned(), settings.clone());
        let (synced, buffer) = (Duration::ZERO, Vec::new());
        let output = Self { path, settings, journal, rows, ids, synced, buffer };
        Ok(Begun::Open(Box::new(output), checkpoint))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a batch.
    pub fn append(&mut self, items: &[Item], vectors: &[f32]) -> Result<()> {
        self.buffer.clear();
        for (item, vector) in items.iter().zip(vectors.chunks_exact(self.settings.dimensions)) {
            if self.settings.format == VectorFormat::Jsonl {
                put_json_line(&item.id, vector, &mut self.buffer)?;
            } else {
                self.settings
                    .values
                    .put(vector, &mut self.buffer)
                    .map_err(|value| ExportError::Overflow { place: item.place.clone(), value })?;
            }
        }
        self.rows.append(&self.buffer)?;
        if let Some(stream) = &mut self.ids {
            self.buffer.clear();
            for item in items {
                ids::put_line(&item.id, &mut self.buffer);
            }
            stream.append(&self.buffer)?;
        }
        Ok(())
    }

    /// Notes that everything up to here needs not be done again.
    pub fn checkpoint(&mut self, texts: u64, digest: String, clock: &dyn Clock) -> Result<()> {
        let rows = self.rows.flush()?;
        let ids = self.ids.as_mut().map_or(Ok(Mark::default()), Stream::flush)?;
        let now = clock.now();
        let sync = now.saturating_sub(self.synced) >= SYNC_INTERVAL;
        if sync {
            self.rows.sync()?;
            self.ids.as_ref().map_or(Ok(()), Stream::sync)?;
        }
        self.journal.checkpoint(&Checkpoint::new(texts, digest, rows, ids))?;
        if sync {
            self.journal.sync()?;
            self.synced = now;
        }
        Ok(())
    }

    /// Makes the file whole and gives it its name.
    pub fn finish(mut self, texts: u64) -> Result<()> {
        self.rows.finish(&self.settings.format.header(&self.settings, texts))?;
        if let Some(ids) = &mut self.ids {
            ids.finish(&[])?;
            if self.settings.format == VectorFormat::Parquet {
                join(&self.path, self.rows.path(), ids.path(), self.settings.dimensions)?;
            }
        }
        self.journal.finished(texts)?;
        publish(&self.path, self.settings.format, &self.journal)
    }
}

/// Returns the last checkpoint that the partial files bear out, and takes the journal back to it.
fn last_sound(
    history: &History,
    path: &Path,
    settings: &Settings,
    journal: &mut Journal,
) -> Result<Option<Checkpoint>> {
    let marks = |mark: fn(&Checkpoint) -> Mark| -> Vec<Mark> {
        history.checkpoints.iter().map(|(checkpoint, _)| mark(checkpoint)).collect()
    };
    let header = settings.header_bytes();
    let mut sound = sound_marks(&beside(path, "partial"), header, &marks(Checkpoint::rows))?;
    if settings.format != VectorFormat::Jsonl {
        let ids = sound_marks(&beside(path, "ids.partial"), 0, &marks(Checkpoint::ids))?;
        sound = sound.min(ids);
    }
    let Some((checkpoint, length)) = history.checkpoints[..sound].last() else {
        if history.checkpoints.is_empty() {
            return Ok(None);
        }
        let problem = "its partial files are missing or damaged";
        return Err(ExportError::Damaged { path: path.to_owned(), problem }.into());
    };
    journal.cut(*length)?;
    Ok(Some(checkpoint.clone()))
}

/// Makes a Parquet file of rows and ids.
fn join(path: &Path, rows: &Path, ids: &Path, dimensions: usize) -> Result<()> {
    let file = fs::File::create(beside(path, "joined.partial"))?;
    let mut rows = BufReader::with_capacity(1 << 18, fs::File::open(rows)?);
    let mut ids = BufReader::with_capacity(1 << 18, fs::File::open(ids)?);
    let mut writer = ParquetWriter::new(BufWriter::with_capacity(1 << 18, file), dimensions)?;
    let mut row = vec![0; 4 * dimensions];
    let mut line = String::new();
    while ids.read_line(&mut line)? > 0 {
        rows.read_exact(&mut row)?;
        writer.push(&ids::parse_line(line.strip_suffix('\n').unwrap_or(&line))?, &row)?;
        line.clear();
    }
    let file = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(file.sync_all()?)
}

/// Gives complete files their names. Every step may have been done before, by a run that was stopped here.
///
/// An old file goes first, so that it never stands beside the ids of another run.
fn publish(path: &Path, format: VectorFormat, journal: &Journal) -> Result<()> {
    let (rows, ids) = (beside(path, "partial"), beside(path, "ids.partial"));
    let joined = beside(path, "joined.partial");
    let parquet = format == VectorFormat::Parquet;
    let whole = if parquet { &joined } else { &rows };
    if whole.try_exists()? {
        remove(path)?;
        if format.has_ids_file() && ids.try_exists()? {
            fs::rename(&ids, beside(path, "ids"))?;
        }
        fs::rename(whole, path)?;
    }
    if parquet {
        remove(&rows)?;
        remove(&ids)?;
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = fs::File::open(parent.unwrap_or(Path::new(".")))?;
    folder.sync_all()?;
    remove(journal.path())?;
    Ok(folder.sync_all()?)
}

/// Removes a file, where there is one.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Returns the path of a file that belongs to another one.
pub(super) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}

/// Appends an id and its vector as one line of JSON.
pub(super) fn put_json_line(id: &str, vector: &[f32], out: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &json!({"_id": id, "vector": vector}))?;
    out.push(b'\n');
    Ok(())
}
