-- The CRM store, version 2, for PostgreSQL: what the file of the same number does for SQLite, where
-- the reasons stand.

ALTER TABLE conversations ADD COLUMN thread TEXT COLLATE "C";
UPDATE conversations SET thread = id;
ALTER TABLE conversations ALTER COLUMN thread SET NOT NULL;
CREATE UNIQUE INDEX conversations_by_thread ON conversations (channel, thread);

ALTER TABLE conversations ADD COLUMN state_seq BIGINT NOT NULL DEFAULT 0;
UPDATE conversations SET state_seq = (
    SELECT COALESCE(MAX(m.seq), 0) FROM messages AS m
    WHERE m.conversation = conversations.id AND m.at <= conversations.state_since
);

ALTER TABLE messages RENAME COLUMN actions TO quick_replies;
ALTER TABLE messages ADD COLUMN pressed TEXT;

ALTER TABLE customers ADD COLUMN deleted BOOLEAN NOT NULL DEFAULT FALSE;
