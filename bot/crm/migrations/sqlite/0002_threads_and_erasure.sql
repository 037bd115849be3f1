-- The CRM store, version 2: one conversation a thread of its channel, the start of a stretch with a
-- person, the button that a customer pressed, and customers that are erased.
--
-- The defaults serve the rows of version 1; SQLite cannot drop them again. Every insert names these
-- columns.

-- What the channel calls the conversation: a chat's number, an e-mail's thread. Conversations of
-- version 1 are their own threads.
ALTER TABLE conversations ADD COLUMN thread TEXT NOT NULL DEFAULT '';
UPDATE conversations SET thread = id;
CREATE UNIQUE INDEX conversations_by_thread ON conversations (channel, thread);

-- The last message before the present state began. Version 1 noted the time only: what was written
-- by then counts as before.
ALTER TABLE conversations ADD COLUMN state_seq BIGINT NOT NULL DEFAULT 0;
UPDATE conversations SET state_seq = (
    SELECT COALESCE(MAX(m.seq), 0) FROM messages AS m
    WHERE m.conversation = conversations.id AND m.at <= conversations.state_since
);

ALTER TABLE messages RENAME COLUMN actions TO quick_replies;
ALTER TABLE messages ADD COLUMN pressed TEXT; -- id of the quick reply that was pressed

-- An erased customer leaves an emptied row, as a removed product does.
ALTER TABLE customers ADD COLUMN deleted BOOLEAN NOT NULL DEFAULT FALSE;
