//! The store: one database, and every method one unit of work.
//!
//! What a method changes is on disk when it returns, or not changed at all, and no transaction
//! outlives a call. Ids and times are parameters. NUL characters are taken out of every argument.
//!
//! # Errors
//! Every method can fail as the database can: see [`CrmError`]. Those of a method's own are named
//! there.
//!
//! # Cancel safety
//! Dropping the future of a reading method loses nothing. A writing method, once polled, goes on in
//! a task of its own: dropping its future leaves all of it stored or nothing. A caller that wants
//! to know which asks again: messages carry a client id, turns the `seq` they answer.

use std::path::Path;

use crate::copy::Side;
use crate::error::CrmError;
use crate::location::Location;
use crate::{postgres, sqlite};

/// Runs a function of the SQL modules in one transaction: `write_with!(self, module::function(a, b))`.
macro_rules! write_with {
    ($store:expr, $module:ident::$function:ident($($argument:ident),*)) => {{
        $(let $argument = $crate::clean::Clean::clean($argument);)*
        match &$store.engine {
            $crate::store::Engine::Sqlite(engine) => {
                use $crate::sqlite::sql::$module;
                let work = engine.write(move |tx| Box::pin($module::$function(tx, $($argument),*)));
                work.await
            }
            $crate::store::Engine::Postgres(engine) => {
                use $crate::postgres::sql::$module;
                let work = engine.write(move |tx| Box::pin($module::$function(tx, $($argument),*)));
                work.await
            }
        }
    }};
}

/// Runs a function of the SQL modules that only reads: `read_with!(self, module::function(a, b))`.
macro_rules! read_with {
    ($store:expr, $module:ident::$function:ident($($argument:ident),*)) => {{
        $(let $argument = $crate::clean::Clean::clean($argument);)*
        match &$store.engine {
            $crate::store::Engine::Sqlite(engine) => {
                use $crate::sqlite::sql::$module;
                let work = $module::$function(engine.readers(), $($argument),*);
                engine.answer(work).await
            }
            $crate::store::Engine::Postgres(engine) => {
                use $crate::postgres::sql::$module;
                let work = $module::$function(engine.readers(), $($argument),*);
                engine.answer(work).await
            }
        }
    }};
}

mod company;
mod conversations;
mod customers;
mod deliveries;
mod platforms;
mod records;

/// The CRM store. Clones share the same connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) engine: Engine,
}

/// The databases there are.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    /// A file.
    Sqlite(sqlite::Engine),
    /// A server.
    Postgres(postgres::Engine),
}

impl Store {
    /// Opens the store in the SQLite file `file`, making it and its folder if need be, and brings
    /// its schema up to date.
    ///
    /// # Errors
    /// [`CrmError::CannotCreateFolder`], [`CrmError::CannotOpen`], [`CrmError::ReadOnly`];
    /// [`CrmError::NotAStore`] and [`CrmError::NewerSchema`] leave the file as it is.
    pub async fn open(file: &Path) -> Result<Self, CrmError> {
        let engine = Engine::Sqlite(sqlite::open(file).await?);
        Ok(Self { engine })
    }

    /// Opens the store at `location`, file or server, and brings its schema up to date. Programs that
    /// do so at the same time wait for each other.
    ///
    /// Connections to a server are made when they are needed and again when they break: a store
    /// opened once comes back by itself after the server was away.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) for a file. For a server [`CrmError::Unreachable`],
    /// [`CrmError::LoginRefused`], [`CrmError::UnknownDatabase`], [`CrmError::TooManyConnections`],
    /// [`CrmError::ServerTooOld`], [`CrmError::ReadOnly`], [`CrmError::NotAllowed`],
    /// [`CrmError::CannotOpen`]; [`CrmError::NotAStore`] and [`CrmError::NewerSchema`] leave the
    /// database as it is.
    pub async fn connect(location: &Location) -> Result<Self, CrmError> {
        let engine = match location {
            Location::File(file) => Engine::Sqlite(sqlite::open(file).await?),
            Location::Server(server) => Engine::Postgres(postgres::open(server).await?),
        };
        Ok(Self { engine })
    }

    /// Waits for calls under way, then closes the connections. Later calls fail with
    /// [`CrmError::StoreClosed`]. A store that is only dropped loses nothing either.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(engine) => sqlite::close(engine).await,
            Engine::Postgres(engine) => postgres::close(engine).await,
        }
    }

    /// Where the store is, in words for a person.
    pub(crate) fn name(&self) -> &str {
        match &self.engine {
            Engine::Sqlite(engine) => engine.name(),
            Engine::Postgres(engine) => engine.name(),
        }
    }

    /// A snapshot to be copied.
    pub(crate) async fn copied_from(&self) -> Result<Box<dyn Side>, CrmError> {
        Ok(match &self.engine {
            Engine::Sqlite(engine) => {
                Box::new(sqlite::sql::copying::Session::reading(engine).await?)
            }
            Engine::Postgres(engine) => {
                Box::new(postgres::sql::copying::Session::reading(engine).await?)
            }
        })
    }

    /// A transaction to be filled with a copy.
    pub(crate) async fn copied_to(&self) -> Result<Box<dyn Side>, CrmError> {
        Ok(match &self.engine {
            Engine::Sqlite(engine) => {
                Box::new(sqlite::sql::copying::Session::writing(engine).await?)
            }
            Engine::Postgres(engine) => {
                Box::new(postgres::sql::copying::Session::writing(engine).await?)
            }
        })
    }
}
