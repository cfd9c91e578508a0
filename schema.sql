-- The database of sessions and conversions, read top-down: accounts, keys, usage, sessions, conversions.
--
-- Every time is a whole number of seconds since 1970-01-01 00:00:00 UTC: compact, and free of the traps of comparing text.
-- A wrong row is impossible here, whatever program writes it: checks, foreign keys and triggers refuse it.

PRAGMA user_version = 1;


-- An account is one customer of the API: one primary domain, its own sessions and conversions.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    domain TEXT NOT NULL UNIQUE CHECK (domain <> ''),
    -- Calls a calendar month (UTC); NULL: no limit, and calls are not counted.
    monthly_limit INTEGER CHECK (monthly_limit >= 0),
    -- What each month's count starts from: calls that the account makes elsewhere.
    used_elsewhere INTEGER NOT NULL DEFAULT 0 CHECK (used_elsewhere >= 0),
    -- The day, as YYYY-MM-DD, up to which the account holds bundled data; NULL: it holds somebody's own.
    seeded_to TEXT CHECK (seeded_to IS date(seeded_to))
) STRICT;

-- A key opens one account. Only its SHA-256 is kept, so that the file gives no key away.
CREATE TABLE keys (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    -- What tells keys apart in a list: their first characters, too few to help anyone guess the rest.
    prefix TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT, WITHOUT ROWID;

-- What an account with a limit has used of it in a month, as YYYY-MM.
CREATE TABLE usage (
    account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    month TEXT NOT NULL CHECK (month IS strftime('%Y-%m', month || '-01')),
    used INTEGER NOT NULL CHECK (used > 0),
    PRIMARY KEY (account_id, month)
) STRICT, WITHOUT ROWID;


-- Which state of the data this is: another number after every import and seeding, drawn at random, so that no two states of any
-- two files have the same. What is remembered between requests is remembered of a generation (fences.py): whoever writes sessions or
-- conversions by other means than the commands has to change it too.
CREATE TABLE generation (number INTEGER NOT NULL) STRICT;
INSERT INTO generation VALUES (random());


-- A session is one visit. What a request can filter it by stands in six columns of those names: source to landing_page.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    session_id TEXT NOT NULL CHECK (session_id <> ''),
    started_at INTEGER NOT NULL CHECK (started_at >= -62135596800),   -- 0001-01-01 00:00:00
    ended_at INTEGER NOT NULL CHECK (ended_at <= 253402300799),       -- 9999-12-31 23:59:59

    utm_source TEXT,
    utm_medium TEXT,
    derived_source TEXT NOT NULL CHECK (derived_source <> ''),
    derived_medium TEXT NOT NULL CHECK (derived_medium <> ''),

    -- "If utm_source is present, it overrides the derived source." "If utm_medium is present, it overrides the derived medium."
    -- Checked rather than generated: SQLite never takes an index on a generated column for a covering one, and a count would
    -- look up every row in the table.
    source TEXT NOT NULL CHECK (source = coalesce(nullif(utm_source, ''), derived_source)),
    medium TEXT NOT NULL CHECK (medium = coalesce(nullif(utm_medium, ''), derived_medium)),
    campaign TEXT,
    content TEXT,
    term TEXT,
    landing_page TEXT NOT NULL CHECK (landing_page <> ''),

    -- Whether it has conversions; one that does not gets none (see the trigger).
    converts INTEGER NOT NULL CHECK (converts IN (0, 1)),

    CHECK (ended_at >= started_at),

    -- Finds a session that is imported twice, and all of an account's sessions.
    UNIQUE (account_id, session_id)
) STRICT;

-- One index for each session filter: the account and the filter's value find the pool, started_at bounds it and, with id,
-- puts it in order without a sort (a column between the two would cost one); ended_at, read here, spares the table.
CREATE INDEX sessions_by_source ON sessions (account_id, source, started_at, id, ended_at);
CREATE INDEX sessions_by_medium ON sessions (account_id, medium, started_at, id, ended_at);
CREATE INDEX sessions_by_campaign ON sessions (account_id, campaign, started_at, id, ended_at);
CREATE INDEX sessions_by_content ON sessions (account_id, content, started_at, id, ended_at);
CREATE INDEX sessions_by_term ON sessions (account_id, term, started_at, id, ended_at);
CREATE INDEX sessions_by_landing_page ON sessions (account_id, landing_page, started_at, id, ended_at);

-- The same of those sessions alone that convert: finds the next conversions of a pool without looking at the sessions between.
CREATE INDEX converting_sessions_by_source ON sessions (account_id, source, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_medium ON sessions (account_id, medium, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_campaign ON sessions (account_id, campaign, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_content ON sessions (account_id, content, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_term ON sessions (account_id, term, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_landing_page ON sessions (account_id, landing_page, started_at, id, ended_at, converts) WHERE converts = 1;

-- Tells whether two windows that start at different moments have the same sessions (fences.py).
CREATE INDEX sessions_by_end ON sessions (account_id, ended_at);


-- A conversion is one event within a session.
CREATE TABLE conversions (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,   -- its session's, repeated for the indexes
    session_id INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    timestamp INTEGER NOT NULL,
    email TEXT,
    conversion_page TEXT NOT NULL CHECK (conversion_page <> ''),
    previous_page TEXT,
    meta_type TEXT NOT NULL,
    meta_id TEXT NOT NULL
) STRICT;

-- A direct query reads one of these backwards: the account's conversions, or those with a filter's value, newest first.
-- The order needs no sort, for the id ends every index by itself.
CREATE INDEX conversions_by_timestamp ON conversions (account_id, timestamp);
CREATE INDEX conversions_by_conversion_page ON conversions (account_id, conversion_page, timestamp);
CREATE INDEX conversions_by_meta_type ON conversions (account_id, meta_type, timestamp);
CREATE INDEX conversions_by_meta_id ON conversions (account_id, meta_id, timestamp);

-- A session query looks up the conversions of each session that it takes; deleting a session finds them too.
CREATE INDEX conversions_by_session ON conversions (session_id, timestamp);

-- What a foreign key cannot say: a conversion is of its session's account, and lies within its session.
CREATE TRIGGER conversion_within_its_session BEFORE INSERT ON conversions
WHEN NOT EXISTS (
    SELECT 1 FROM sessions
    WHERE id = new.session_id AND account_id = new.account_id AND new.timestamp BETWEEN started_at AND ended_at AND converts = 1
)
BEGIN
    SELECT raise(ABORT, 'a conversion lies within a session of its own account that converts');
END;

-- Nor can either become wrong later.
CREATE TRIGGER conversion_stays BEFORE UPDATE OF account_id, session_id, timestamp ON conversions
BEGIN
    SELECT raise(ABORT, 'a conversion keeps its account, session and timestamp');
END;

CREATE TRIGGER session_stays BEFORE UPDATE OF id, account_id, started_at, ended_at, converts ON sessions
BEGIN
    SELECT raise(ABORT, 'a session keeps its account and times, and whether it converts');
END;
