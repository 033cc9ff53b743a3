-- Ids are UUIDs as TEXT, times are microseconds since 1970 as BIGINT, lists and maps are JSON as
-- TEXT, and columns named sealed_* hold what `seal.rs` makes. All of it is also PostgreSQL, but for BLOB.

CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY NOT NULL,
    email TEXT NOT NULL UNIQUE,
    name TEXT,
    password_hash TEXT,
    admin BOOLEAN NOT NULL,
    last_login BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE authorizations (
    id TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    description TEXT NOT NULL,
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    token_hint TEXT NOT NULL,
    token_id TEXT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX authorizations_account ON authorizations (account_id);

CREATE TABLE ssh_keys (
    id TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    public_key TEXT NOT NULL,
    comment TEXT NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,
    fingerprint_md5 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX ssh_keys_account ON ssh_keys (account_id);

CREATE TABLE apps (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    owner_id TEXT NOT NULL REFERENCES accounts (id),
    maintenance BOOLEAN NOT NULL,
    build_stack TEXT NOT NULL,
    stack TEXT NOT NULL,
    current_release_id TEXT REFERENCES releases (id) DEFERRABLE INITIALLY DEFERRED,
    config_id TEXT REFERENCES configs (id) DEFERRABLE INITIALLY DEFERRED,
    buildpack_provided_description TEXT,
    repo_size BIGINT,
    slug_size BIGINT,
    released_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX apps_owner ON apps (owner_id);

-- A set of config vars never changes once written: apps and releases point at one.
CREATE TABLE configs (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    sealed_vars BLOB NOT NULL
);
CREATE INDEX configs_app ON configs (app_id);

CREATE TABLE collaborators (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (app_id, account_id)
);
CREATE INDEX collaborators_account ON collaborators (account_id);

CREATE TABLE app_features (
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, name)
);

CREATE TABLE buildpacks (
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    ordinal BIGINT NOT NULL,
    buildpack TEXT NOT NULL,
    PRIMARY KEY (app_id, ordinal)
);

CREATE TABLE formation (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    process_type TEXT NOT NULL,
    command TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    size TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (app_id, process_type)
);

CREATE TABLE slugs (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    image TEXT,
    checksum TEXT,
    size BIGINT,
    source_commit TEXT,
    commit_description TEXT,
    buildpack_provided_description TEXT,
    process_types TEXT NOT NULL,
    stack TEXT NOT NULL,
    upload_key TEXT NOT NULL UNIQUE,
    expired BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX slugs_app ON slugs (app_id);

CREATE TABLE releases (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    description TEXT NOT NULL,
    user_id TEXT NOT NULL,
    slug_id TEXT REFERENCES slugs (id),
    config_id TEXT REFERENCES configs (id),
    status TEXT NOT NULL,
    output_key TEXT,
    -- The one-off dyno that was made for the release command; there is only ever one.
    command_dyno_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (app_id, version)
);
CREATE INDEX releases_status ON releases (status);
CREATE INDEX releases_slug ON releases (slug_id);

CREATE TABLE builds (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    source TEXT,
    sealed_source_url BLOB NOT NULL,
    source_checksum TEXT,
    source_version TEXT,
    source_version_description TEXT,
    buildpacks TEXT NOT NULL,
    stack TEXT NOT NULL,
    release_id TEXT,
    slug_id TEXT,
    output_key TEXT NOT NULL UNIQUE,
    cancel_requested BOOLEAN NOT NULL,
    started_at BIGINT,
    lease_owner TEXT,
    lease_until BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX builds_app ON builds (app_id, created_at);
CREATE INDEX builds_status ON builds (status);

CREATE TABLE sources (
    id TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    upload_key TEXT NOT NULL UNIQUE,
    download_key TEXT NOT NULL UNIQUE,
    digest TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE dynos (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    process_type TEXT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    size TEXT NOT NULL,
    release_id TEXT NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    command TEXT NOT NULL,
    state TEXT NOT NULL,
    sealed_env BLOB,
    attach_key TEXT UNIQUE,
    no_tty BOOLEAN NOT NULL,
    user_id TEXT,
    time_limit BIGINT,
    port BIGINT,
    address TEXT,
    crashes BIGINT NOT NULL,
    retry_at BIGINT,
    stop_requested_at BIGINT,
    stopping_since BIGINT,
    exit_status BIGINT,
    started_at BIGINT,
    state_changed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX dynos_app ON dynos (app_id);

CREATE TABLE domains (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    hostname TEXT NOT NULL UNIQUE,
    custom BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX domains_app ON domains (app_id);

CREATE TABLE drains (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    sealed_url BLOB NOT NULL,
    token TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX drains_app ON drains (app_id);

-- What is to be cleared away outside the database. No foreign key: it outlives the app.
CREATE TABLE chores (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    app_id TEXT NOT NULL,
    app_name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
