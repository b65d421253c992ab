-- Read model: how the first attempt at each issue has done.
CREATE TABLE efforts (
    repo      TEXT NOT NULL,
    issue     INTEGER NOT NULL,
    -- Of the first worker that was started for it.
    model     TEXT,
    -- A JSON list.
    labels    TEXT NOT NULL,
    sent_back INTEGER NOT NULL,
    merged    INTEGER NOT NULL,
    PRIMARY KEY (repo, issue)
) STRICT, WITHOUT ROWID;

-- Nothing has been filled in yet.
INSERT INTO meta (key, value) VALUES ('efforts_version', 0);
