INSERT INTO migrations (version, applied_at) VALUES (3, unixepoch() * 1000);
CREATE INDEX engines_by_id ON engines (id);
