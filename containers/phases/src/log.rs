//! The log of a container: bytes as they come to a file, whole lines to a listener.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use engine::Error;

/// The log.
pub struct Log {
    file: BufWriter<File>,
    path: PathBuf,
    /// Bytes so far.
    pub bytes: u64,
    line: Vec<u8>,
}

/// A line longer than this is cut for the listener; the file has it whole.
const LONGEST_LINE: usize = 1 << 20;

impl Log {
    pub fn create(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let file = File::create(path).map_err(Error::io("create", path))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), bytes: 0, line: Vec::new() })
    }

    pub fn write(&mut self, bytes: &[u8], listen: &mut dyn FnMut(String)) -> Result<(), Error> {
        // Flushed at once: who reads the file while the container runs wants the last line.
        self.file.write_all(bytes).and_then(|()| self.file.flush()).map_err(Error::io("write", &self.path))?;
        self.bytes += bytes.len() as u64;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST_LINE.saturating_sub(self.line.len());
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.emit(listen);
            }
        }
        Ok(())
    }

    fn emit(&mut self, listen: &mut dyn FnMut(String)) {
        let line = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
        self.line.clear();
        listen(line);
    }

    /// A last line without a line feed.
    pub fn finish(&mut self, listen: &mut dyn FnMut(String)) -> Result<(), Error> {
        if !self.line.is_empty() {
            self.emit(listen);
        }
        self.file.flush().map_err(Error::io("write", &self.path))
    }

    /// A line of our own.
    pub fn line(&mut self, text: &str) -> Result<(), Error> {
        self.bytes += text.len() as u64 + 1;
        writeln!(self.file, "{text}").and_then(|()| self.file.flush()).map_err(Error::io("write", &self.path))
    }
}
