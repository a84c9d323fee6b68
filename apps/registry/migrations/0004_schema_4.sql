INSERT INTO migrations (version, applied_at) VALUES (4, unixepoch() * 1000);
ALTER TABLE credentials ADD COLUMN scope TEXT NOT NULL DEFAULT 'read' CHECK (scope IN ('read', 'publish', 'manage'));
ALTER TABLE credentials ADD COLUMN last_used_at INTEGER;
ALTER TABLE users ADD COLUMN disabled_at INTEGER;
ALTER TABLE users ADD COLUMN deleted_at INTEGER;
ALTER TABLE users ADD COLUMN max_engines INTEGER;
ALTER TABLE users ADD COLUMN max_bytes INTEGER;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
CREATE INDEX audit_by_subject ON audit (subject);
