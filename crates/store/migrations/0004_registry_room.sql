-- Bytes that an upload has been promised room for, in all.
ALTER TABLE registry_uploads ADD COLUMN reserved BIGINT NOT NULL DEFAULT 0;
