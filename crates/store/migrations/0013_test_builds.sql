-- What a build is for: `slug` or `test`. A build for tests makes no release, and ends with their status.
ALTER TABLE builds ADD COLUMN purpose TEXT NOT NULL DEFAULT 'slug';
ALTER TABLE builds ADD COLUMN sealed_test_env BLOB;
ALTER TABLE builds ADD COLUMN test_branch TEXT;
ALTER TABLE builds ADD COLUMN exit_code BIGINT;
