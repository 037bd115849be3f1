//! Who listens to a platform that is polled or speaks over a socket, and from where it goes on.

use super::Tx;
use crate::error::Fault;
use crate::types::*;

/// The lease, where nobody else has it.
pub(crate) async fn claim(tx: &mut Tx, listen: Listen) -> Result<Option<Listening>, Fault> {
    let claimed: Option<(i64, Option<String>)> = sqlx::query_as(
        "INSERT INTO listeners (channel, until, token) VALUES ($1, $2, 1)
         ON CONFLICT (channel) DO UPDATE SET until = excluded.until, token = listeners.token + 1
         WHERE listeners.until <= $3
         RETURNING token, cursor",
    )
    .bind(listen.channel)
    .bind(listen.until.0)
    .bind(listen.at.0)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(claimed.map(|(token, cursor)| Listening { cursor, token }))
}

/// Renews the lease up to `until`, with a new cursor where there is one; gives whether it still held.
pub(crate) async fn renew(
    tx: &mut Tx,
    channel: String,
    token: i64,
    cursor: Option<String>,
    until: Millis,
) -> Result<bool, Fault> {
    let renewed = sqlx::query(
        "UPDATE listeners SET until = $1, cursor = COALESCE($2, cursor)
         WHERE channel = $3 AND token = $4",
    )
    .bind(until.0)
    .bind(cursor)
    .bind(channel)
    .bind(token)
    .execute(&mut **tx)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[tokio::test]
    async fn one_listens_until_its_lease_ends_and_the_next_goes_on_behind_it() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        let listen = |at: i64| Listen {
            channel: "telegram/shop".into(),
            at: Millis(at),
            until: Millis(at + 100),
        };
        let first = store.listen(listen(0)).await.unwrap().unwrap();
        assert_eq!(first.cursor, None);
        assert_eq!(store.listen(listen(50)).await.unwrap(), None);
        let renew = |token, cursor: Option<&'static str>, until| {
            store.go_on_listening("telegram/shop", token, cursor, Millis(until))
        };
        assert!(renew(first.token, Some("7"), 200).await.unwrap());
        assert!(renew(first.token, None, 300).await.unwrap());
        assert_eq!(store.listen(listen(250)).await.unwrap(), None);
        let second = store.listen(listen(300)).await.unwrap().unwrap();
        assert_eq!(second.cursor.as_deref(), Some("7"));
        assert!(!renew(first.token, Some("8"), 900).await.unwrap());
    }
}
