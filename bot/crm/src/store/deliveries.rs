//! The outbox: what leaves for messaging platforms.

use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Claims what is due on a channel: of each conversation the first message that has not been sent, so that
    /// order is kept. Of several that claim at once each gets others; a claim that runs out is given anew.
    ///
    /// What is claimed may have been sent by a claim before that could not settle it: at least once is what is
    /// promised, and [`Delivery::parts`] what is known.
    pub async fn claim_deliveries(
        &self,
        claim: ClaimDeliveries,
    ) -> Result<Vec<Delivery>, CrmError> {
        write_with!(self, deliveries::claim(claim))
    }

    /// Says what became of a claimed delivery; gives whether the claim still held. Where it did not, nothing is
    /// changed: somebody else has claimed it since, or it is settled.
    pub async fn settle_delivery(&self, settle: SettleDelivery) -> Result<bool, CrmError> {
        write_with!(self, deliveries::settle(settle))
    }

    /// When something can be claimed on a channel next; `None` while nothing waits.
    pub async fn next_delivery(&self, channel: &str) -> Result<Option<Millis>, CrmError> {
        read_with!(self, deliveries::next(channel))
    }

    /// At most `limit` messages that have not been sent, dead letters among them, the oldest first.
    pub async fn undelivered(&self, limit: u32) -> Result<Vec<Undelivered>, CrmError> {
        read_with!(self, deliveries::undelivered(limit))
    }

    /// Makes the dead letters of a channel, or of all, due at `at`; gives their number.
    pub async fn send_again(&self, channel: Option<&str>, at: Millis) -> Result<u64, CrmError> {
        write_with!(self, deliveries::send_again(channel, at))
    }
}
