//! The SQL, written once and compiled twice: as part of `sqlite` and as part of `postgres`.
//!
//! The parent module says which database `Db` is and defines what differs: how a transaction
//! begins, the macros `for_update!` and `skip_locked!`, how JSON becomes text, and what an error means. Placeholders are `$1`, `$2`..., which
//! both databases read; integers are bound as `i16` or `i64`; JSON goes through
//! [`Json`](sqlx::types::Json).
//!
//! A function that changes something takes the transaction of its caller and never commits;
//! [`Engine::write`] does. A function that only reads takes a [`Pool`].

pub(crate) mod attachments;
pub(crate) mod changes;
pub(crate) mod company;
pub(crate) mod conversations;
pub(crate) mod copying;
pub(crate) mod customers;
pub(crate) mod deliveries;
pub(crate) mod events;
#[cfg(test)]
mod exchange;
pub(crate) mod listeners;
pub(crate) mod messages;
pub(crate) mod orders;
pub(crate) mod records;
mod rows;
pub(crate) mod states;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod turns;

use std::io;
use std::pin::Pin;
use std::time::Duration;

use super::{Db, Row, begin, explain};
use crate::error::{CrmError, Fault};

/// The connections that read. They see every commit that happened before the call.
pub(crate) type Pool = sqlx::Pool<Db>;

/// A transaction that writes.
pub(crate) type Tx = sqlx::Transaction<'static, Db>;

/// What is to happen within a transaction.
pub(crate) type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 't>>;

/// An open database. Clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(super) writer: Pool,
    pub(super) readers: Pool,
    /// Where the store is, for error texts.
    pub(super) store: String,
    /// How long a unit of work may take before its connection is given up.
    pub(super) patience: Duration,
}

impl Engine {
    /// Where the store is, in words for a person.
    pub(crate) fn name(&self) -> &str {
        &self.store
    }

    /// The connections that read.
    pub(crate) fn readers(&self) -> &Pool {
        &self.readers
    }

    /// Does `work` in one transaction, committed if it succeeds.
    ///
    /// # Cancel safety
    /// Once polled, the work goes on to its end though the returned future is dropped: a `BEGIN`
    /// that is dropped midway would leave a transaction open on a connection of the pool.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    ) -> Result<T, CrmError> {
        let engine = self.clone();
        let task = tokio::spawn(async move { engine.answer(engine.transact(work)).await });
        match task.await {
            Ok(outcome) => outcome,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(CrmError::StoreClosed),
            },
        }
    }

    async fn transact<T>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
    ) -> Result<T, Fault> {
        let mut tx = begin(&self.writer).await?;
        match work(&mut tx).await {
            Ok(done) => {
                tx.commit().await?;
                Ok(done)
            }
            Err(fault) => {
                // If this fails too, the connection is given up or rolled back on its return.
                let _ = tx.rollback().await;
                Err(fault)
            }
        }
    }

    /// The outcome of `work`, in the time there is for it, and what a failure means.
    pub(crate) async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, CrmError> {
        let outcome = match tokio::time::timeout(self.patience, work).await {
            Ok(outcome) => outcome,
            Err(late) => {
                let late = io::Error::new(io::ErrorKind::TimedOut, late);
                Err(Fault::Database(sqlx::Error::Io(late)))
            }
        };
        match outcome {
            Ok(done) => Ok(done),
            Err(fault) => Err(self.explain(fault).await),
        }
    }

    /// What `fault` means to the caller.
    pub(crate) async fn explain(&self, fault: Fault) -> CrmError {
        match fault {
            Fault::Refused(error) => error,
            Fault::Database(error) => explain(self, error).await,
        }
    }
}
