-- Issues that are opened once, and issues below issues.

-- The key under which the coordinator opened the issue.
ALTER TABLE forge_issues ADD COLUMN key TEXT;
CREATE UNIQUE INDEX forge_issues_by_key ON forge_issues (repo, key) WHERE key IS NOT NULL;

-- An issue has one parent at most. `position` rises from sibling to sibling.
CREATE TABLE forge_sub_issues (
    repo     TEXT NOT NULL,
    number   INTEGER NOT NULL,
    parent   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (repo, number),
    FOREIGN KEY (repo, number) REFERENCES forge_issues (repo, number),
    FOREIGN KEY (repo, parent) REFERENCES forge_issues (repo, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX forge_sub_issues_in_order ON forge_sub_issues (repo, parent, position);

-- The same for repositories whose forge is on the network, as it was last seen.
CREATE TABLE mirror_sub_issues (
    repo     TEXT NOT NULL,
    number   INTEGER NOT NULL,
    parent   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (repo, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX mirror_sub_issues_in_order ON mirror_sub_issues (repo, parent, position);

-- Issues on the network that were begun to be opened, until it is known what came of that.
-- `route` and `issue` are what was sent, and where.
CREATE TABLE forge_openings (
    scope TEXT NOT NULL,
    route TEXT NOT NULL,
    issue TEXT NOT NULL,
    key   TEXT NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (scope, route, issue)
) STRICT;
