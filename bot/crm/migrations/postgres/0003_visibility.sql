-- The CRM store, version 3, for PostgreSQL: what the file of the same number does for SQLite, where
-- the reasons stand.
ALTER TABLE documents ADD COLUMN visibility TEXT COLLATE "C" NOT NULL DEFAULT 'public';
UPDATE documents SET visibility = 'internal' WHERE lower(title) LIKE 'internal%';
