CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL);
INSERT INTO migrations (version, applied_at) VALUES (1, unixepoch() * 1000);
CREATE TABLE users (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    live_engines INTEGER NOT NULL DEFAULT 0
  ) STRICT;
CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users (number),
    kind TEXT NOT NULL CHECK (kind IN ('token', 'api-key', 'trial', 'configured')),
    selector TEXT NOT NULL,
    digest BLOB NOT NULL,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
  ) STRICT;
CREATE INDEX credentials_by_selector ON credentials (selector);
CREATE INDEX credentials_by_user ON credentials (user);
CREATE TABLE engines (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    owner INTEGER NOT NULL REFERENCES users (number),
    name TEXT NOT NULL,
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL,
    status TEXT NOT NULL,
    is_public INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    secret BLOB,
    json TEXT NOT NULL,
    protobuf BLOB NOT NULL
  ) STRICT;
CREATE UNIQUE INDEX engines_by_tag ON engines (owner, name, major, minor) WHERE deleted_at IS NULL;
CREATE INDEX engines_by_creation ON engines (owner, created_at) WHERE deleted_at IS NULL;
CREATE INDEX public_by_tag ON engines (name, major, minor) WHERE deleted_at IS NULL AND is_public = 1;
CREATE INDEX public_by_creation ON engines (created_at) WHERE deleted_at IS NULL AND is_public = 1;
CREATE TABLE public_total (one INTEGER PRIMARY KEY CHECK (one = 1), live_engines INTEGER NOT NULL) STRICT;
INSERT INTO public_total (one, live_engines) VALUES (1, 0);
CREATE TRIGGER engines_inserted AFTER INSERT ON engines WHEN new.deleted_at IS NULL
     BEGIN UPDATE users SET live_engines = live_engines + 1 WHERE number = new.owner; END;
CREATE TRIGGER public_inserted AFTER INSERT ON engines WHEN new.deleted_at IS NULL AND new.is_public = 1
     BEGIN UPDATE public_total SET live_engines = live_engines + 1 WHERE one = 1; END;
CREATE TRIGGER engines_uncounted AFTER UPDATE OF deleted_at, is_public, owner ON engines WHEN old.deleted_at IS NULL
     BEGIN UPDATE users SET live_engines = live_engines - 1 WHERE number = old.owner; END;
CREATE TRIGGER public_uncounted AFTER UPDATE OF deleted_at, is_public, owner ON engines WHEN old.deleted_at IS NULL AND old.is_public = 1
     BEGIN UPDATE public_total SET live_engines = live_engines - 1 WHERE one = 1; END;
CREATE TRIGGER engines_counted AFTER UPDATE OF deleted_at, is_public, owner ON engines WHEN new.deleted_at IS NULL
     BEGIN UPDATE users SET live_engines = live_engines + 1 WHERE number = new.owner; END;
CREATE TRIGGER public_counted AFTER UPDATE OF deleted_at, is_public, owner ON engines WHEN new.deleted_at IS NULL AND new.is_public = 1
     BEGIN UPDATE public_total SET live_engines = live_engines + 1 WHERE one = 1; END;
CREATE TRIGGER engines_removed AFTER DELETE ON engines WHEN old.deleted_at IS NULL
     BEGIN UPDATE users SET live_engines = live_engines - 1 WHERE number = old.owner; END;
CREATE TRIGGER public_removed AFTER DELETE ON engines WHEN old.deleted_at IS NULL AND old.is_public = 1
     BEGIN UPDATE public_total SET live_engines = live_engines - 1 WHERE one = 1; END;
