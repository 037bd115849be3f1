-- The CRM store, version 1.
--
-- Written to run on SQLite and, but for the one line marked below, on PostgreSQL: ids are TEXT,
-- times are BIGINT (UTC milliseconds since the Unix epoch), structured values are JSON as TEXT.
-- Once released, this file is never edited: a change to the schema is a new file.

-- One counter numbers every change of a customer, product, order or document. Whoever keeps a
-- copy (the search index) remembers the last revision it took over and asks for what came after.
-- The row is updated first in every writing transaction, so revisions become visible in order.
CREATE TABLE revision_counter (
    id    SMALLINT PRIMARY KEY CHECK (id = 1),
    value BIGINT   NOT NULL
);
INSERT INTO revision_counter (id, value) VALUES (1, 0);

-- What the company brings ------------------------------------------------------------------------

CREATE TABLE customers (
    id              TEXT   PRIMARY KEY,
    name            TEXT,
    email           TEXT,
    phone           TEXT,
    language        TEXT,
    address         TEXT,            -- JSON object
    payment_methods TEXT   NOT NULL, -- JSON list
    attributes      TEXT   NOT NULL, -- JSON object of texts
    revision        BIGINT NOT NULL
);
CREATE UNIQUE INDEX customers_by_revision ON customers (revision);

-- Who a channel's user is. No foreign key: the company's login may know a customer whom the last
-- import did not, and that customer must be able to chat all the same.
CREATE TABLE identities (
    channel     TEXT NOT NULL,
    external_id TEXT NOT NULL,
    customer    TEXT NOT NULL,
    PRIMARY KEY (channel, external_id)
);
CREATE INDEX identities_by_customer ON identities (customer);

-- A removed product or document leaves its row, emptied, as a tombstone: otherwise the search
-- index would never learn that it is gone.
CREATE TABLE products (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    category    TEXT,
    description TEXT,
    variants    TEXT    NOT NULL, -- JSON list
    deleted     BOOLEAN NOT NULL,
    revision    BIGINT  NOT NULL
);
CREATE UNIQUE INDEX products_by_revision ON products (revision);

CREATE TABLE documents (
    id       TEXT    PRIMARY KEY,
    title    TEXT    NOT NULL,
    content  TEXT    NOT NULL,
    url      TEXT,
    language TEXT,
    deleted  BOOLEAN NOT NULL,
    revision BIGINT  NOT NULL
);
CREATE UNIQUE INDEX documents_by_revision ON documents (revision);

-- An order without its customer could be shown to nobody, so here the key is enforced.
CREATE TABLE orders (
    id         TEXT   PRIMARY KEY,
    customer   TEXT   NOT NULL REFERENCES customers (id),
    status     TEXT   NOT NULL,
    placed_on  TEXT,            -- a day, as the company writes it; ISO 8601 sorts
    items      TEXT   NOT NULL, -- JSON list
    total      BIGINT NOT NULL, -- minor units
    address    TEXT,            -- JSON object
    payments   TEXT   NOT NULL, -- JSON list
    shipments  TEXT   NOT NULL, -- JSON list
    attributes TEXT   NOT NULL, -- JSON object of texts
    revision   BIGINT NOT NULL
);
CREATE INDEX orders_by_customer ON orders (customer, placed_on);
CREATE UNIQUE INDEX orders_by_revision ON orders (revision);

-- What happens in the chat -----------------------------------------------------------------------

-- `customer` has no foreign key for the reason given at identities. `last_seq` is the counter
-- from which messages are numbered, and `answered_seq` the line between what is dealt with and
-- what is still owed an answer: moving it in the transaction that stores the answer is what makes
-- an answer happen exactly once.
CREATE TABLE conversations (
    id           TEXT   PRIMARY KEY,
    channel      TEXT   NOT NULL,
    customer     TEXT,
    state        TEXT   NOT NULL CHECK (state IN ('bot', 'human', 'closed')),
    state_since  BIGINT NOT NULL,
    language     TEXT,
    memory       TEXT   NOT NULL, -- JSON
    last_seq     BIGINT NOT NULL,
    answered_seq BIGINT NOT NULL CHECK (answered_seq <= last_seq),
    created_at   BIGINT NOT NULL
);
CREATE INDEX conversations_by_customer ON conversations (customer, created_at);

-- The primary key refuses a number given out twice, the unique key a message sent twice. Messages
-- of the server's own have no client id; NULLs do not collide.
CREATE TABLE messages (
    conversation TEXT   NOT NULL REFERENCES conversations (id),
    seq          BIGINT NOT NULL CHECK (seq > 0),
    author       TEXT   NOT NULL CHECK (author IN ('customer', 'bot', 'agent', 'system')),
    text         TEXT   NOT NULL,
    sources      TEXT   NOT NULL, -- JSON list
    actions      TEXT   NOT NULL, -- JSON list
    client_id    TEXT,
    at           BIGINT NOT NULL,
    PRIMARY KEY (conversation, seq),
    UNIQUE (conversation, client_id)
);

-- One row a turn. The columns are what reports group by; `record` holds everything else. The
-- unique key says once more that the same messages are not answered twice.
CREATE TABLE outcomes (
    turn         TEXT   PRIMARY KEY,
    conversation TEXT   NOT NULL REFERENCES conversations (id),
    through_seq  BIGINT NOT NULL,
    intent       TEXT   NOT NULL,
    sentiment    TEXT   NOT NULL,
    action       TEXT   NOT NULL,
    record       TEXT   NOT NULL, -- JSON object
    at           BIGINT NOT NULL,
    UNIQUE (conversation, through_seq)
);

-- One rating a conversation: a customer who rates again has changed their mind.
CREATE TABLE ratings (
    conversation TEXT     PRIMARY KEY REFERENCES conversations (id),
    score        SMALLINT NOT NULL CHECK (score BETWEEN 1 AND 5),
    comment      TEXT,
    at           BIGINT   NOT NULL
);

-- Numbered in order of writing. SQLite numbers an INTEGER PRIMARY KEY by itself; PostgreSQL needs
-- BIGINT GENERATED ALWAYS AS IDENTITY here.
CREATE TABLE events (
    id           INTEGER PRIMARY KEY,
    kind         TEXT    NOT NULL,
    conversation TEXT    REFERENCES conversations (id),
    data         TEXT    NOT NULL, -- JSON
    at           BIGINT  NOT NULL
);
CREATE INDEX events_by_conversation ON events (conversation);

-- How far each index has taken over the changes above: JSON of the index's own.
CREATE TABLE index_marks (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
