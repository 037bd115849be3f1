-- The CRM store, version 5: what platforms tell beside messages.

-- What a platform wants to hear when it is answered (a reply token, the message that is answered), in its own
-- words, the latest.
ALTER TABLE conversations ADD COLUMN reply_context TEXT;
-- When the customer last wrote, pressed or came: platforms allow answers for a time after it.
ALTER TABLE conversations ADD COLUMN heard_at BIGINT;
-- Whether the customer wants no more messages there, or cannot get any.
ALTER TABLE conversations ADD COLUMN blocked BOOLEAN NOT NULL DEFAULT FALSE;

-- Files that came with a message: stored with it as places, fetched afterwards. Claims as in `deliveries`.
CREATE TABLE attachments (
    conversation  TEXT   NOT NULL REFERENCES conversations (id),
    seq           BIGINT NOT NULL,
    number        BIGINT NOT NULL,
    channel       TEXT   NOT NULL,
    place         TEXT   NOT NULL, -- the platform's id of the file, or its address there
    name          TEXT,
    content_type  TEXT,            -- as the sender says; once it is stored, as its first bytes say
    size          BIGINT,
    state         TEXT   NOT NULL CHECK (state IN ('due', 'stored', 'refused')),
    due_at        BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    token         BIGINT NOT NULL,
    tries         BIGINT NOT NULL, -- that failed
    error         TEXT,            -- of the last try
    content       TEXT,            -- base64
    PRIMARY KEY (conversation, seq, number)
);
CREATE INDEX attachments_by_state ON attachments (state, channel, due_at);

-- Who listens to a platform that is polled or speaks over a socket: one node at a time, by a lease, and from where
-- it goes on.
CREATE TABLE listeners (
    channel TEXT   NOT NULL PRIMARY KEY,
    cursor  TEXT,
    until   BIGINT NOT NULL,
    token   BIGINT NOT NULL
);
