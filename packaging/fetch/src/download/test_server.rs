//! A small HTTP server on loopback for tests, which can misbehave in every way that mirrors do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the server treats a path.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// As it should, with ranges.
    Good(Vec<u8>),
    /// As it should, but without ranges.
    NoRange(Vec<u8>),
    /// Claims the whole length, sends so many bytes of what is asked for, closes. Honours ranges.
    Truncate(Vec<u8>, usize),
    /// Sends so many bytes and then nothing for a while.
    Stall(Vec<u8>, usize),
    /// Reads the request and says nothing.
    Silent,
    /// Sends a byte, and the next one after a pause.
    Drip(Vec<u8>, Duration),
    /// 429 so many times, with so many seconds, then good.
    RetryAfter(u32, u32, Vec<u8>),
    /// A web page, with or without saying so.
    Html { labelled: bool },
    /// 503 so many times, then good.
    Busy(u32, Vec<u8>),
    /// A status without more.
    Status(u16),
    /// A redirection.
    Redirect(String),
    /// Good, without a length: the end of the connection is the end of the file.
    NoLength(Vec<u8>),
}

/// The server; it ends with the test's process.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    manners: BTreeMap<String, Manner>,
    requests: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0").unwrap()
    }

    /// The same on another address; none where this machine does not have it.
    pub(crate) fn start_at(address: &str) -> Option<Self> {
        let listener = TcpListener::bind(address).ok()?;
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Some(Self { address, state })
    }

    /// Serves a path in some manner; returns its address.
    pub(crate) fn on(&self, path: &str, manner: Manner) -> String {
        self.state.lock().unwrap().manners.insert(path.to_owned(), manner);
        self.url(path)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked for: `GET /path [range]`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut words = lines[0].split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let header = |name: &str| {
            lines.iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let range = header("range").and_then(|range| range.strip_prefix("bytes=")?.trim_end_matches('-').parse().ok());
        let manner = {
            let mut state = state.lock().unwrap();
            let mut request = format!("{method} {path}");
            for (name, value) in [("range", header("range")), ("proxy-authorization", header("proxy-authorization"))] {
                if let Some(value) = value {
                    request += &format!(" {name}={value}");
                }
            }
            state.requests.push(request);
            let manner = state.manners.get_mut(path);
            match manner {
                Some(Manner::Busy(n, _)) if *n > 0 => {
                    *n -= 1;
                    Manner::Status(503)
                }
                Some(Manner::RetryAfter(n, seconds, _)) if *n > 0 => {
                    *n -= 1;
                    Manner::RetryAfter(1, *seconds, Vec::new())
                }
                Some(manner) => manner.clone(),
                None => Manner::Status(404),
            }
        };
        if !answer(&mut stream, &manner, range).unwrap_or(false) {
            return;
        }
    }
}

/// Whether the connection can be used again.
fn answer(stream: &mut TcpStream, manner: &Manner, range: Option<usize>) -> std::io::Result<bool> {
    let head = |stream: &mut TcpStream, content: &[u8], from: Option<usize>, length: bool| {
        let status = from.map_or("200 OK".to_owned(), |from| {
            format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{}", content.len() - 1, content.len())
        });
        let length = if length {
            format!("content-length: {}", content.len() - from.unwrap_or(0))
        } else {
            "connection: close".into()
        };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\n{length}\r\n\r\n")
    };
    match manner {
        Manner::RetryAfter(1.., seconds, _) => {
            write!(stream, "HTTP/1.1 429 Slow\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n")?;
        }
        Manner::Silent => {
            // Until the client has given up and closes.
            let _ = stream.read(&mut [0]);
            return Ok(false);
        }
        Manner::Drip(content, pause) => {
            head(stream, content, range, true)?;
            for byte in &content[range.unwrap_or(0)..] {
                stream.write_all(&[*byte])?;
                std::thread::sleep(*pause);
            }
            return Ok(false);
        }
        Manner::Good(content) | Manner::Busy(_, content) | Manner::RetryAfter(0, _, content) => {
            if range.is_some_and(|from| from >= content.len()) {
                write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-length: 0\r\n\r\n")?;
                return Ok(true);
            }
            head(stream, content, range, true)?;
            stream.write_all(&content[range.unwrap_or(0)..])?;
        }
        Manner::NoRange(content) => {
            head(stream, content, None, true)?;
            stream.write_all(content)?;
        }
        Manner::Truncate(content, n) => {
            head(stream, content, range, true)?;
            let from = range.unwrap_or(0);
            stream.write_all(&content[from..content.len().min(from + n)])?;
            return Ok(false);
        }
        Manner::Stall(content, n) => {
            head(stream, content, range, true)?;
            stream.write_all(&content[range.unwrap_or(0)..][..*n])?;
            // Until the client has given up and closes.
            let _ = stream.read(&mut [0]);
            return Ok(false);
        }
        Manner::Html { labelled } => {
            let page = "\n<!DOCTYPE html><html><body>Please log in</body></html>";
            let kind = if *labelled { "text/html; charset=utf-8" } else { "application/octet-stream" };
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{page}", page.len())?;
        }
        Manner::Status(status) => write!(stream, "HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n")?,
        Manner::Redirect(to) => {
            write!(stream, "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")?;
        }
        Manner::NoLength(content) => {
            head(stream, content, None, false)?;
            stream.write_all(content)?;
            return Ok(false);
        }
    }
    stream.flush()?;
    Ok(true)
}
