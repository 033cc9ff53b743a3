-- What is to become of a credential: values that are being put in the place of the old ones, or that it is
-- being taken away; and how attempts at that went.
ALTER TABLE addon_credentials ADD COLUMN sealed_next_values BLOB;
ALTER TABLE addon_credentials ADD COLUMN removed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE addon_credentials ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE addon_credentials ADD COLUMN retry_at BIGINT;

-- It holds more than its plan allows, and is not let grow.
ALTER TABLE addons ADD COLUMN over_limit BOOLEAN NOT NULL DEFAULT FALSE;
