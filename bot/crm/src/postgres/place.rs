//! Where a test's store is: a database of its own on the server that the tests are given.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use url::Url;
use uuid::Uuid;

use super::MIGRATIONS;
use crate::location::Location;
use crate::store::Store;

/// Holds up other tests' processes while the template is made: an advisory lock of the server's.
const TEMPLATE_LOCK: i64 = 0x66_72_6f_6e_74;

/// A place for a store, gone when the test ends.
pub(crate) struct Place {
    database: String,
}

impl Place {
    /// A database with the tables of a store.
    pub(crate) async fn new() -> Self {
        let template = template().await;
        Self::made(&format!("TEMPLATE {template}")).await
    }

    /// A database with nothing in it.
    pub(crate) async fn empty() -> Self {
        Self::made("").await
    }

    async fn made(how: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "tests share the server")]
        let database = format!("test_{}", Uuid::new_v4().simple());
        let mut server = administrator().await;
        run(&mut server, format!("CREATE DATABASE {database} {how}")).await;
        Self { database }
    }

    pub(crate) fn url(&self) -> Url {
        url_of(&self.database)
    }

    pub(crate) fn location(&self) -> Location {
        self.url().as_str().parse().unwrap()
    }

    pub(crate) async fn open(&self) -> Store {
        Store::connect(&self.location()).await.unwrap()
    }

    /// A connection beside the store.
    pub(crate) async fn connect(&self) -> PgConnection {
        connection_to(&self.url()).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.database);
        let dropping = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async { run(&mut administrator().await, drop).await });
        });
        // A database that is left over harms nobody, and this may be a panic already.
        let _ = dropping.join();
    }
}

/// The server that the tests are given, with `database` in place of the one named there.
pub(crate) fn url_of(database: &str) -> Url {
    let server = std::env::var("FRONTDESK_TEST_POSTGRES").expect(
        "FRONTDESK_TEST_POSTGRES is not set: run `make test`, or set it to the URL of a PostgreSQL \
         server whose user may make databases",
    );
    let mut url: Url = server.parse().expect("FRONTDESK_TEST_POSTGRES is no URL");
    url.set_path(database);
    url
}

async fn connection_to(url: &Url) -> PgConnection {
    let options: PgConnectOptions = url.as_str().parse().unwrap();
    PgConnection::connect_with(&options)
        .await
        .expect("the server of FRONTDESK_TEST_POSTGRES cannot be reached")
}

/// A connection that makes and drops databases.
pub(crate) async fn administrator() -> PgConnection {
    connection_to(&url_of("postgres")).await
}

pub(crate) async fn run(connection: &mut PgConnection, statement: String) {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement));
    connection.execute(statement).await.unwrap();
}

/// The name of a database that has been migrated, made by the first test that asks.
async fn template() -> String {
    let sum = MIGRATIONS
        .iter()
        .flat_map(|migration| migration.checksum.iter())
        .fold(0_u64, |sum, byte| sum.rotate_left(7) ^ u64::from(*byte));
    let name = format!("template_{sum:016x}");
    let mut server = administrator().await;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut server)
        .await
        .unwrap();
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut server)
            .await
            .unwrap();
    if !exists {
        // Under another name until it is whole.
        run(&mut server, format!("DROP DATABASE IF EXISTS {name}_new")).await;
        run(&mut server, format!("CREATE DATABASE {name}_new")).await;
        let url = url_of(&format!("{name}_new"));
        let mut connection = connection_to(&url).await;
        MIGRATIONS.run(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let rename = format!("ALTER DATABASE {name}_new RENAME TO {name}");
        run(&mut server, rename).await;
    }
    // Ends the lock.
    server.close().await.unwrap();
    name
}
