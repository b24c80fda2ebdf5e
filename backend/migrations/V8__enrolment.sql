-- Who may deliver: the collector's own certificate authority, tokens, and the agents that have its certificates.

CREATE TABLE authority (
    one          boolean     PRIMARY KEY DEFAULT true CHECK (one),
    -- X.509, DER.
    certificate  bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE authority IS 'The certificate authority that signs the keys of agents, at most one.';

-- By itself, so that rights on the certificate are none on the key.
CREATE TABLE authority_key (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one) REFERENCES authority (one) ON DELETE CASCADE,
    -- PKCS #8, DER.
    key  bytea   NOT NULL
);
REVOKE ALL ON authority_key FROM PUBLIC;
COMMENT ON TABLE authority_key IS 'Its private key. Whoever reads it can be any agent: no role for queries has a right on it.';

CREATE TABLE enrolment_tokens (
    -- SHA-256 of the token, which is kept nowhere.
    token_sha256  bytea       PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    -- The only agent that it is for; null: any that has no certificate yet.
    agent_id      uuid,
    uses          integer     NOT NULL CHECK (uses > 0),
    used          integer     NOT NULL DEFAULT 0 CHECK (used BETWEEN 0 AND uses),
    note          text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz
);
COMMENT ON TABLE enrolment_tokens IS 'What hosts enrol with. A token''s id is the first 16 hexadecimal digits of its hash.';

CREATE TABLE enrolled_agents (
    agent_id      uuid        PRIMARY KEY,
    token_sha256  bytea       NOT NULL,
    enrolled_at   timestamptz NOT NULL DEFAULT now(),
    renewed_at    timestamptz,
    -- When the last certificate ends to be valid.
    not_after     timestamptz NOT NULL
);
COMMENT ON TABLE enrolled_agents IS 'Agents that have a certificate of the authority: they are taken for themselves with it only.';

CREATE TABLE revoked_agents (
    agent_id    uuid        PRIMARY KEY,
    revoked_at  timestamptz NOT NULL DEFAULT now(),
    note        text        NOT NULL DEFAULT ''
);
COMMENT ON TABLE revoked_agents IS 'Agents that are shut out, whether they were enrolled or not.';
