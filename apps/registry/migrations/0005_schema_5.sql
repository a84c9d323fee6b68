INSERT INTO migrations (version, applied_at) VALUES (5, unixepoch() * 1000);
CREATE TABLE archives (
    key TEXT PRIMARY KEY,
    engine INTEGER NOT NULL,
    owner INTEGER NOT NULL REFERENCES users (number),
    hash TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    data_key BLOB NOT NULL,
    is_sealed INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    released_at INTEGER
  ) STRICT;
CREATE INDEX archives_by_engine ON archives (engine) WHERE released_at IS NULL;
CREATE INDEX archives_by_owner ON archives (owner, bytes) WHERE released_at IS NULL;
CREATE INDEX archives_by_release ON archives (released_at) WHERE released_at > 0;
CREATE TABLE archive_holds (id TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT;
CREATE TRIGGER archives_with_engine AFTER UPDATE OF deleted_at ON engines
   WHEN old.deleted_at IS NULL AND new.deleted_at > 0
   BEGIN UPDATE archives SET released_at = new.deleted_at WHERE engine = new.number AND released_at IS NULL; END;
CREATE TRIGGER archives_with_owner AFTER UPDATE OF owner ON engines WHEN old.owner <> new.owner
   BEGIN UPDATE archives SET owner = new.owner WHERE engine = new.number AND released_at IS NULL; END;
