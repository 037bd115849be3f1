-- The CRM store, version 3: who may be shown a document.
--
-- Up to version 2 a title that began with "Internal" said so. What it said of the documents that are
-- there is kept; of later ones the title says nothing.
ALTER TABLE documents ADD COLUMN visibility TEXT NOT NULL DEFAULT 'public';
UPDATE documents SET visibility = 'internal' WHERE lower(title) LIKE 'internal%';
