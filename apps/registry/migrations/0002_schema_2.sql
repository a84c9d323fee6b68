INSERT INTO migrations (version, applied_at) VALUES (2, unixepoch() * 1000);
CREATE TABLE key_check (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL) STRICT;
