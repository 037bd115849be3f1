//! Customers, the users of channels that they are, and their orders.

use std::collections::HashSet;

use crate::changes::Change;
use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Adds or replaces customers, all or none. One who was erased comes back.
    pub async fn upsert_customers(&self, customers: &[Customer]) -> Result<(), CrmError> {
        write_with!(self, customers::upsert(customers))
    }

    /// The customer of that id.
    pub async fn find_customer(&self, id: &CustomerId) -> Result<Option<Customer>, CrmError> {
        read_with!(self, customers::find(id))
    }

    /// At most `limit` customers by id; `after_id` is the last one seen.
    pub async fn list_customers(
        &self,
        after_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Customer>, CrmError> {
        read_with!(self, customers::list(after_id, limit))
    }

    /// At most `limit` customers changed or erased after `after_revision`, in order of change.
    pub async fn changed_customers(
        &self,
        after_revision: i64,
        limit: u32,
    ) -> Result<Vec<Change<Customer>>, CrmError> {
        read_with!(self, changes::customers(after_revision, limit))
    }

    /// Those of `ids` that are customers.
    pub(crate) async fn known_customers(
        &self,
        ids: &[&CustomerId],
    ) -> Result<HashSet<CustomerId>, CrmError> {
        read_with!(self, customers::known(ids))
    }

    /// The customer behind a channel's user.
    pub async fn find_identity(
        &self,
        channel: &str,
        external_id: &str,
    ) -> Result<Option<CustomerId>, CrmError> {
        read_with!(self, customers::find_identity(channel, external_id))
    }

    /// Notes who a channel's user is; the latest word counts.
    pub async fn link_identity(
        &self,
        channel: &str,
        external_id: &str,
        customer: &CustomerId,
    ) -> Result<(), CrmError> {
        write_with!(
            self,
            customers::link_identity(channel, external_id, customer)
        )
    }

    /// Deletes what is known of a customer: the record, orders, links to users of channels, and all
    /// their conversations with messages, outcomes, ratings and events. The record leaves an
    /// emptied row, from which the change feed tells an index that the customer is gone. An event
    /// `erased`, which names nobody, says that it happened; it is written if there was anything.
    ///
    /// The id need not be that of a known customer: a company's login may know more of them than
    /// its last import. An index, files and backups are for others to clean.
    pub async fn erase_customer(&self, id: &CustomerId, at: Millis) -> Result<Erased, CrmError> {
        write_with!(self, customers::erase(id, at))
    }

    /// Adds or replaces orders, all or none.
    ///
    /// # Errors
    /// [`CrmError::UnknownCustomer`] names the first order of nobody.
    pub async fn upsert_orders(&self, orders: &[Order]) -> Result<(), CrmError> {
        write_with!(self, orders::upsert(orders))
    }

    /// The customer's orders, newest first; those of no known day come last.
    pub async fn orders_of(&self, customer: &CustomerId) -> Result<Vec<Order>, CrmError> {
        read_with!(self, orders::of(customer))
    }

    /// At most `limit` orders by number; `after_id` is the last one seen.
    pub async fn list_orders(
        &self,
        after_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Order>, CrmError> {
        read_with!(self, orders::list(after_id, limit))
    }
}
