//! Cases in the files of a folder, or in a zip archive of one.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, Result, WrapErr};
use zip::ZipArchive;

/// The longest file of a case.
const BYTES_MAX: u64 = 1 << 30;

/// Where cases come from.
pub(super) enum Folder {
    Files(PathBuf),
    Archive(Box<ZipArchive<BufReader<File>>>),
}

impl Folder {
    /// Opens a folder or an archive.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Files(path.to_owned()));
        }
        let named = || path.display().to_string();
        let file = File::open(path).into_diagnostic().wrap_err_with(named)?;
        let archive = ZipArchive::new(BufReader::new(file)).into_diagnostic();
        Ok(Self::Archive(Box::new(archive.wrap_err_with(named)?)))
    }

    /// The bytes of one file.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let named = || name.to_owned();
        match self {
            Self::Files(folder) => {
                let file = File::open(folder.join(name)).into_diagnostic();
                let mut file = file.wrap_err_with(named)?.take(BYTES_MAX);
                file.read_to_end(&mut bytes).into_diagnostic().wrap_err_with(named)?;
            }
            Self::Archive(archive) => {
                let file = archive.by_name(name).into_diagnostic();
                let mut file = file.wrap_err_with(named)?.take(BYTES_MAX);
                file.read_to_end(&mut bytes).into_diagnostic().wrap_err_with(named)?;
            }
        }
        Ok(bytes)
    }
}
