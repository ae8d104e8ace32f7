//! An engine for tests that need none: it listens on a socket and gives prepared answers.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(test)]
use crate::Engine;

/// What listens, until the process ends; the folder of its socket goes with this.
pub struct Fake {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Starts one of this architecture, as Go calls it, with an answer for whatever path ends with one of these.
    ///
    /// # Panics
    /// There is no room for its socket.
    pub fn start(architecture: &str, answers: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("a socket");
        let mut answers: Vec<(&str, String)> =
            answers.iter().map(|(path, answer)| (*path, (*answer).to_owned())).collect();
        answers
            .push(("/version", format!(r#"{{"ApiVersion":"1.41","MinAPIVersion":"1.24","Arch":"{architecture}"}}"#)));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answers, list) = (Arc::new(answers), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, list) = (answers.clone(), list.clone());
                std::thread::spawn(move || serve(&stream, &answers, &list));
            }
        });
        Self { folder, asked }
    }

    /// Its address.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// A connection to it.
    #[cfg(test)]
    pub(crate) async fn engine(&self) -> Engine {
        Engine::at(&self.host()).await.unwrap()
    }

    /// What it was asked so far, each as method, path and query.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: &UnixStream, answers: &[(&str, String)], asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        let request = request.trim_end_matches(" HTTP/1.1").to_owned();
        let mut chunked = false;
        for header in lines.by_ref().take_while(|header| !header.is_empty()) {
            chunked |= header.eq_ignore_ascii_case("transfer-encoding: chunked");
        }
        // A body of chunks ends with an empty one.
        if chunked {
            while lines.next().is_some_and(|line| line != "0") {}
            lines.next();
        }
        let path = request.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
        let answer = answers.iter().find(|(end, _)| path.ends_with(end)).map(|(_, answer)| answer.as_str());
        asked.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let (status, body) = answer.map_or(("404 Not Found", "{}"), |answer| ("200 OK", answer));
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all((head + body).as_bytes()).is_err() {
            return;
        }
    }
}
