-- The CRM store, version 5, for PostgreSQL: what the file of the same number does for SQLite, where
-- the reasons stand.

ALTER TABLE conversations ADD COLUMN reply_context TEXT;
ALTER TABLE conversations ADD COLUMN heard_at BIGINT;
ALTER TABLE conversations ADD COLUMN blocked BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE attachments (
    conversation  TEXT   COLLATE "C" NOT NULL REFERENCES conversations (id),
    seq           BIGINT NOT NULL,
    number        BIGINT NOT NULL,
    channel       TEXT   COLLATE "C" NOT NULL,
    place         TEXT   NOT NULL,
    name          TEXT,
    content_type  TEXT,
    size          BIGINT,
    state         TEXT   COLLATE "C" NOT NULL CHECK (state IN ('due', 'stored', 'refused')),
    due_at        BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    token         BIGINT NOT NULL,
    tries         BIGINT NOT NULL,
    error         TEXT,
    content       TEXT,
    PRIMARY KEY (conversation, seq, number)
);
CREATE INDEX attachments_by_state ON attachments (state, channel, due_at);

CREATE TABLE listeners (
    channel TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    cursor  TEXT,
    until   BIGINT NOT NULL,
    token   BIGINT NOT NULL
);
