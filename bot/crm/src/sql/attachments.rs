//! Files that came with messages: stored with them as places, fetched afterwards.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::types::Text;

use super::{Pool, Tx};
use crate::error::Fault;
use crate::types::*;

const DUE: &str = "due";
const STORED: &str = "stored";
const REFUSED: &str = "refused";

/// Stores the places of a message's files, to be fetched.
pub(super) async fn put(
    tx: &mut Tx,
    conversation: ConversationId,
    seq: i64,
    files: Vec<NewAttachment>,
    at: Millis,
) -> Result<(), Fault> {
    for (number, file) in files.into_iter().enumerate() {
        sqlx::query(
            "INSERT INTO attachments (conversation, seq, number, channel, place, name, content_type,
                                      size, state, due_at, claimed_until, token, tries)
             SELECT id, $2, $3, channel, $4, $5, $6, $7, $8, $9, 0, 0, 0 FROM conversations
             WHERE id = $1",
        )
        .bind(Text(conversation))
        .bind(seq)
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .bind(file.place)
        .bind(file.name)
        .bind(file.content_type)
        .bind(file.size)
        .bind(DUE)
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

pub(crate) async fn claim(
    tx: &mut Tx,
    claim: ClaimDeliveries,
) -> Result<Vec<DueAttachment>, Fault> {
    let due: Vec<(Text<ConversationId>, i64, i64)> = sqlx::query_as(skip_locked!(
        "SELECT d.conversation, d.seq, d.number FROM attachments AS d
         WHERE d.state = $1 AND d.channel = $2 AND d.due_at <= $3 AND d.claimed_until <= $3
         ORDER BY d.due_at, d.conversation, d.seq, d.number
         LIMIT $4"
    ))
    .bind(DUE)
    .bind(&claim.channel)
    .bind(claim.at.0)
    .bind(i64::from(claim.limit))
    .fetch_all(&mut **tx)
    .await?;
    let mut claimed = Vec::with_capacity(due.len());
    for (Text(conversation), seq, number) in due {
        let (place, content_type, token, tries) = sqlx::query_as(
            "UPDATE attachments SET claimed_until = $1, token = token + 1
             WHERE conversation = $2 AND seq = $3 AND number = $4
             RETURNING place, content_type, token, tries",
        )
        .bind(claim.until.0)
        .bind(Text(conversation))
        .bind(seq)
        .bind(number)
        .fetch_one(&mut **tx)
        .await?;
        claimed.push(DueAttachment {
            conversation,
            seq,
            number,
            place,
            content_type,
            token,
            tries,
        });
    }
    Ok(claimed)
}

/// Gives whether the claim still held: another one's may not be touched.
pub(crate) async fn settle(tx: &mut Tx, settle: SettleAttachment) -> Result<bool, Fault> {
    let (state, due_at, error, stored) = match settle.outcome {
        AttachmentOutcome::Stored {
            content,
            content_type,
        } => (STORED, None, None, Some((content, content_type))),
        AttachmentOutcome::Later { due_at, error } => (DUE, Some(due_at.0), Some(error), None),
        AttachmentOutcome::Refused { error } => (REFUSED, None, Some(error), None),
    };
    let failed = i64::from(error.is_some());
    let size = stored.as_ref().map(|(content, _)| content.len());
    let (content, content_type) = stored.unzip();
    let settled = sqlx::query(
        "UPDATE attachments
         SET state = $1, claimed_until = 0, due_at = COALESCE($2, due_at), tries = tries + $3,
             error = $4, content = $5, content_type = COALESCE($6, content_type),
             size = COALESCE($7, size)
         WHERE conversation = $8 AND seq = $9 AND number = $10 AND token = $11 AND state = $12",
    )
    .bind(state)
    .bind(due_at)
    .bind(failed)
    .bind(error)
    .bind(content.map(|content| STANDARD.encode(content)))
    .bind(content_type)
    .bind(size.and_then(|size| i64::try_from(size).ok()))
    .bind(Text(settle.conversation))
    .bind(settle.seq)
    .bind(settle.number)
    .bind(settle.token)
    .bind(DUE)
    .execute(&mut **tx)
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// The files of the messages of a conversation.
pub(crate) async fn list(
    pool: &Pool,
    conversation: ConversationId,
) -> Result<Vec<Attachment>, Fault> {
    Ok(sqlx::query_as(
        "SELECT seq, number, name, content_type, size, state, error FROM attachments
         WHERE conversation = $1 ORDER BY seq, number",
    )
    .bind(Text(conversation))
    .fetch_all(pool)
    .await?)
}

/// A file with its bytes; `None` until it is stored.
pub(crate) async fn read(
    pool: &Pool,
    conversation: ConversationId,
    seq: i64,
    number: i64,
) -> Result<Option<StoredFile>, Fault> {
    let found: Option<(Option<String>, Option<String>, String)> = sqlx::query_as(
        "SELECT name, content_type, content FROM attachments
         WHERE conversation = $1 AND seq = $2 AND number = $3 AND content IS NOT NULL",
    )
    .bind(Text(conversation))
    .bind(seq)
    .bind(number)
    .fetch_optional(pool)
    .await?;
    let Some((name, content_type, content)) = found else {
        return Ok(None);
    };
    let unreadable = |error| sqlx::Error::ColumnDecode {
        index: "content".to_owned(),
        source: Box::new(error),
    };
    Ok(Some(StoredFile {
        name,
        content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        content: STANDARD.decode(content).map_err(unreadable)?,
    }))
}

/// Takes a message's files back.
pub(super) async fn withdraw(
    tx: &mut Tx,
    conversation: ConversationId,
    seq: i64,
) -> Result<(), Fault> {
    sqlx::query("DELETE FROM attachments WHERE conversation = $1 AND seq = $2")
        .bind(Text(conversation))
        .bind(seq)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn photo() -> NewAttachment {
        NewAttachment {
            place: "file-1".into(),
            name: Some("mug.jpg".into()),
            content_type: Some("image/jpeg".into()),
            size: None,
        }
    }

    fn claim(at: i64) -> ClaimDeliveries {
        ClaimDeliveries {
            channel: "web".into(),
            limit: 10,
            at: Millis(at),
            until: Millis(at + 100),
        }
    }

    #[tokio::test]
    async fn a_file_is_claimed_by_one_fetched_once_and_goes_with_its_message() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let id = scratch.conversation(1).await;
        let message = AcceptMessage {
            attachments: vec![photo()],
            ..saying(id, "a")
        };
        store.accept_message(message.clone()).await.unwrap();
        store.accept_message(message).await.unwrap();

        let claimed = store.claim_attachments(claim(10)).await.unwrap();
        let [due] = claimed.as_slice() else {
            panic!("{claimed:?}");
        };
        assert_eq!(due.place, "file-1");
        assert_eq!(store.claim_attachments(claim(50)).await.unwrap(), []);
        let settle = |token, outcome| SettleAttachment {
            conversation: id,
            seq: due.seq,
            number: due.number,
            token,
            outcome,
        };
        let later = AttachmentOutcome::Later {
            due_at: Millis(200),
            error: "the platform is busy".into(),
        };
        assert!(
            store
                .settle_attachment(settle(due.token, later.clone()))
                .await
                .unwrap()
        );
        let again = store.claim_attachments(claim(300)).await.unwrap();
        assert_eq!(again[0].tries, 1);
        // The first claim is over.
        assert!(
            !store
                .settle_attachment(settle(due.token, later))
                .await
                .unwrap()
        );
        assert_eq!(store.read_attachment(id, due.seq, 0).await.unwrap(), None);
        let stored = AttachmentOutcome::Stored {
            content: vec![0xff, 0xd8, 0],
            content_type: "image/jpeg".into(),
        };
        assert!(
            store
                .settle_attachment(settle(again[0].token, stored))
                .await
                .unwrap()
        );
        let file = store
            .read_attachment(id, due.seq, 0)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(file.content, [0xff, 0xd8, 0]);
        let listed = store.attachments(id).await.unwrap();
        assert_eq!(
            (listed[0].state.as_str(), listed[0].size),
            ("stored", Some(3))
        );

        assert_eq!(
            store.withdraw_message(id, "a").await.unwrap(),
            Some(due.seq)
        );
        assert_eq!(store.attachments(id).await.unwrap(), []);
    }
}
