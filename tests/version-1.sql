-- A database of schema version 1, as its program left it: an account with a limit, a key, a used call, two sessions, two conversions.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    domain TEXT NOT NULL UNIQUE CHECK (domain <> ''),
    monthly_limit INTEGER CHECK (monthly_limit >= 0),
    used_elsewhere INTEGER NOT NULL DEFAULT 0 CHECK (used_elsewhere >= 0),
    seeded_to TEXT CHECK (seeded_to IS date(seeded_to))
) STRICT;
INSERT INTO "accounts" VALUES(1,'mine.example',100,0,NULL);
CREATE TABLE conversions (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    session_id INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    timestamp INTEGER NOT NULL,
    email TEXT,
    conversion_page TEXT NOT NULL CHECK (conversion_page <> ''),
    previous_page TEXT,
    meta_type TEXT NOT NULL,
    meta_id TEXT NOT NULL
) STRICT;
INSERT INTO "conversions" VALUES(1,1,1,1752574440,'a@mine.example','https://mine.example/thankyou','https://mine.example/pricing','html_form','lead-capture-form-1');
INSERT INTO "conversions" VALUES(2,1,1,1752574440,NULL,'https://mine.example/thankyou',NULL,'custom','brochure');
CREATE TABLE generation (number INTEGER NOT NULL) STRICT;
INSERT INTO "generation" VALUES(8960423192443297447);
CREATE TABLE keys (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    prefix TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT, WITHOUT ROWID;
INSERT INTO "keys" VALUES(X'2C70E12B7A0646F92279F427C7B38E7334D8E5389CFF167A1DC30E73F826B683',1,'',1795581424);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    session_id TEXT NOT NULL CHECK (session_id <> ''),
    started_at INTEGER NOT NULL CHECK (started_at >= -62135596800),
    ended_at INTEGER NOT NULL CHECK (ended_at <= 253402300799),
    utm_source TEXT,
    utm_medium TEXT,
    derived_source TEXT NOT NULL CHECK (derived_source <> ''),
    derived_medium TEXT NOT NULL CHECK (derived_medium <> ''),
    source TEXT NOT NULL CHECK (source = coalesce(nullif(utm_source, ''), derived_source)),
    medium TEXT NOT NULL CHECK (medium = coalesce(nullif(utm_medium, ''), derived_medium)),
    campaign TEXT,
    content TEXT,
    term TEXT,
    landing_page TEXT NOT NULL CHECK (landing_page <> ''),
    converts INTEGER NOT NULL CHECK (converts IN (0, 1)),
    CHECK (ended_at BETWEEN started_at AND started_at + 86400),
    UNIQUE (account_id, session_id)
) STRICT;
INSERT INTO "sessions" VALUES(1,1,'s-1',1752573600,1752574800,'google.com','cpc','google.com','organic','google.com','cpc',NULL,NULL,NULL,'https://mine.example/pricing',1);
INSERT INTO "sessions" VALUES(2,1,'s-2',1752577200,1752577200,NULL,NULL,'(direct)','(none)','(direct)','(none)',NULL,NULL,NULL,'https://mine.example/',0);
CREATE TABLE usage (
    account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    month TEXT NOT NULL CHECK (month IS strftime('%Y-%m', month || '-01')),
    used INTEGER NOT NULL CHECK (used > 0),
    PRIMARY KEY (account_id, month)
) STRICT, WITHOUT ROWID;
INSERT INTO "usage" VALUES(1,'2025-08',1);
CREATE TRIGGER conversion_within_its_session BEFORE INSERT ON conversions
WHEN NOT EXISTS (
    SELECT 1 FROM sessions
    WHERE id = new.session_id AND account_id = new.account_id AND new.timestamp BETWEEN started_at AND ended_at AND converts = 1
)
BEGIN
    SELECT raise(ABORT, 'a conversion lies within a session of its own account that converts');
END;
CREATE TRIGGER conversion_stays BEFORE UPDATE OF account_id, session_id, timestamp ON conversions
BEGIN
    SELECT raise(ABORT, 'a conversion keeps its account, session and timestamp');
END;
CREATE TRIGGER session_stays BEFORE UPDATE OF id, account_id, started_at, ended_at, converts ON sessions
BEGIN
    SELECT raise(ABORT, 'a session keeps its account and times, and whether it converts');
END;
CREATE INDEX sessions_by_source ON sessions (account_id, source, started_at, id, ended_at);
CREATE INDEX sessions_by_medium ON sessions (account_id, medium, started_at, id, ended_at);
CREATE INDEX sessions_by_campaign ON sessions (account_id, campaign, started_at, id, ended_at);
CREATE INDEX sessions_by_content ON sessions (account_id, content, started_at, id, ended_at);
CREATE INDEX sessions_by_term ON sessions (account_id, term, started_at, id, ended_at);
CREATE INDEX sessions_by_landing_page ON sessions (account_id, landing_page, started_at, id, ended_at);
CREATE INDEX converting_sessions_by_source ON sessions (account_id, source, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_medium ON sessions (account_id, medium, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_campaign ON sessions (account_id, campaign, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_content ON sessions (account_id, content, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_term ON sessions (account_id, term, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX converting_sessions_by_landing_page ON sessions (account_id, landing_page, started_at, id, ended_at, converts) WHERE converts = 1;
CREATE INDEX sessions_by_end ON sessions (account_id, ended_at);
CREATE INDEX conversions_by_timestamp ON conversions (account_id, timestamp);
CREATE INDEX conversions_by_conversion_page ON conversions (account_id, conversion_page, timestamp);
CREATE INDEX conversions_by_meta_type ON conversions (account_id, meta_type, timestamp);
CREATE INDEX conversions_by_meta_id ON conversions (account_id, meta_id, timestamp);
CREATE INDEX conversions_by_session ON conversions (session_id, timestamp);
COMMIT;
