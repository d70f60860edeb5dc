//! The journal of an export: how far it has come, so that it can go on after an interruption.
//!
//! JSON lines: the settings, then a checkpoint after each batch, and at the end that everything is written. A
//! checkpoint has the lengths and checksums of the partial files, so what the system has lost of them, or of
//! the journal, is found out; and a digest of the texts read so far, so that another input is.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::stream::Mark;
use super::{ExportError, Settings};
use crate::Error;

/// The number of the journal's format.
const VERSION: u32 = 1;

/// How far the export was after a batch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Checkpoint {
    pub texts: u64,
    /// SHA-256 of the ids and texts so far.
    pub digest: String,
    rows: u64,
    rows_crc: u32,
    ids: u64,
    ids_crc: u32,
}

impl Checkpoint {
    pub fn new(texts: u64, digest: String, rows: Mark, ids: Mark) -> Self {
        let (rows, rows_crc, ids, ids_crc) = (rows.length, rows.crc, ids.length, ids.crc);
        Self { texts, digest, rows, rows_crc, ids, ids_crc }
    }

    pub fn rows(&self) -> Mark {
        Mark { length: self.rows, crc: self.rows_crc }
    }

    pub fn ids(&self) -> Mark {
        Mark { length: self.ids, crc: self.ids_crc }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Head {
    ecphory_export: u32,
    settings: Vec<(String, String)>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Checkpoint(Checkpoint),
    /// All of this many texts are in the files, which only have to get their names.
    Finished(u64),
}

/// A journal, locked against other processes as long as it is open.
pub(super) struct Journal {
    path: PathBuf,
    file: fs::File,
}

/// What a journal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    settings: Vec<(String, String)>,
    /// Each checkpoint with the length of the journal up to its end.
    pub checkpoints: Vec<(Checkpoint, u64)>,
    pub finished: Option<u64>,
}

impl Journal {
    /// Opens a journal, made where it is missing, and reads it. `None` where it says nothing yet, or is to be
    /// replaced whatever it says.
    pub fn open(
        path: &Path,
        output: &Path,
        replace: bool,
    ) -> Result<(Self, Option<History>), Error> {
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(path)?;
        match file.file().try_lock().map_err(io::Error::from) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(ExportError::Busy { path: output.to_owned() }.into());
            }
            locked => locked?,
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let damaged = |problem| ExportError::Damaged { path: path.to_owned(), problem };
        let history = if replace { None } else { parse(&content).map_err(damaged)? };
        Ok((Self { path: path.to_owned(), file }, history))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins anew.
    pub fn begin(&mut self, settings: &Settings) -> io::Result<()> {
        self.cut(0)?;
        let head = Head { ecphory_export: VERSION, settings: settings.list() };
        self.write(&serde_json::to_string(&head)?)
    }

    /// Forgets what is behind so many bytes.
    pub fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        self.write(&serde_json::to_string(&Line::Checkpoint(checkpoint.clone()))?)
    }

    /// Says, durably, that everything is written.
    pub fn finished(&mut self, texts: u64) -> io::Result<()> {
        self.write(&serde_json::to_string(&Line::Finished(texts))?)?;
        self.sync()
    }

    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

impl History {
    /// Checks that the settings are those of now.
    pub fn check(&self, settings: &Settings, output: &Path) -> Result<(), ExportError> {
        let now = settings.list();
        for ((setting, before), (_, now)) in self.settings.iter().zip(&now) {
            if before != now {
                return Err(ExportError::Differs {
                    path: output.to_owned(),
                    setting: setting.clone(),
                    before: before.clone(),
                    now: now.clone(),
                });
            }
        }
        Ok(())
    }

    pub fn texts(&self) -> u64 {
        let last = self.checkpoints.last().map_or(0, |(checkpoint, _)| checkpoint.texts);
        self.finished.unwrap_or(last)
    }
}

/// Reads a journal up to the first line that is not whole: what follows was under way when it ended.
fn parse(content: &[u8]) -> Result<Option<History>, &'static str> {
    let mut lines = content.split_inclusive(|&byte| byte == b'\n');
    let whole = |line: &[u8]| line.ends_with(b"\n");
    let Some(head) = lines.next().filter(|line| whole(line)) else { return Ok(None) };
    let mut length = head.len() as u64;
    let Ok(head) = serde_json::from_slice::<Head>(head) else {
        return Err("it is no journal of an export");
    };
    if head.ecphory_export != VERSION {
        return Err("it was written by another version of the program");
    }
    let mut history = History { settings: head.settings, ..History::default() };
    for line in lines {
        let Ok(parsed) = serde_json::from_slice::<Line>(line) else { break };
        if !whole(line) {
            break;
        }
        length += line.len() as u64;
        match parsed {
            Line::Checkpoint(checkpoint) => history.checkpoints.push((checkpoint, length)),
            Line::Finished(texts) => history.finished = Some(texts),
        }
    }
    Ok(Some(history))
}
