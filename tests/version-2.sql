-- A database of schema version 2, as its program left it, with the rows of version-1.sql.
PRAGMA application_id = 1095267682;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    domain TEXT NOT NULL UNIQUE CHECK (domain <> ''),
    monthly_limit INTEGER CHECK (monthly_limit >= 0),
    used_elsewhere INTEGER NOT NULL DEFAULT 0 CHECK (used_elsewhere >= 0),
    seeded_to TEXT CHECK (seeded_to IS date(seeded_to)),
    longest_session INTEGER NOT NULL DEFAULT 0 CHECK (longest_session >= 0),
    is_temporary INTEGER NOT NULL DEFAULT 0 CHECK (is_temporary IN (0, 1))
) STRICT;
INSERT INTO "accounts" VALUES(1,'mine.example',100,0,NULL,1200,0);
CREATE TABLE conversions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL,
    session_id INTEGER NOT NULL REFERENCES sessions,
    timestamp INTEGER NOT NULL,
    email TEXT,
    conversion_page TEXT NOT NULL CHECK (conversion_page <> ''),
    previous_page TEXT,
    meta_type TEXT NOT NULL,
    meta_id TEXT NOT NULL
) STRICT;
INSERT INTO "conversions" VALUES(1,1,1,1752574440,'a@mine.example','https://mine.example/thankyou','https://mine.example/pricing','html_form','lead-capture-form-1');
INSERT INTO "conversions" VALUES(2,1,1,1752574440,NULL,'https://mine.example/thankyou',NULL,'custom','brochure');
CREATE TABLE data_version (number INTEGER NOT NULL) STRICT;
INSERT INTO "data_version" VALUES(1833271565341243992);
CREATE TABLE keys (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    account_id INTEGER NOT NULL REFERENCES accounts,
    prefix TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT, WITHOUT ROWID;
INSERT INTO "keys" VALUES(X'2C70E12B7A0646F92279F427C7B38E7334D8E5389CFF167A1DC30E73F826B683',1,'',1795581424);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts,
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
    CHECK (ended_at >= started_at),
    UNIQUE (account_id, session_id)
) STRICT;
INSERT INTO "sessions" VALUES(1,1,'s-1',1752573600,1752574800,'google.com','cpc','google.com','organic','google.com','cpc',NULL,NULL,NULL,'https://mine.example/pricing',1);
INSERT INTO "sessions" VALUES(2,1,'s-2',1752577200,1752577200,NULL,NULL,'(direct)','(none)','(direct)','(none)',NULL,NULL,NULL,'https://mine.example/',0);
CREATE TABLE usage (
    account_id INTEGER NOT NULL REFERENCES accounts,
    month TEXT NOT NULL CHECK (month IS strftime('%Y-%m', month || '-01')),
    used INTEGER NOT NULL CHECK (used > 0),
    PRIMARY KEY (account_id, month)
) STRICT, WITHOUT ROWID;
INSERT INTO "usage" VALUES(1,'2025-08',1);
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
CREATE TRIGGER session_belongs_to_an_account BEFORE INSERT ON sessions
WHEN NOT EXISTS (SELECT 1 FROM accounts WHERE id = new.account_id) OR EXISTS (SELECT 1 FROM sessions WHERE id = new.id)
  OR EXISTS (SELECT 1 FROM sessions WHERE account_id = new.account_id AND session_id = new.session_id)
BEGIN
    SELECT raise(ABORT, 'a session belongs to an account that exists, and its id and session_id are new');
END;
CREATE TRIGGER conversion_lies_within_its_session BEFORE INSERT ON conversions
WHEN NOT EXISTS (
    SELECT 1 FROM sessions
    WHERE id = new.session_id AND account_id = new.account_id AND new.timestamp BETWEEN started_at AND ended_at AND converts = 1
)
BEGIN
    SELECT raise(ABORT, 'a conversion lies within a session that converts, of the same account');
END;
CREATE TRIGGER account_starts_empty BEFORE INSERT ON accounts
WHEN EXISTS (SELECT 1 FROM accounts WHERE id = new.id OR domain = new.domain)
  OR EXISTS (SELECT 1 FROM sessions WHERE account_id = new.id) OR EXISTS (SELECT 1 FROM keys WHERE account_id = new.id)
  OR EXISTS (SELECT 1 FROM usage WHERE account_id = new.id)
BEGIN
    SELECT raise(ABORT, 'a new account has an id and a domain of its own, and no sessions, keys or calls yet');
END;
CREATE TRIGGER account_keeps_its_id BEFORE UPDATE OF id ON accounts
BEGIN
    SELECT raise(ABORT, 'an account keeps its id');
END;
CREATE TRIGGER session_keeps_its_times BEFORE UPDATE OF id, account_id, started_at, ended_at, converts ON sessions
BEGIN
    SELECT raise(ABORT, 'a session keeps its account and times, and whether it converts');
END;
CREATE TRIGGER conversion_keeps_its_session BEFORE UPDATE OF account_id, session_id, timestamp ON conversions
BEGIN
    SELECT raise(ABORT, 'a conversion keeps its account, session and timestamp');
END;
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
COMMIT;
