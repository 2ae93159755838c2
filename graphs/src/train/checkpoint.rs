//! Checkpoints: everything needed to go on, in one file that is whole or not there.
//!
//! A file is magic, version, a CRC-32 of the rest, then bincode of history, settings' fingerprint
//! and the snapshot of all state. A file that a crash or a disk damaged is passed over for the one
//! before it, with a notice.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use synfire_runtime::snapshot::Snapshot;

use super::History;
use crate::atomic;

const MAGIC: &[u8; 8] = b"SYNFTRAI";
const VERSION: u32 = 1;
const HEADER: usize = 16;
const EXTENSION: &str = "synfire";

/// Everything needed to go on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checkpoint {
    pub(super) history: History,
    pub(super) snapshot: Snapshot,
}

/// What stands before the snapshot in a file.
#[derive(Serialize, Deserialize)]
struct Head {
    history: History,
    snapshot_bytes: u64,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
pub struct CheckpointError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

impl CheckpointError {
    pub(super) fn new(path: &Path, reason: impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl Checkpoint {
    /// Saves it as the checkpoint after its steps; gives the path.
    pub(super) fn save(&self, folder: &Path) -> Result<PathBuf, CheckpointError> {
        let step = self.snapshot.iteration;
        let path = folder.join(format!("checkpoint-{step:09}.{EXTENSION}"));
        let snapshot = self.snapshot.encode();
        let head = Head { history: self.history.clone(), snapshot_bytes: snapshot.len() as u64 };
        let head = serde_json::to_vec(&head).map_err(|e| CheckpointError::new(&path, e))?;
        let mut body = (head.len() as u64).to_le_bytes().to_vec();
        body.extend(head);
        body.extend(snapshot);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
        atomic::write(&path, &bytes).map_err(|error| CheckpointError::new(&path, error))?;
        Ok(path)
    }

    /// Reads one.
    pub(super) fn load(path: &Path) -> Result<Self, CheckpointError> {
        let fail = |reason: String| CheckpointError::new(path, reason);
        let bytes = fs::read(path).map_err(|error| fail(error.to_string()))?;
        if bytes.len() < HEADER + 8 || &bytes[..8] != MAGIC {
            return Err(fail("no checkpoint of a training".to_owned()));
        }
        let word =
            |at: usize| bytes[at..at + 4].iter().rev().fold(0, |w, &b| w << 8 | u32::from(b));
        if word(8) != VERSION {
            return Err(fail(format!("version {}; wanted {VERSION}", word(8))));
        }
        let body = &bytes[HEADER..];
        if crc32fast::hash(body) != word(12) {
            return Err(fail("damaged: its checksum does not fit".to_owned()));
        }
        let (count, rest) = body.split_at(8);
        let count = count.iter().rev().fold(0_u64, |w, &b| w << 8 | u64::from(b)) as usize;
        let head = rest.get(..count).ok_or_else(|| fail("damaged: no whole head".to_owned()))?;
        let head: Head = serde_json::from_slice(head).map_err(|e| fail(e.to_string()))?;
        let snapshot = &rest[count..];
        if snapshot.len() as u64 != head.snapshot_bytes {
            return Err(fail(format!("damaged: {} bytes of state", snapshot.len())));
        }
        let snapshot = Snapshot::decode(snapshot).map_err(|error| fail(error.to_string()))?;
        Ok(Self { history: head.history, snapshot })
    }
}

/// The checkpoints in a folder, newest first.
fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_checkpoint = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("checkpoint-") && path.extension().is_some_and(|own| own == EXTENSION)
    };
    let mut paths: Vec<PathBuf> = entries.map(|own| own.path()).filter(is_checkpoint).collect();
    paths.sort();
    paths.reverse();
    paths
}

/// Removes all but the newest `keep`. What cannot be removed stays: it does no harm.
pub(super) fn prune(folder: &Path, keep: usize) {
    for path in list(folder).into_iter().skip(keep.max(1)) {
        let _ = fs::remove_file(path);
    }
}

/// The newest checkpoint that is whole, and what is wrong with newer ones.
pub(super) fn latest(folder: &Path) -> (Option<Checkpoint>, Vec<CheckpointError>) {
    let mut errors = Vec::new();
    for path in list(folder) {
        match Checkpoint::load(&path) {
            Ok(checkpoint) => return (Some(checkpoint), errors),
            Err(error) => errors.push(error),
        }
    }
    (None, errors)
}

/// The state in the newest whole checkpoint of a folder.
///
/// # Errors
/// When there is none; with what is wrong with those that are there.
pub fn newest(folder: &Path) -> Result<Snapshot, CheckpointError> {
    let (found, errors) = latest(folder);
    let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let none = || CheckpointError::new(folder, format!("no checkpoint. {}", reasons.join("; ")));
    found.map(|checkpoint| checkpoint.snapshot).ok_or_else(none)
}
