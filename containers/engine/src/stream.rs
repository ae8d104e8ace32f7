//! Bridges between synchronous archive code and the engine's asynchronous streams: an archive of
//! gigabytes passes through a few buffers and is never whole in memory or on disk.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Error;

/// Buffers under way at once, of [`CHUNK`] bytes each.
const DEPTH: usize = 8;
const CHUNK: usize = 256 << 10;

/// Writes, from a thread that may wait, into a stream that the engine reads.
pub struct ChannelWriter {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl ChannelWriter {
    fn send(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(CHUNK)).freeze();
        self.sender.blocking_send(Ok(full)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for ChannelWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.send()?;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

/// Runs `write` on a thread of its own; what it writes comes out of the stream. When it fails, the
/// stream fails too, so that the engine never takes a cut-off archive for a whole one; the reason is
/// in the handle.
pub fn produce(
    write: impl FnOnce(&mut ChannelWriter) -> Result<(), Error> + Send + 'static,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, JoinHandle<Result<(), Error>>) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let handle = tokio::task::spawn_blocking(move || {
        let mut writer = ChannelWriter { sender, buffer: BytesMut::with_capacity(CHUNK) };
        let result = write(&mut writer).and_then(|()| writer.send().map_err(Error::io("send to", "the engine")));
        if result.is_err() {
            let _ = writer.sender.blocking_send(Err(io::Error::other("the archive could not be made")));
        }
        result
    });
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|item| (item, receiver))
    });
    (stream, handle)
}

/// Reads, on a thread that may wait, what arrives on a stream of the engine's.
pub struct ChannelReader {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Read for ChannelReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(next) => self.current = next?,
            }
        }
        let count = out.len().min(self.current.len());
        out[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

impl ChannelReader {
    /// Reads on to the end of the stream, behind an archive's own end: else the sender would see a broken pipe.
    ///
    /// # Errors
    /// The stream breaks.
    pub fn drain(&mut self) -> Result<(), Error> {
        io::copy(self, &mut io::sink()).map(drop).map_err(Error::io("read from", "the engine"))
    }
}

/// Why [`consume`] has no result.
pub enum Failed {
    /// The stream from the engine broke.
    Stream(bollard::errors::Error),
    /// The reader gave up, or what it read was not usable.
    Reader(Error),
}

/// The two ends of a pipe between an asynchronous stream and a reader on another thread.
pub fn pipe() -> (mpsc::Sender<io::Result<Bytes>>, ChannelReader) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    (sender, ChannelReader { receiver, current: Bytes::new() })
}

/// Gives everything that `stream` brings to the reader; returns why it broke, if it did.
pub async fn pump(
    stream: impl Stream<Item = Result<Bytes, bollard::errors::Error>>,
    sender: mpsc::Sender<io::Result<Bytes>>,
) -> Option<bollard::errors::Error> {
    let mut stream = std::pin::pin!(stream);
    let mut broken = None;
    while let Some(chunk) = stream.next().await {
        let item = chunk.map_err(|error| {
            broken = Some(error);
            io::Error::other("the stream from the engine broke")
        });
        if sender.send(item).await.is_err() || broken.is_some() {
            break;
        }
    }
    broken
}

/// Runs `read` on a thread of its own with everything that `stream` brings, and returns what `read` does.
///
/// # Errors
/// The stream breaks ([`Failed::Stream`], also where `read` failed because of that), or `read` fails
/// ([`Failed::Reader`]).
pub async fn consume<T: Send + 'static>(
    stream: impl Stream<Item = Result<Bytes, bollard::errors::Error>>,
    read: impl FnOnce(&mut ChannelReader) -> Result<T, Error> + Send + 'static,
) -> Result<T, Failed> {
    let (sender, mut reader) = pipe();
    let handle = tokio::task::spawn_blocking(move || {
        let result = read(&mut reader)?;
        reader.drain()?;
        Ok(result)
    });
    let broken = pump(stream, sender).await;
    let result = handle.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    match (broken, result) {
        (Some(error), _) => Err(Failed::Stream(error)),
        (None, result) => result.map_err(Failed::Reader),
    }
}
