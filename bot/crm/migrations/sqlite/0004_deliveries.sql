-- The CRM store, version 4: the outbox.

-- Whether what is said there is sent to the customer (a messaging platform) or fetched by them (the widget).
ALTER TABLE conversations ADD COLUMN pushed BOOLEAN NOT NULL DEFAULT FALSE;

-- One row a message that has to leave, written in the transaction that stores the message. Of each conversation
-- only the first one that is due leaves, so that order is kept. A claim is a lease: `token` counts the claims, so
-- that who claimed before cannot settle what somebody else has claimed since.
CREATE TABLE deliveries (
    conversation  TEXT   NOT NULL REFERENCES conversations (id),
    seq           BIGINT NOT NULL,
    channel       TEXT   NOT NULL,
    state         TEXT   NOT NULL CHECK (state IN ('due', 'sent', 'dead')),
    due_at        BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    token         BIGINT NOT NULL,
    tries         BIGINT NOT NULL, -- that failed
    parts         TEXT   NOT NULL, -- JSON list: of each part that was sent, the platform's id or null
    error         TEXT,            -- of the last try
    at            BIGINT NOT NULL,
    PRIMARY KEY (conversation, seq)
);
CREATE INDEX deliveries_by_state ON deliveries (state, channel, due_at);
