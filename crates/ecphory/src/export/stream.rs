//! A file that grows until it is finished, with a running checksum by which it is found out how far it is sound.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ecphory_core::checksum::Crc32;
use fs_err as fs;

const BUFFER_BYTES: usize = 1 << 18;

/// How far a file has come: its length without the header, and the checksum of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub length: u64,
    pub crc: u32,
}

/// A file being written.
pub(super) struct Stream {
    path: PathBuf,
    file: BufWriter<fs::File>,
    header: u64,
    length: u64,
    crc: Crc32,
}

impl Stream {
    /// Opens a file, made where it is missing, that is sound up to a mark, and forgets what is behind it.
    pub fn open(path: &Path, header: u64, mark: Mark) -> io::Result<Self> {
        let options = |file: &mut fs::OpenOptions| {
            file.create(true).truncate(false).read(true).write(true);
        };
        let mut open = fs::OpenOptions::new();
        options(&mut open);
        let mut file = open.open(path)?;
        let mut crc = Crc32::default();
        read_content(&mut file, header, mark.length, &mut |bytes, _| crc.update(bytes))?;
        file.set_len(header + mark.length)?;
        file.seek(SeekFrom::End(0))?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Self { path: path.to_owned(), file, header, length: mark.length, crc })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.crc.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Hands everything to the operating system; it survives the end of the process then.
    pub fn flush(&mut self) -> io::Result<Mark> {
        self.file.flush()?;
        Ok(Mark { length: self.length, crc: self.crc.finish() })
    }

    /// Puts on the disk what was flushed.
    pub fn sync(&self) -> io::Result<()> {
        self.file.get_ref().sync_data()
    }

    /// Writes the header into the place that was kept for it, and puts everything on the disk.
    pub fn finish(&mut self, header: &[u8]) -> io::Result<()> {
        assert_eq!(header.len() as u64, self.header, "the place that was kept for the header");
        self.file.flush()?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(header)?;
        file.sync_all()
    }
}

/// Returns how many of some marks, in the order in which they were made, a file bears out.
pub(super) fn sound_marks(path: &Path, header: u64, marks: &[Mark]) -> io::Result<usize> {
    let mut file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        opened => opened?,
    };
    let length = file.metadata()?.len().saturating_sub(header);
    let there = marks.iter().take_while(|mark| mark.length <= length).count();
    let (mut sound, mut next) = (0, 0);
    let mut crc = Crc32::default();
    let end = marks[..there].last().map_or(0, |mark| mark.length);
    read_content(&mut file, header, end, &mut |mut bytes, mut at| {
        while let Some(mark) = marks[..there].get(next) {
            let more = (mark.length - at) as usize;
            if more > bytes.len() {
                break;
            }
            crc.update(&bytes[..more]);
            (bytes, at) = (&bytes[more..], mark.length);
            next += 1;
            if crc.finish() == mark.crc {
                sound = next;
            }
        }
        crc.update(bytes);
    })?;
    // Marks at the beginning, before anything was read.
    let empty = marks[..there].iter().take_while(|mark| **mark == Mark::default()).count();
    Ok(sound.max(empty))
}

/// Reads so many bytes behind the header, and hands them over piece by piece with their position.
fn read_content(
    file: &mut fs::File,
    header: u64,
    length: u64,
    take: &mut dyn FnMut(&[u8], u64),
) -> io::Result<()> {
    file.seek(SeekFrom::Start(header))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut at = 0;
    while at < length {
        let most = buffer.len().min((length - at) as usize);
        let count = file.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        take(&buffer[..count], at);
        at += count as u64;
    }
    Ok(())
}
