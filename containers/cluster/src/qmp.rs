//! What a machine's process is told, in QEMU's own protocol: JSON, a line each, over a socket in the machine's folder.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// The socket's name in the machine's folder.
const SOCKET: &str = "qmp";
/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Gives one command, and waits until it is done.
///
/// # Errors
/// Nobody listens, the command is refused, or there is no answer within ten seconds.
pub async fn command(folder: &Path, command: &str, arguments: Value) -> io::Result<()> {
    // A socket's path may have 107 characters; a folder's may be longer.
    let open = File::open(folder)?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd());
    let talking = async {
        let stream = UnixStream::connect(path).await?;
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        // The greeting.
        lines.next_line().await?;
        for (command, arguments) in [("qmp_capabilities", json!({})), (command, arguments)] {
            let request = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
            writer.write_all(request.as_bytes()).await?;
            loop {
                // Of `quit` the end of the connection is answer enough.
                let Some(line) = lines.next_line().await? else { return Ok(()) };
                match understood(&line) {
                    Said::Done => break,
                    Said::Refused(why) => return Err(io::Error::other(why)),
                    Said::Event => {}
                }
            }
        }
        Ok(())
    };
    tokio::time::timeout(LIMIT, talking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// The command is done.
    Done,
    /// It was refused.
    Refused(String),
    /// Something else happened.
    Event,
}

fn understood(line: &str) -> Said {
    let value: Value = serde_json::from_str(line).unwrap_or_default();
    if value.get("return").is_some() {
        return Said::Done;
    }
    match value.pointer("/error/desc").and_then(Value::as_str) {
        Some(why) => Said::Refused(why.to_owned()),
        None => Said::Event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_is_refused_with_the_reason_and_done_after_events() {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let other = tokio::spawn(async move {
            for answer in [
                "{\"event\": \"RESET\"}\n{\"return\": {}}\n",
                "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such link\"}}\n",
            ] {
                let (stream, _) = listener.accept().await.unwrap();
                let (reader, mut writer) = stream.into_split();
                let mut lines = BufReader::new(reader).lines();
                writer.write_all(b"{\"QMP\": {}}\n").await.unwrap();
                assert!(lines.next_line().await.unwrap().unwrap().contains("qmp_capabilities"));
                writer.write_all(b"{\"return\": {}}\n").await.unwrap();
                assert!(lines.next_line().await.unwrap().unwrap().contains("set_link"));
                writer.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        command(folder.path(), "set_link", json!({"up": true})).await.unwrap();
        let refused = command(folder.path(), "set_link", json!({"up": true})).await.unwrap_err();
        assert_eq!(refused.to_string(), "no such link");
        other.await.unwrap();
        assert!(command(folder.path(), "quit", json!({})).await.is_err(), "nobody listens any more");
    }
}
