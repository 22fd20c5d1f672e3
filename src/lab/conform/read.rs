//! Reading recordings: JSON lines, plain or compressed with gzip.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use thiserror::Error;

use serde::de::DeserializeOwned;

use super::case::Case;
use super::trace::Recording;

/// The first two bytes of every gzip file; a file is told by them, not by its name.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why recordings could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file begins as a gzip file but can't be decompressed to its end.
    #[error("{path}: damaged gzip data: {source}", path = path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decompressor said.
        source: std::io::Error,
    },
    /// A line is not a recording.
    #[error("{path}:{line}:{column}: {what}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong with it.
        what: String,
        /// The line itself, for whoever points at the column.
        text: String,
    },
}

/// Reads every recording of a file.
///
/// # Errors
/// The file can't be read or decompressed, or one of its lines is not a recording; empty lines are
/// passed over.
pub fn read_recordings(path: &Path) -> Result<Vec<Recording>, ReadError> {
    parse_recordings(path, &read_plain(path)?)
}

/// Reads every case of a file; recordings are cases too.
///
/// # Errors
/// As [`read_recordings`].
pub fn read_cases(path: &Path) -> Result<Vec<Case>, ReadError> {
    parse_lines(path, &read_plain(path)?, "case")
}

fn read_plain(path: &Path) -> Result<Vec<u8>, ReadError> {
    let bytes = fs::read(path).map_err(|source| ReadError::Io {
        path: path.to_owned(),
        source,
    })?;
    if bytes.starts_with(&GZIP_MAGIC) {
        decompress(path, &bytes)
    } else {
        Ok(bytes)
    }
}

fn decompress(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes)
        .read_to_end(&mut plain)
        .map_err(|source| ReadError::Gzip {
            path: path.to_owned(),
            source,
        })?;
    Ok(plain)
}

/// Reads recordings from the text of a file; `path` is only for the error.
///
/// # Errors
/// The first line that is not a recording, with line and column.
pub fn parse_recordings(path: &Path, bytes: &[u8]) -> Result<Vec<Recording>, ReadError> {
    parse_lines(path, bytes, "recording")
}

fn parse_lines<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    noun: &str,
) -> Result<Vec<T>, ReadError> {
    let mut recordings = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let recording = serde_json::from_slice::<T>(line).map_err(|error| {
            let what = error.to_string();
            // The message's own place is within the line: ours is the file's.
            let what = what.split(" at line ").next().unwrap_or_default();
            ReadError::Malformed {
                path: path.to_owned(),
                line: index + 1,
                column: error.column().max(1),
                what: format!("not a {noun}: {what}"),
                text: String::from_utf8_lossy(line).into_owned(),
            }
        })?;
        recordings.push(recording);
    }
    Ok(recordings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"name":"n","server":"mysql-5.6","isolation":"REPEATABLE READ","purge":"drain","setup":[],"steps":[{"s":"A","sql":"BEGIN","status":"ok","affected":0,"locks":[{"session":"A","table":"t","index":"PRIMARY","type":"RECORD","mode":"X","kind":"insert_intention","status":"WAITING","key":"supremum"}]}]}"#;

    #[test]
    fn lines_are_read_and_blank_ones_passed_over() {
        let text = format!("{LINE}\n\n{LINE}\n");
        let read = parse_recordings(Path::new("x"), text.as_bytes()).unwrap();
        assert_eq!(read.len(), 2);
        let lock = &read[0].steps[0].locks.as_ref().unwrap()[0];
        assert_eq!(
            lock.kind,
            Some(super::super::trace::RecordedKind::InsertIntention)
        );
    }

    #[test]
    fn a_malformed_line_is_placed() {
        let text = format!("{LINE}\n{{\"name\": 7}}\n");
        let error = parse_recordings(Path::new("x.jsonl"), text.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "x.jsonl:2:10: not a recording: invalid type: integer `7`, expected a string"
        );
    }

    #[test]
    fn a_truncated_gzip_file_is_an_error() {
        let error = decompress(Path::new("x.gz"), &[0x1f, 0x8b, 8, 0]).unwrap_err();
        assert!(matches!(error, ReadError::Gzip { .. }));
    }
}
