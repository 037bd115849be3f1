//! Downloads files from the model hub.
//!
//! The client library has no timeout of its own, so it runs on a separate thread; a hub that stays
//! silent is given up, and that thread is abandoned.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use crate::error::{During, SourceError};
use crate::manifest::HubFile;
use crate::progress::Meter;

const ENDPOINT: &str = "https://huggingface.co";
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
const SILENCE_AT_MOST: Duration = Duration::from_secs(30);
const RETRIES: usize = 2;

/// The model hub, and whether it answers.
#[derive(Debug)]
pub(crate) struct Hub {
    endpoint: String,
    token: Option<String>,
    switched_off_by: Option<&'static str>,
    answer_within: Duration,
    silence_at_most: Duration,
    silent: AtomicBool,
}

/// What the downloading thread tells.
enum Event {
    /// The hub knows the file.
    Answered,
    /// So many bytes are there.
    Reached(u64),
    /// The file is complete, or will not be.
    Ended(Result<PathBuf, ApiError>),
}

impl Hub {
    /// The hub that `HF_ENDPOINT` names, entered with `HF_TOKEN`, unless `HF_HUB_OFFLINE` is set.
    pub(crate) fn from_env() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            token: text("HF_TOKEN"),
            switched_off_by: is_set("HF_HUB_OFFLINE").then_some("HF_HUB_OFFLINE"),
            ..Self::at(text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()))
        }
    }

    /// The hub at `endpoint`, entered by no token.
    pub(crate) fn at(endpoint: String) -> Self {
        Self {
            endpoint,
            token: None,
            switched_off_by: None,
            answer_within: ANSWER_WITHIN,
            silence_at_most: SILENCE_AT_MOST,
            silent: AtomicBool::new(false),
        }
    }

    /// Downloads `wanted` through the folder `cache`, going on where an earlier run stopped, and
    /// gives the path of the complete file there.
    pub(crate) fn download(
        &self,
        wanted: &HubFile,
        cache: &Path,
        meter: &dyn Meter,
    ) -> Result<PathBuf, SourceError> {
        if let Some(variable) = self.switched_off_by {
            return Err(SourceError::SwitchedOff {
                source_name: "the hub",
                variable,
            });
        }
        if self.silent.load(Ordering::Relaxed) {
            return Err(self.has_been_silent());
        }
        let events = self.start(wanted, cache);
        let mut answered = false;
        loop {
            let patience = if answered {
                self.silence_at_most
            } else {
                self.answer_within
            };
            match events.recv_timeout(patience) {
                Ok(Event::Answered) => answered = true,
                Ok(Event::Reached(bytes)) => meter.reached(bytes),
                Ok(Event::Ended(Ok(path))) => {
                    // The library gives a link to the file.
                    return Ok(path.canonicalize().during("find", &path)?);
                }
                Ok(Event::Ended(Err(error))) => return Err(self.refused(wanted, error)),
                Err(RecvTimeoutError::Timeout) if answered => return Err(self.has_stalled()),
                Err(RecvTimeoutError::Timeout) => {
                    self.silent.store(true, Ordering::Relaxed);
                    return Err(self.has_been_silent());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.refused(wanted, "its answer makes no sense"));
                }
            }
        }
    }

    /// Starts the download on a thread that ends by itself once nobody listens, or never, should
    /// the hub neither answer nor hang up.
    fn start(&self, wanted: &HubFile, cache: &Path) -> Receiver<Event> {
        let (events, listener) = mpsc::channel();
        let (endpoint, token) = (self.endpoint.clone(), self.token.clone());
        let (wanted, cache) = (wanted.clone(), cache.to_owned());
        thread::spawn(move || {
            let api = ApiBuilder::from_cache(Cache::new(cache.clone()))
                .with_endpoint(endpoint)
                .with_token(token)
                .with_retries(RETRIES)
                .with_progress(false)
                .build();
            let ended = api.and_then(|api| {
                let revision = wanted.revision.unwrap_or_else(|| "main".to_owned());
                let repo = Repo::with_revision(wanted.repo, RepoType::Model, revision);
                let url = api.repo(repo.clone()).url(&wanted.file);
                let metadata = api.metadata(&url)?;
                // Nobody listening is no error: the next source is being tried.
                let _ = events.send(Event::Answered);
                let part = Cache::new(cache)
                    .repo(repo.clone())
                    .blob_path(metadata.etag());
                drop_overfull(&part.with_extension("part"), metadata.size());
                fetch(&api.repo(repo), &wanted.file, &events)
            });
            let _ = events.send(Event::Ended(ended));
        });
        listener
    }

    fn has_been_silent(&self) -> SourceError {
        SourceError::HubSilent {
            endpoint: self.endpoint.clone(),
            within: self.answer_within,
        }
    }

    fn has_stalled(&self) -> SourceError {
        SourceError::HubStalled {
            endpoint: self.endpoint.clone(),
            within: self.silence_at_most,
        }
    }

    fn refused(&self, wanted: &HubFile, reason: impl ToString) -> SourceError {
        SourceError::HubRefused {
            endpoint: self.endpoint.clone(),
            file: format!("{}/{}", wanted.repo, wanted.file),
            reason: reason.to_string(),
        }
    }
}

fn fetch(repo: &ApiRepo, file: &str, events: &Sender<Event>) -> Result<PathBuf, ApiError> {
    repo.download_with_progress(
        file,
        Counter {
            events: events.clone(),
            bytes: 0,
        },
    )
}

/// Deletes what an earlier run had fetched if that is all of the file or more: a server asked for
/// the bytes behind the last one answers with an error, at every try.
fn drop_overfull(part: &Path, size: usize) {
    let length = part.metadata().map(|metadata| metadata.len());
    if length.is_ok_and(|length| length >= size as u64) {
        // Should it stay, the download fails and says so.
        let _ = std::fs::remove_file(part);
    }
}

/// Whether the environment variable `name` says yes.
pub(crate) fn is_set(name: &str) -> bool {
    let value = std::env::var(name).unwrap_or_default().to_ascii_lowercase();
    matches!(value.as_str(), "1" | "true" | "yes" | "on")
}

/// Passes the growing length on.
struct Counter {
    events: Sender<Event>,
    bytes: u64,
}

impl hf_hub::api::Progress for Counter {
    fn init(&mut self, _size: usize, _file: &str) {
        self.bytes = 0;
    }

    fn update(&mut self, size: usize) {
        self.bytes = self.bytes.saturating_add(size as u64);
        let _ = self.events.send(Event::Reached(self.bytes));
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;
    use crate::progress::Silent;
    use crate::testing::FakeHub;

    fn mini() -> HubFile {
        HubFile::from_reference("owner/mini/mini.gguf").unwrap()
    }

    fn impatient(endpoint: String) -> Hub {
        let patience = Duration::from_millis(300);
        Hub {
            answer_within: patience,
            silence_at_most: patience,
            ..Hub::at(endpoint)
        }
    }

    #[test]
    fn a_file_arrives_byte_for_byte() {
        let hub = FakeHub::serving(b"the weights".to_vec());
        let dir = tempfile::tempdir().unwrap();
        let path = Hub::at(hub.endpoint())
            .download(&mini(), dir.path(), &Silent)
            .unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"the weights");
        assert!(
            hub.requests()
                .iter()
                .all(|r| r.contains("/owner/mini/resolve/main/mini.gguf"))
        );
    }

    #[test]
    fn an_interrupted_download_goes_on_where_it_stopped() {
        let hub = FakeHub::serving(b"the weights".to_vec());
        let dir = tempfile::tempdir().unwrap();
        let path = Hub::at(hub.endpoint())
            .download(&mini(), dir.path(), &Silent)
            .unwrap();
        // What a kill leaves after four bytes: the library's part file, and nothing else.
        std::fs::write(path.with_extension("part"), b"the ").unwrap();
        std::fs::remove_file(&path).unwrap();
        let path = Hub::at(hub.endpoint())
            .download(&mini(), dir.path(), &Silent)
            .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"the weights");
        assert!(
            hub.requests()
                .iter()
                .any(|request| request.contains("bytes=4-"))
        );
    }

    #[test]
    fn a_part_that_is_already_whole_does_not_block_the_download_for_ever() {
        let hub = FakeHub::serving(b"the weights".to_vec());
        let dir = tempfile::tempdir().unwrap();
        let path = Hub::at(hub.endpoint())
            .download(&mini(), dir.path(), &Silent)
            .unwrap();
        std::fs::rename(&path, path.with_extension("part")).unwrap();
        assert!(
            Hub::at(hub.endpoint())
                .download(&mini(), dir.path(), &Silent)
                .is_ok()
        );
    }

    #[test]
    fn a_hub_that_never_answers_is_left_soon_and_not_asked_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = impatient(format!("http://{}", listener.local_addr().unwrap()));
        let dir = tempfile::tempdir().unwrap();
        let first = hub.download(&mini(), dir.path(), &Silent).unwrap_err();
        assert!(
            first.to_string().contains("gave no answer within 0.3 s"),
            "{first}"
        );
        let begun = Instant::now();
        let second = hub.download(&mini(), dir.path(), &Silent).unwrap_err();
        assert!(matches!(second, SourceError::HubSilent { .. }));
        assert!(
            begun.elapsed() < Duration::from_millis(100),
            "it was not asked again"
        );
    }

    #[test]
    fn a_hub_that_falls_silent_in_the_middle_is_left() {
        let hub = FakeHub::stalling_after(b"the weights".to_vec(), 4);
        let dir = tempfile::tempdir().unwrap();
        let stalled = impatient(hub.endpoint()).download(&mini(), dir.path(), &Silent);
        assert!(
            matches!(stalled, Err(SourceError::HubStalled { .. })),
            "{stalled:?}"
        );
    }

    #[test]
    fn a_file_the_hub_does_not_have_is_refused_with_its_name() {
        let hub = FakeHub::empty();
        let dir = tempfile::tempdir().unwrap();
        let refused = Hub::at(hub.endpoint())
            .download(&mini(), dir.path(), &Silent)
            .unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("owner/mini/mini.gguf") && text.contains("404"),
            "{text}"
        );
    }

    #[test]
    fn a_hub_switched_off_is_not_asked() {
        let hub = FakeHub::serving(b"x".to_vec());
        let dir = tempfile::tempdir().unwrap();
        let off = Hub {
            switched_off_by: Some("HF_HUB_OFFLINE"),
            ..Hub::at(hub.endpoint())
        };
        let refused = off.download(&mini(), dir.path(), &Silent).unwrap_err();
        assert!(refused.to_string().contains("HF_HUB_OFFLINE"), "{refused}");
        assert!(hub.requests().is_empty());
    }
}
