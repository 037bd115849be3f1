//! Fetching the files that customers sent. They are stored, and told to people; what they are is said by their
//! first bytes, and nothing in them is opened.

use std::sync::Arc;
use std::time::Duration;

use connectors::channel::{Call, Fetched, Files};
use crm::{AttachmentOutcome, ClaimDeliveries, CrmError, DueAttachment, SettleAttachment, Store};
use tokio_util::sync::CancellationToken;

use super::account::{Account, Failure, Response};
use super::outbox::{after, wait};
use crate::clock::Clock;

/// How often it is looked for files to be fetched.
const LOOK: Duration = Duration::from_secs(1);
/// How long a claim lasts: longer than all steps of fetching a file.
const CLAIM: Duration = Duration::from_secs(300);
/// Files that are fetched one after the other, before it is looked for others.
const AT_ONCE: u32 = 8;
/// Longest wait for a file.
const PATIENCE: Duration = Duration::from_secs(60);
/// Places that a file may lead through.
const MOST_STEPS: usize = 4;

/// Fetches the files of one channel.
pub(super) struct Fetcher {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) account: Arc<Account>,
    /// Largest file, in bytes.
    pub(super) most_bytes: usize,
}

/// Why a file is not stored.
#[derive(Debug, thiserror::Error)]
enum Unfetched {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("the file's address is not the platform's")]
    Foreign,
    #[error("the file leads from place to place")]
    Endless,
    #[error("the file is not what it says: {said} is said, and it is {is}")]
    Disguised {
        /// The media type that was said.
        said: String,
        /// What its first bytes are.
        is: String,
    },
}

impl Fetcher {
    /// Fetches until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.round().await {
                tracing::error!(
                    channel = self.account.channel,
                    "files cannot be kept: {error}"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn round(&self) -> Result<(), CrmError> {
        let at = self.clock.now();
        let claim = ClaimDeliveries {
            channel: self.account.channel.clone(),
            limit: AT_ONCE,
            at,
            until: after(at, CLAIM),
        };
        for due in self.store.claim_attachments(claim).await? {
            let outcome = self.outcome(&due).await;
            let settle = SettleAttachment {
                conversation: due.conversation,
                seq: due.seq,
                number: due.number,
                token: due.token,
                outcome,
            };
            self.store.settle_attachment(settle).await?;
        }
        Ok(())
    }

    async fn outcome(&self, due: &DueAttachment) -> AttachmentOutcome {
        let refused = |error: String| AttachmentOutcome::Refused { error };
        let Some(files) = self.account.connector.files() else {
            return refused("no files are fetched from this platform".into());
        };
        let error = match self.fetch(files, due).await {
            Ok(stored) => return stored,
            Err(error) => error,
        };
        let (channel, reason) = (&self.account.channel, error.to_string());
        tracing::warn!(channel, "a customer's file is not stored: {reason}");
        let again = match &error {
            // A file that is too large stays so.
            Unfetched::Failed(Failure::TooLarge { .. })
            | Unfetched::Foreign
            | Unfetched::Endless
            | Unfetched::Disguised { .. } => None,
            Unfetched::Failed(failure) => wait(failure, due.tries + 1),
        };
        match again {
            Some(wait) => AttachmentOutcome::Later {
                due_at: after(self.clock.now(), wait),
                error: reason,
            },
            None => refused(reason),
        }
    }

    async fn fetch(
        &self,
        files: &dyn Files,
        due: &DueAttachment,
    ) -> Result<AttachmentOutcome, Unfetched> {
        let mut call = files.request(&due.place).ok_or(Unfetched::Foreign)?;
        for _ in 0..MOST_STEPS {
            let response = self.answer(&call).await?;
            match files.fetched(&response.answer()).map_err(Failure::from)? {
                Fetched::At(next) => call = *next,
                Fetched::File => {
                    let content_type = kind(due.content_type.as_deref(), &response.body)?;
                    return Ok(AttachmentOutcome::Stored {
                        content: response.body,
                        content_type,
                    });
                }
            }
        }
        Err(Unfetched::Endless)
    }

    async fn answer(&self, call: &Call) -> Result<Response, Failure> {
        self.account
            .answer_within(call, self.most_bytes, PATIENCE)
            .await
    }
}

/// What a file is: by its first bytes, where they tell. A picture that is none is refused, whatever else it is.
fn kind(said: Option<&str>, content: &[u8]) -> Result<String, Unfetched> {
    let is = infer::get(content).map(|kind| kind.mime_type().to_owned());
    let said = said.map(|said| said.split(';').next().unwrap_or(said).trim().to_lowercase());
    let is_media = |kind: &str| {
        let family = kind.split('/').next().unwrap_or_default();
        matches!(family, "image" | "audio" | "video")
    };
    match (said, is) {
        (Some(said), is) if is_media(&said) && !is.as_deref().is_some_and(is_media) => {
            let is = is.unwrap_or_else(|| "something else".to_owned());
            Err(Unfetched::Disguised { said, is })
        }
        (_, Some(is)) => Ok(is),
        (Some(said), None) => Ok(said),
        (None, None) => Ok("application/octet-stream".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 16];
        assert_eq!(kind(Some("image/png"), &jpeg).unwrap(), "image/jpeg");
        assert_eq!(kind(None, b"PK\x03\x04....").unwrap(), "application/zip");
        assert_eq!(
            kind(Some("text/plain; charset=utf-8"), b"hi").unwrap(),
            "text/plain"
        );
        assert!(kind(Some("image/jpeg"), b"PK\x03\x04....").is_err());
        assert!(kind(Some("image/svg+xml"), b"<svg onload='x'/>").is_err());
        assert_eq!(kind(None, b"").unwrap(), "application/octet-stream");
    }
}
