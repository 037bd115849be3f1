//! One side of a copy, see [`copy`](crate::copy).
//!
//! Statements are put together from the names in [`TABLES`](crate::copy::TABLES), never from data.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};

use super::super::{FROM_JSON, SNAPSHOT, TO_JSON, begin, set_counters};
use super::{Db, Engine, Row, Tx};
use crate::copy::{Cell, Cells, Column, Kind, PAGE, Side, Table};
use crate::error::{CrmError, Fault};

/// A transaction that is copied from or to.
pub(crate) struct Session {
    engine: Engine,
    tx: Tx,
}

impl Session {
    /// A snapshot to be read.
    pub(crate) async fn reading(engine: &Engine) -> Result<Self, CrmError> {
        let begun = engine.readers.begin_with(SNAPSHOT).await;
        Self::of(engine, begun).await
    }

    /// A transaction to be filled.
    pub(crate) async fn writing(engine: &Engine) -> Result<Self, CrmError> {
        let begun = begin(&engine.writer).await;
        Self::of(engine, begun).await
    }

    async fn of(engine: &Engine, begun: Result<Tx, sqlx::Error>) -> Result<Self, CrmError> {
        let engine = engine.clone();
        match begun {
            Ok(tx) => Ok(Self { engine, tx }),
            Err(error) => Err(engine.explain(error.into()).await),
        }
    }
}

#[async_trait]
impl Side for Session {
    async fn page(
        &mut self,
        table: &'static Table,
        after: Option<Cells>,
    ) -> Result<Vec<Cells>, CrmError> {
        match page(&mut self.tx, table, after).await {
            Ok(rows) => Ok(rows),
            Err(fault) => Err(self.engine.explain(fault).await),
        }
    }

    async fn clear(&mut self, table: &'static Table) -> Result<(), CrmError> {
        let delete = AssertSqlSafe(format!("DELETE FROM {}", table.name));
        match sqlx::query(delete).execute(&mut *self.tx).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.engine.explain(error.into()).await),
        }
    }

    async fn put(&mut self, table: &'static Table, rows: Vec<Cells>) -> Result<(), CrmError> {
        match put(&mut self.tx, table, rows).await {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.engine.explain(fault).await),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<(), CrmError> {
        let finished = match set_counters(&mut self.tx).await {
            Ok(()) => self.tx.commit().await,
            Err(error) => Err(error),
        };
        match finished {
            Ok(()) => Ok(()),
            Err(error) => Err(self.engine.explain(error.into()).await),
        }
    }
}

async fn page(
    tx: &mut Tx,
    table: &'static Table,
    after: Option<Cells>,
) -> Result<Vec<Cells>, Fault> {
    let columns: Vec<_> = table.columns.iter().map(read_as).collect();
    let (columns, name) = (columns.join(", "), table.name);
    let key: Vec<_> = table.columns[..table.key]
        .iter()
        .map(|column| column.name)
        .collect();
    let key = key.join(", ");
    let mut query = QueryBuilder::<Db>::new(format!("SELECT {columns} FROM {name}"));
    if let Some(after) = after {
        query.push(format!(" WHERE ({key}) > ("));
        let mut list = query.separated(", ");
        for cell in after.into_iter().take(table.key) {
            push(&mut list, cell);
        }
        list.push_unseparated(")");
    }
    query.push(format!(" ORDER BY {key} LIMIT {PAGE}"));
    let rows = query.build().fetch_all(&mut **tx).await?;
    let rows = rows.iter().map(|row| cells(table, row));
    Ok(rows.collect::<Result<_, _>>()?)
}

async fn put(tx: &mut Tx, table: &'static Table, rows: Vec<Cells>) -> Result<(), Fault> {
    let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let into = format!("INSERT INTO {} ({}) ", table.name, columns.join(", "));
    let mut query = QueryBuilder::<Db>::new(into);
    query.push_values(rows, |mut list, row| {
        for (cell, column) in row.into_iter().zip(table.columns) {
            push(&mut list, cell);
            if matches!(column.kind, Kind::Json(_)) {
                list.push_unseparated(TO_JSON);
            }
        }
    });
    query.build().persistent(false).execute(&mut **tx).await?;
    Ok(())
}

/// The column as it is selected: JSON as the text it is.
fn read_as(column: &Column) -> String {
    match column.kind {
        Kind::Json(_) => format!("{0}{FROM_JSON} AS {0}", column.name),
        Kind::Text | Kind::Int | Kind::Small | Kind::Bool => column.name.to_owned(),
    }
}

fn push<S: std::fmt::Display>(list: &mut sqlx::query_builder::Separated<'_, Db, S>, cell: Cell) {
    match cell {
        Cell::Null => list.push_bind(None::<String>),
        Cell::Text(text) => list.push_bind(text),
        Cell::Int(number) => list.push_bind(number),
        Cell::Bool(value) => list.push_bind(value),
    };
}

fn cells(table: &Table, row: &Row) -> Result<Cells, sqlx::Error> {
    let mut cells = Vec::with_capacity(table.columns.len());
    for Column { name, kind } in table.columns {
        cells.push(match kind {
            Kind::Text | Kind::Json(_) => row
                .try_get::<Option<String>, _>(name)?
                .map_or(Cell::Null, Cell::Text),
            Kind::Int => Cell::Int(row.try_get(name)?),
            Kind::Small => Cell::Int(row.try_get::<i16, _>(name)?.into()),
            Kind::Bool => Cell::Bool(row.try_get(name)?),
        });
    }
    Ok(cells)
}
