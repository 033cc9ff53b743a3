-- Commands that run at set times. An add-on's, and gone with it.
CREATE TABLE scheduler_jobs (
    id TEXT PRIMARY KEY NOT NULL,
    addon_id TEXT NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    command TEXT NOT NULL,
    size TEXT,
    frequency TEXT NOT NULL,
    timezone TEXT NOT NULL,
    overlap BOOLEAN NOT NULL,
    decided_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX scheduler_jobs_addon ON scheduler_jobs (addon_id);

-- The row for a due time is what claims it: there is one at most. Without a due time somebody asked for it.
CREATE TABLE scheduler_runs (
    id TEXT PRIMARY KEY NOT NULL,
    job_id TEXT NOT NULL REFERENCES scheduler_jobs (id) ON DELETE CASCADE,
    due BIGINT,
    state TEXT NOT NULL,
    dyno_id TEXT,
    dyno_name TEXT,
    exit_status BIGINT,
    failure TEXT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    UNIQUE (job_id, due)
);
CREATE INDEX scheduler_runs_state ON scheduler_runs (state);
CREATE INDEX scheduler_runs_job ON scheduler_runs (job_id, created_at);

-- Searches of logs that are kept by name. What begins with `alert_` is NULL for one that sends nothing.
CREATE TABLE papertrail_searches (
    id TEXT PRIMARY KEY NOT NULL,
    addon_id TEXT NOT NULL REFERENCES addons (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    alert_period TEXT,
    alert_kind TEXT,
    sealed_address BLOB,
    alert_seen BIGINT,
    alert_checked_at BIGINT,
    alert_sent_at BIGINT,
    alert_failure TEXT,
    batch_id TEXT,
    batch_after BIGINT,
    batch_until BIGINT,
    batch_attempts BIGINT,
    batch_retry_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (addon_id, name)
);
