//! The log of a container: bytes as they come to a file, whole lines to a listener.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use engine::Error;

/// The log of one phase or shard, while it is written.
pub struct Log {
    file: BufWriter<File>,
    path: PathBuf,
    /// Bytes written so far.
    pub bytes: u64,
    line: Vec<u8>,
}

/// A line longer than this is cut for the listener; the file has it whole.
const LONGEST_LINE: usize = 1 << 20;

impl Log {
    /// Begins a log in a new file, and makes the folder of it.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let file = File::create(path).map_err(Error::io("create", path))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), bytes: 0, line: Vec::new() })
    }

    /// Adds output as it comes, and gives `listen` each line that is whole now, without its end.
    ///
    /// # Errors
    /// The file cannot be written.
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

    /// Gives a last line that has no line feed to the listener, and writes what is left to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(&mut self, listen: &mut dyn FnMut(String)) -> Result<(), Error> {
        if !self.line.is_empty() {
            self.emit(listen);
        }
        self.file.flush().map_err(Error::io("write", &self.path))
    }

    /// Adds a line of our own, such as a note about a repeat, to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn line(&mut self, text: &str) -> Result<(), Error> {
        self.bytes += text.len() as u64 + 1;
        writeln!(self.file, "{text}").and_then(|()| self.file.flush()).map_err(Error::io("write", &self.path))
    }
}
