-- 0.1.0 had the tables of 1.sql; these came with forges on the network and with reviews.

-- When the text was replaced last; NULL while it is as it was posted.
ALTER TABLE forge_comments ADD COLUMN edited_at INTEGER;
CREATE INDEX forge_comments_by_change ON forge_comments (repo, coalesce(edited_at, at));

-- The tip of the base just before the merge, where that was seen.
ALTER TABLE forge_pulls ADD COLUMN merged_onto TEXT;

CREATE TABLE forge_reviews (
    id       INTEGER PRIMARY KEY,
    repo     TEXT NOT NULL,
    number   INTEGER NOT NULL,
    author   TEXT NOT NULL,
    verdict  TEXT NOT NULL,
    head     TEXT NOT NULL,
    body     TEXT NOT NULL,
    comments TEXT NOT NULL,
    at       INTEGER NOT NULL,
    FOREIGN KEY (repo, number) REFERENCES forge_pulls (repo, number)
) STRICT;
CREATE INDEX forge_reviews_by_number ON forge_reviews (repo, number, id);

-- What forges on the network answered. `scope` is who asked whom.
CREATE TABLE forge_answers (
    scope TEXT NOT NULL,
    url   TEXT NOT NULL,
    etag  TEXT NOT NULL,
    body  BLOB NOT NULL,
    link  TEXT,
    at    INTEGER NOT NULL,
    PRIMARY KEY (scope, url)
) STRICT;
CREATE INDEX forge_answers_by_time ON forge_answers (at);

CREATE TABLE forge_limits (
    scope        TEXT NOT NULL,
    resource     TEXT NOT NULL,
    most         INTEGER NOT NULL,
    remaining    INTEGER NOT NULL,
    resets_at    INTEGER NOT NULL,
    parked_until INTEGER,
    seen_at      INTEGER NOT NULL,
    PRIMARY KEY (scope, resource)
) STRICT, WITHOUT ROWID;

-- The last known issues of repositories whose forge is on the network. Everything here can be
-- asked for again.
CREATE TABLE mirror_repos (
    repo            TEXT PRIMARY KEY,
    synced_at       INTEGER,
    comments_cursor INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE mirror_issues (
    repo   TEXT NOT NULL,
    number INTEGER NOT NULL,
    open   INTEGER NOT NULL,
    body   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (repo, number)
) STRICT;

CREATE TABLE mirror_comments (
    repo    TEXT NOT NULL,
    id      INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    author  TEXT NOT NULL,
    trusted INTEGER NOT NULL,
    body    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (repo, id)
) STRICT;
CREATE INDEX mirror_comments_by_number ON mirror_comments (repo, number, id);
