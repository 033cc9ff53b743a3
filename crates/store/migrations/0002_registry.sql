-- A process type's own image: `{"web": {"image": "sha256:...", "own_command": true}}`.
ALTER TABLE slugs ADD COLUMN images TEXT NOT NULL DEFAULT '{}';

-- One-offs only: the process type whose image it runs.
ALTER TABLE dynos ADD COLUMN image_type TEXT;

-- Repositories of the registry. What lies in them is rows; the bytes are in the image store.
CREATE TABLE registry_repositories (
    id TEXT PRIMARY KEY NOT NULL,
    app_id TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    -- What follows the app's name and a slash; empty for the app's name alone.
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (app_id, name)
);

CREATE TABLE registry_blobs (
    repository_id TEXT NOT NULL REFERENCES registry_repositories (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, digest)
);

CREATE TABLE registry_manifests (
    repository_id TEXT NOT NULL REFERENCES registry_repositories (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    config TEXT,
    artifact_type TEXT,
    subject TEXT,
    annotations TEXT NOT NULL,
    touched_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX registry_manifests_subject ON registry_manifests (repository_id, subject);
CREATE INDEX registry_manifests_config ON registry_manifests (config);

-- What a manifest is made of: blobs and other manifests of its repository.
CREATE TABLE registry_parts (
    repository_id TEXT NOT NULL,
    manifest TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository_id, manifest, digest),
    FOREIGN KEY (repository_id, manifest) REFERENCES registry_manifests (repository_id, digest) ON DELETE CASCADE
);
CREATE INDEX registry_parts_digest ON registry_parts (repository_id, digest);

CREATE TABLE registry_tags (
    repository_id TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES registry_manifests (repository_id, digest) ON DELETE CASCADE
);
CREATE INDEX registry_tags_digest ON registry_tags (repository_id, digest);

CREATE TABLE registry_uploads (
    id TEXT PRIMARY KEY NOT NULL,
    repository_id TEXT NOT NULL REFERENCES registry_repositories (id) ON DELETE CASCADE,
    touched_at BIGINT NOT NULL
);
CREATE INDEX registry_uploads_repository ON registry_uploads (repository_id);
