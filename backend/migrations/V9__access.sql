-- Which people and programs may ask, and what was done by whom. All are reference tables where tables are distributed.

CREATE TABLE people (
    name        text        PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    role        text        NOT NULL CHECK (role IN ('viewer', 'triager', 'admin')),
    password    text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE people IS 'Who may sign in on the pages.';
COMMENT ON COLUMN people.name IS 'The name they sign in with.';
COMMENT ON COLUMN people.role IS 'viewer: sees everything but secrets; triager: changes issues too; admin: everything.';
COMMENT ON COLUMN people.password IS 'Argon2id of the password, in the PHC string format.';
COMMENT ON COLUMN people.created_at IS 'When they were added.';
COMMENT ON COLUMN people.changed_at IS 'When their role or password was last changed.';

CREATE TABLE sessions (
    token_sha256  bytea       PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    name          text        NOT NULL REFERENCES people (name) ON DELETE CASCADE,
    created_at    timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_name ON sessions (name);
COMMENT ON TABLE sessions IS 'Browsers that are signed in.';
COMMENT ON COLUMN sessions.token_sha256 IS 'SHA-256 of the cookie, which is kept nowhere.';
COMMENT ON COLUMN sessions.name IS 'Who it is.';
COMMENT ON COLUMN sessions.created_at IS 'When they signed in.';
COMMENT ON COLUMN sessions.seen_at IS 'When they last asked for something, to within five minutes.';

CREATE TABLE api_tokens (
    token_sha256  bytea       PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    role          text        NOT NULL CHECK (role IN ('viewer', 'triager', 'admin')),
    note          text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz
);
COMMENT ON TABLE api_tokens IS 'What programs show to ask. A token''s id is the first 16 hexadecimal digits of its hash.';
COMMENT ON COLUMN api_tokens.token_sha256 IS 'SHA-256 of the token, which is kept nowhere.';
COMMENT ON COLUMN api_tokens.role IS 'What the program may do, as for people.';
COMMENT ON COLUMN api_tokens.note IS 'Which program it is for; the name under which its changes are kept.';
COMMENT ON COLUMN api_tokens.created_at IS 'When it was made.';
COMMENT ON COLUMN api_tokens.expires_at IS 'It is refused from then on.';
COMMENT ON COLUMN api_tokens.revoked_at IS 'When it was taken back; null: it was not.';

CREATE TABLE audit_log (
    id      uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    at      timestamptz NOT NULL DEFAULT now(),
    who     text        NOT NULL,
    action  text        NOT NULL,
    object  text        NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at);
COMMENT ON TABLE audit_log IS 'Who signed in, and who changed what about people, tokens and agents. Changes of issues are in triage_history.';
COMMENT ON COLUMN audit_log.id IS 'Of this entry.';
COMMENT ON COLUMN audit_log.at IS 'When.';
COMMENT ON COLUMN audit_log.who IS 'Who did it; command line: somebody who may run commands on the collector.';
COMMENT ON COLUMN audit_log.action IS 'What, such as sign-in, sign-in-refused, people.add or api-token.revoke.';
COMMENT ON COLUMN audit_log.object IS 'What it was done to.';
