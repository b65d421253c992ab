CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The truth. Rows are only ever appended; `seq` has no gaps.
-- `kind`, `repo`, `issue` and `assignment` repeat what the body says, for the history.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    repo       TEXT,
    issue      INTEGER,
    assignment TEXT,
    body       TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_issue ON events (repo, issue, seq) WHERE repo IS NOT NULL;
CREATE INDEX events_by_assignment ON events (assignment, seq) WHERE assignment IS NOT NULL;
CREATE INDEX events_by_time ON events (at);

CREATE TABLE snapshots (
    seq     INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
    key         TEXT PRIMARY KEY,
    effect      TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'leased', 'done')),
    lease_owner TEXT,
    lease_until INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0,
    not_before  INTEGER NOT NULL,
    last_error  TEXT,
    queued_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_open ON outbox (queued_at) WHERE state <> 'done';

-- Read model: assignments that have left the board.
CREATE TABLE finished (
    id          TEXT PRIMARY KEY,
    repo        TEXT NOT NULL,
    issue       INTEGER NOT NULL,
    archived_at INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX finished_by_issue ON finished (repo, issue, seq);
CREATE INDEX finished_by_seq ON finished (seq);

-- The local forge. Issues and pull requests of a repository share one sequence of numbers.
CREATE TABLE forge_numbers (
    repo   TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (repo, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE forge_issues (
    repo   TEXT NOT NULL,
    number INTEGER NOT NULL,
    title  TEXT NOT NULL,
    body   TEXT NOT NULL,
    labels TEXT NOT NULL,
    author TEXT NOT NULL,
    open   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (repo, number),
    FOREIGN KEY (repo, number) REFERENCES forge_numbers (repo, number)
) STRICT;

CREATE TABLE forge_comments (
    id     INTEGER PRIMARY KEY,
    repo   TEXT NOT NULL,
    number INTEGER NOT NULL,
    author TEXT NOT NULL,
    body   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    FOREIGN KEY (repo, number) REFERENCES forge_numbers (repo, number)
) STRICT;
CREATE INDEX forge_comments_by_number ON forge_comments (repo, number, id);

CREATE TABLE forge_pulls (
    repo          TEXT NOT NULL,
    number        INTEGER NOT NULL,
    title         TEXT NOT NULL,
    body          TEXT NOT NULL,
    branch        TEXT NOT NULL,
    base          TEXT NOT NULL,
    merged_head   TEXT,
    merged_commit TEXT,
    at            INTEGER NOT NULL,
    PRIMARY KEY (repo, number),
    FOREIGN KEY (repo, number) REFERENCES forge_numbers (repo, number)
) STRICT;
CREATE UNIQUE INDEX forge_pulls_open ON forge_pulls (repo, branch, base) WHERE merged_commit IS NULL;
