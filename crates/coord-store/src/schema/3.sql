-- Read model: what each ended assignment cost, and what became of its work.
CREATE TABLE usage (
    id       TEXT PRIMARY KEY,
    repo     TEXT NOT NULL,
    issue    INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    model    TEXT,
    -- By the clock of the log, as the budgets count; the day is that of `ended_at` in UTC.
    ended_at INTEGER NOT NULL,
    day      INTEGER NOT NULL,
    state    TEXT NOT NULL,
    fate     TEXT NOT NULL,
    -- Millionths of a US dollar.
    cost     INTEGER NOT NULL,
    turns    INTEGER NOT NULL,
    -- Whether any assignment for the same issue is merged.
    solved   INTEGER NOT NULL
) STRICT;
-- Each has all columns of a question, in the order that it groups by.
CREATE INDEX usage_by_issue ON usage (repo, issue, state, fate, solved, ended_at, turns, cost);
CREATE INDEX usage_by_kind ON usage (kind, repo, model, state, fate, solved, ended_at, turns, cost);
CREATE INDEX usage_by_day ON usage (day, state, fate, solved, ended_at, turns, cost);

-- Nothing has been filled in yet.
INSERT INTO meta (key, value) VALUES ('usage_version', 0);
