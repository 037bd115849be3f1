//! Where a store is: a file, or a database of a PostgreSQL server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// Where a store is. Read from a path, or from a URL `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
/// with libpq's options (`?sslmode=require`, `?host=/run/postgresql` for a socket); what a URL
/// leaves out is taken from libpq's variables (`PGHOST`...) and its password file.
///
/// Neither `Display` nor `Debug` shows the password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Location {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Server(Server),
}

/// A database of a PostgreSQL server and how to log in there.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    url: Url,
}

/// Why a text is no [`Location`]. The texts never repeat a URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Nothing at all.
    #[error("the CRM store has no location: give a path or a postgres:// URL")]
    Empty,
    /// A URL of another database.
    #[error("a CRM store cannot be at a {scheme}:// URL: give a path or a postgres:// URL")]
    OtherScheme {
        /// Its scheme.
        scheme: String,
    },
    /// A URL that cannot be read.
    #[error(
        "the URL of the CRM store cannot be read ({reason}): write \
         postgres://USER:PASSWORD@HOST:PORT/DATABASE, with % escapes in the password"
    )]
    BadUrl {
        /// What is wrong with it.
        reason: String,
    },
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Server::read(text).map(Self::Server),
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Err(LocationError::OtherScheme {
                    scheme: scheme.to_owned(),
                })
            }
            Some(_) | None => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

impl TryFrom<String> for Location {
    type Error = LocationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Server(server) => write!(f, "{server}"),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.debug_tuple("File").field(file).finish(),
            Self::Server(server) => f.debug_tuple("Server").field(server).finish(),
        }
    }
}

impl Server {
    fn read(text: &str) -> Result<Self, LocationError> {
        let bad = |reason: String| LocationError::BadUrl { reason };
        let url: Url = text
            .parse()
            .map_err(|error: url::ParseError| bad(error.to_string()))?;
        PgConnectOptions::from_url(&url).map_err(|error| bad(error.to_string()))?;
        Ok(Self { url })
    }

    /// How to connect. The URL was readable, but libpq's variables may have changed since.
    pub(crate) fn options(&self) -> Result<PgConnectOptions, sqlx::Error> {
        PgConnectOptions::from_url(&self.url)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(options) = self.options() else {
            return f.write_str("PostgreSQL");
        };
        let database = options.get_database().unwrap_or(options.get_username());
        match options.get_socket() {
            Some(socket) => write!(f, "PostgreSQL at {}:", socket.display())?,
            None => write!(f, "PostgreSQL at {}:", options.get_host())?,
        }
        write!(f, "{}/{database}", options.get_port())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_path_or_a_postgres_url() {
        for path in [
            "data/crm.db",
            "/var/lib/f/crm.db",
            "postgres",
            "a b/c:d",
            "./x://y",
        ] {
            assert_eq!(path.parse(), Ok(Location::File(path.into())), "{path}");
        }
        for scheme in ["postgres", "postgresql"] {
            let text = format!("{scheme}://ana:p@db.example:6432/crm");
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), "PostgreSQL at db.example:6432/crm");
        }
        let location: Location = "postgres://ana@localhost/crm?host=/run/pg".parse().unwrap();
        assert_eq!(location.to_string(), "PostgreSQL at /run/pg:5432/crm");
    }

    #[test]
    fn what_is_neither_is_refused_with_what_to_write() {
        assert_eq!("".parse::<Location>(), Err(LocationError::Empty));
        let outcome = "mysql://db/crm".parse::<Location>();
        assert!(
            matches!(&outcome, Err(LocationError::OtherScheme { scheme }) if scheme == "mysql"),
            "{outcome:?}"
        );
        for url in ["postgres://db:port/crm", "postgres://db/crm?sslmode=maybe"] {
            let outcome = url.parse::<Location>();
            assert!(
                matches!(outcome, Err(LocationError::BadUrl { .. })),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn no_text_shows_the_password() {
        let url = "postgres://ana:s%2Fecret@db.example/crm?password=s%2Fecret";
        let location: Location = url.parse().unwrap();
        for text in [location.to_string(), format!("{location:?}")] {
            assert!(!text.contains("ecret"), "{text}");
            assert!(text.contains("db.example"), "{text}");
        }
        let broken = "postgres://ana:secret@db:port/crm".parse::<Location>();
        assert!(!format!("{broken:?}").contains("secret"), "{broken:?}");
    }
}
