-- The database of sessions and conversions, read top-down: accounts, keys, usage, sessions, conversions.
--
-- Every time is a whole number of seconds since 1970-01-01 00:00:00 UTC: compact, and compared as numbers.
-- Checks and triggers refuse a wrong row, whatever program writes it. Foreign keys alone would not do: SQLite enforces them only for
-- programs that ask for it.

PRAGMA application_id = 1095267682;  -- "AHub": tells this program's databases from those of others
PRAGMA user_version = 3;


-- An account is one customer of the API: one primary domain, its own sessions and conversions.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never reused, so a new account cannot inherit rows of a deleted one
    domain TEXT NOT NULL UNIQUE CHECK (domain <> ''),
    -- Calls per calendar month (UTC). NULL: there is no limit, and calls are not counted.
    monthly_limit INTEGER CHECK (monthly_limit >= 0),
    -- Calls made elsewhere; each month's count starts at this number.
    used_elsewhere INTEGER NOT NULL DEFAULT 0 CHECK (used_elsewhere >= 0),
    -- The day, as YYYY-MM-DD, up to which the account holds bundled data. NULL: it holds imported data.
    seeded_to TEXT CHECK (seeded_to IS date(seeded_to)),
    -- Seconds; no session of the account is longer (see the triggers). Bounds the search for sessions that overlap
    -- a window (POOL in app/strategies.py).
    longest_session INTEGER NOT NULL DEFAULT 0 CHECK (longest_session >= 0),
    -- 1: the mock created it for a test, and a reset deletes it.
    is_temporary INTEGER NOT NULL DEFAULT 0 CHECK (is_temporary IN (0, 1))
) STRICT;

-- A key opens one account. Only its SHA-256 is stored, so the file does not reveal keys.
CREATE TABLE keys (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    account_id INTEGER NOT NULL REFERENCES accounts,
    -- Tells keys apart in a list: their first characters, too few to help anyone guess the rest.
    prefix TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT, WITHOUT ROWID;

-- The calls of an account with a limit in a month, as YYYY-MM.
CREATE TABLE usage (
    account_id INTEGER NOT NULL REFERENCES accounts,
    month TEXT NOT NULL CHECK (month IS strftime('%Y-%m', month || '-01')),
    used INTEGER NOT NULL CHECK (used > 0),
    PRIMARY KEY (account_id, month)
) STRICT, WITHOUT ROWID;


-- A session is one visit. The session filters of a request are columns of the same names: source to landing_page.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts,
    session_id TEXT NOT NULL CHECK (session_id <> ''),
    started_at INTEGER NOT NULL CHECK (started_at >= -62135596800),   -- 0001-01-01 00:00:00
    ended_at INTEGER NOT NULL CHECK (ended_at <= 253402300799),       -- 9999-12-31 23:59:59

    utm_source TEXT,
    utm_medium TEXT,
    derived_source TEXT NOT NULL CHECK (derived_source <> ''),
    derived_medium TEXT NOT NULL CHECK (derived_medium <> ''),

    -- "If utm_source is present, it overrides the derived source." "If utm_medium is present, it overrides the derived medium."
    -- A check, not a generated column: SQLite does not use an index on a generated column as a covering index, so a count would
    -- look up every row in the table.
    source TEXT NOT NULL CHECK (source = coalesce(nullif(utm_source, ''), derived_source)),
    medium TEXT NOT NULL CHECK (medium = coalesce(nullif(utm_medium, ''), derived_medium)),
    campaign TEXT,
    content TEXT,
    term TEXT,
    landing_page TEXT NOT NULL CHECK (landing_page <> ''),

    CHECK (ended_at >= started_at),

    -- Finds a session that is imported twice, and all sessions of an account.
    UNIQUE (account_id, session_id)
) STRICT;

-- One index for each session filter. The account and the filter's value find the pool; started_at bounds it and, with id right after
-- it, gives the order without a sort. ended_at is here so that a query with a single session filter need not read the table.
CREATE INDEX sessions_by_source ON sessions (account_id, source, started_at, id, ended_at);
CREATE INDEX sessions_by_medium ON sessions (account_id, medium, started_at, id, ended_at);
CREATE INDEX sessions_by_campaign ON sessions (account_id, campaign, started_at, id, ended_at);
CREATE INDEX sessions_by_content ON sessions (account_id, content, started_at, id, ended_at);
CREATE INDEX sessions_by_term ON sessions (account_id, term, started_at, id, ended_at);
CREATE INDEX sessions_by_landing_page ON sessions (account_id, landing_page, started_at, id, ended_at);


-- A conversion is one event within a session.
CREATE TABLE conversions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL,   -- copied from its session, so that indexes can start with it
    session_id INTEGER NOT NULL REFERENCES sessions,
    timestamp INTEGER NOT NULL,
    email TEXT,
    conversion_page TEXT NOT NULL CHECK (conversion_page <> ''),
    previous_page TEXT,
    meta_type TEXT NOT NULL,
    meta_id TEXT NOT NULL
) STRICT;

-- A direct query reads one of these backwards: the account's conversions, or those with a filter's value, newest first. It needs no
-- sort, since SQLite ends every index with the id.
CREATE INDEX conversions_by_timestamp ON conversions (account_id, timestamp);
CREATE INDEX conversions_by_conversion_page ON conversions (account_id, conversion_page, timestamp);
CREATE INDEX conversions_by_meta_type ON conversions (account_id, meta_type, timestamp);
CREATE INDEX conversions_by_meta_id ON conversions (account_id, meta_id, timestamp);

-- A session query looks up the conversions of each session; deleting a session finds them too.
CREATE INDEX conversions_by_session ON conversions (session_id, timestamp);


-- What the columns cannot express.

-- A session belongs to an account that exists, and a session that exists is not replaced (REPLACE would skip the triggers on DELETE).
CREATE TRIGGER session_belongs_to_an_account BEFORE INSERT ON sessions
WHEN NOT EXISTS (SELECT 1 FROM accounts WHERE id = new.account_id) OR EXISTS (SELECT 1 FROM sessions WHERE id = new.id)
  OR EXISTS (SELECT 1 FROM sessions WHERE account_id = new.account_id AND session_id = new.session_id)
BEGIN
    SELECT raise(ABORT, 'a session belongs to an account that exists, and its id and session_id are new');
END;

-- A conversion belongs to its session's account, and lies within its session.
CREATE TRIGGER conversion_lies_within_its_session BEFORE INSERT ON conversions
WHEN NOT EXISTS (
    SELECT 1 FROM sessions
    WHERE id = new.session_id AND account_id = new.account_id AND new.timestamp BETWEEN started_at AND ended_at
)
BEGIN
    SELECT raise(ABORT, 'a conversion lies within its session, of the same account');
END;

-- A new account starts empty.
CREATE TRIGGER account_starts_empty BEFORE INSERT ON accounts
WHEN EXISTS (SELECT 1 FROM accounts WHERE id = new.id OR domain = new.domain)
  OR EXISTS (SELECT 1 FROM sessions WHERE account_id = new.id) OR EXISTS (SELECT 1 FROM keys WHERE account_id = new.id)
  OR EXISTS (SELECT 1 FROM usage WHERE account_id = new.id)
BEGIN
    SELECT raise(ABORT, 'a new account has an id and a domain of its own, and no sessions, keys or calls yet');
END;

-- Updates cannot break these rules either.
CREATE TRIGGER account_keeps_its_id BEFORE UPDATE OF id ON accounts
BEGIN
    SELECT raise(ABORT, 'an account keeps its id');
END;

CREATE TRIGGER session_keeps_its_times BEFORE UPDATE OF id, account_id, started_at, ended_at ON sessions
BEGIN
    SELECT raise(ABORT, 'a session keeps its account and times');
END;

CREATE TRIGGER conversion_keeps_its_session BEFORE UPDATE OF account_id, session_id, timestamp ON conversions
BEGIN
    SELECT raise(ABORT, 'a conversion keeps its account, session and timestamp');
END;

-- longest_session grows with the sessions, and never gets too short for them.
CREATE TRIGGER longest_session_grows AFTER INSERT ON sessions
WHEN new.ended_at - new.started_at > (SELECT longest_session FROM accounts WHERE id = new.account_id)
BEGIN
    UPDATE accounts SET longest_session = new.ended_at - new.started_at WHERE id = new.account_id;
END;

CREATE TRIGGER longest_session_stays_long_enough BEFORE UPDATE OF longest_session ON accounts
WHEN new.longest_session < old.longest_session
  AND EXISTS (SELECT 1 FROM sessions WHERE account_id = new.id AND ended_at - started_at > new.longest_session)
BEGIN
    SELECT raise(ABORT, 'no session of an account is longer than its longest_session');
END;

-- Deleting a row deletes everything that belongs to it.
CREATE TRIGGER deleting_account_deletes_its_rows BEFORE DELETE ON accounts
BEGIN
    DELETE FROM keys WHERE account_id = old.id;
    DELETE FROM usage WHERE account_id = old.id;
    DELETE FROM sessions WHERE account_id = old.id;
END;

CREATE TRIGGER deleting_session_deletes_its_conversions BEFORE DELETE ON sessions
BEGIN
    DELETE FROM conversions WHERE session_id = old.id;
END;
