-- Bad news, one row for each who is to be told, gone once it was taken. No foreign keys: it is told also when
-- what it is about is gone. Without an account it is for who runs the installation.
CREATE TABLE notices (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    account_id TEXT,
    app_id TEXT NOT NULL,
    transfer_id TEXT,
    addon TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    retry_at BIGINT,
    created_at BIGINT NOT NULL
);

-- It was told that no backup of this schedule is proven since then.
ALTER TABLE transfer_schedules ADD COLUMN overdue BIGINT;
