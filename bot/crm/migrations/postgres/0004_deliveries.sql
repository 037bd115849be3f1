-- The CRM store, version 4, for PostgreSQL: what the file of the same number does for SQLite, where
-- the reasons stand.

ALTER TABLE conversations ADD COLUMN pushed BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE deliveries (
    conversation  TEXT   COLLATE "C" NOT NULL REFERENCES conversations (id),
    seq           BIGINT NOT NULL,
    channel       TEXT   COLLATE "C" NOT NULL,
    state         TEXT   COLLATE "C" NOT NULL CHECK (state IN ('due', 'sent', 'dead')),
    due_at        BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    token         BIGINT NOT NULL,
    tries         BIGINT NOT NULL,
    parts         JSONB  NOT NULL,
    error         TEXT,
    at            BIGINT NOT NULL,
    PRIMARY KEY (conversation, seq)
);
CREATE INDEX deliveries_by_state ON deliveries (state, channel, due_at);
