//! What messaging platforms tell beside messages.

use crate::error::CrmError;
use crate::store::Store;
use crate::types::*;

impl Store {
    /// Keeps how the customer of a conversation can be reached.
    pub async fn set_reach(&self, reach: Reach) -> Result<(), CrmError> {
        write_with!(self, conversations::set_reach(reach))
    }

    /// Stores a message that the customer has read on the platform already: it does not leave.
    pub async fn note_message(
        &self,
        conversation: ConversationId,
        new: NewMessage,
        at: Millis,
    ) -> Result<Message, CrmError> {
        write_with!(self, messages::note(conversation, new, at))
    }

    /// Changes the text of a customer's message; gives its `seq`, `None` where there is none of that client id.
    /// What is not answered yet is answered as it stands then.
    pub async fn edit_message(
        &self,
        conversation: ConversationId,
        client_id: &str,
        text: &str,
    ) -> Result<Option<i64>, CrmError> {
        write_with!(self, messages::edit(conversation, client_id, text))
    }

    /// Takes back what a customer wrote, with its files: its text is empty from now on, and it is not answered any
    /// more. Gives its `seq`, `None` where there is none of that client id.
    pub async fn withdraw_message(
        &self,
        conversation: ConversationId,
        client_id: &str,
    ) -> Result<Option<i64>, CrmError> {
        write_with!(self, messages::withdraw(conversation, client_id))
    }

    /// Marks the message of ours that a platform accepted under that id, and did not deliver, as a dead letter;
    /// gives whether there was one.
    pub async fn fail_delivery(
        &self,
        channel: &str,
        thread: &str,
        platform_id: &str,
        error: &str,
    ) -> Result<bool, CrmError> {
        write_with!(self, deliveries::fail(channel, thread, platform_id, error))
    }

    /// Claims files to be fetched of a channel. Of several that claim at once each gets others.
    pub async fn claim_attachments(
        &self,
        claim: ClaimDeliveries,
    ) -> Result<Vec<DueAttachment>, CrmError> {
        write_with!(self, attachments::claim(claim))
    }

    /// Says what became of a claimed file; gives whether the claim still held.
    pub async fn settle_attachment(&self, settle: SettleAttachment) -> Result<bool, CrmError> {
        write_with!(self, attachments::settle(settle))
    }

    /// The files of a conversation's messages.
    pub async fn attachments(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<Attachment>, CrmError> {
        read_with!(self, attachments::list(conversation))
    }

    /// A file with its bytes; `None` until it is stored.
    pub async fn read_attachment(
        &self,
        conversation: ConversationId,
        seq: i64,
        number: i64,
    ) -> Result<Option<StoredFile>, CrmError> {
        read_with!(self, attachments::read(conversation, seq, number))
    }

    /// Becomes the one who listens to a platform; `None` while somebody else does.
    pub async fn listen(&self, listen: Listen) -> Result<Option<Listening>, CrmError> {
        write_with!(self, listeners::claim(listen))
    }

    /// Renews the lease of who listens, with a new cursor where there is one; gives whether it still held.
    pub async fn go_on_listening(
        &self,
        channel: &str,
        token: i64,
        cursor: Option<&str>,
        until: Millis,
    ) -> Result<bool, CrmError> {
        write_with!(self, listeners::renew(channel, token, cursor, until))
    }
}
