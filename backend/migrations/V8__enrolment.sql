-- Who may deliver: the collector's own certificate authority, tokens, and the agents that have its certificates.

CREATE TABLE authority (
    one          boolean     PRIMARY KEY DEFAULT true CHECK (one),
    certificate  bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE authority IS 'The certificate authority that signs the keys of agents, at most one.';
COMMENT ON COLUMN authority.one IS 'Always true: there is one authority.';
COMMENT ON COLUMN authority.certificate IS 'X.509, DER.';
COMMENT ON COLUMN authority.created_at IS 'When it was made.';

-- By itself, so that rights on the certificate are none on the key.
CREATE TABLE authority_key (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one) REFERENCES authority (one) ON DELETE CASCADE,
    key  bytea   NOT NULL
);
REVOKE ALL ON authority_key FROM PUBLIC;
COMMENT ON TABLE authority_key IS 'Its private key. Whoever reads it can be any agent: no role for queries has a right on it.';
COMMENT ON COLUMN authority_key.one IS 'Always true: the key of the one authority.';
COMMENT ON COLUMN authority_key.key IS 'PKCS #8, DER.';

CREATE TABLE enrolment_tokens (
    token_sha256  bytea       PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    agent_id      uuid,
    uses          integer     NOT NULL CHECK (uses > 0),
    used          integer     NOT NULL DEFAULT 0 CHECK (used BETWEEN 0 AND uses),
    note          text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz
);
COMMENT ON TABLE enrolment_tokens IS 'What hosts enrol with. A token''s id is the first 16 hexadecimal digits of its hash.';
COMMENT ON COLUMN enrolment_tokens.token_sha256 IS 'SHA-256 of the token, which is kept nowhere.';
COMMENT ON COLUMN enrolment_tokens.agent_id IS 'The only agent that it is for; null: any that has no certificate yet.';
COMMENT ON COLUMN enrolment_tokens.uses IS 'How many hosts may enrol with it.';
COMMENT ON COLUMN enrolment_tokens.used IS 'How many have.';
COMMENT ON COLUMN enrolment_tokens.note IS 'What it is for, in words of whoever made it.';
COMMENT ON COLUMN enrolment_tokens.created_at IS 'When it was made.';
COMMENT ON COLUMN enrolment_tokens.expires_at IS 'No host enrols with it from then on.';
COMMENT ON COLUMN enrolment_tokens.revoked_at IS 'When it was taken back; null: it was not.';

CREATE TABLE enrolled_agents (
    agent_id      uuid        PRIMARY KEY,
    token_sha256  bytea       NOT NULL,
    enrolled_at   timestamptz NOT NULL DEFAULT now(),
    renewed_at    timestamptz,
    not_after     timestamptz NOT NULL
);
COMMENT ON TABLE enrolled_agents IS 'Agents that have a certificate of the authority: they are taken for themselves with it only.';
COMMENT ON COLUMN enrolled_agents.agent_id IS 'The agent.';
COMMENT ON COLUMN enrolled_agents.token_sha256 IS 'SHA-256 of the token that it enrolled with.';
COMMENT ON COLUMN enrolled_agents.enrolled_at IS 'When it got its first certificate.';
COMMENT ON COLUMN enrolled_agents.renewed_at IS 'When it got its last one; null: it has the first.';
COMMENT ON COLUMN enrolled_agents.not_after IS 'When that certificate ends to be valid.';

CREATE TABLE revoked_agents (
    agent_id    uuid        PRIMARY KEY,
    revoked_at  timestamptz NOT NULL DEFAULT now(),
    note        text        NOT NULL DEFAULT ''
);
COMMENT ON TABLE revoked_agents IS 'Agents that are shut out, whether they were enrolled or not.';
COMMENT ON COLUMN revoked_agents.agent_id IS 'The agent.';
COMMENT ON COLUMN revoked_agents.revoked_at IS 'When it was shut out.';
COMMENT ON COLUMN revoked_agents.note IS 'Why, in words of whoever did it.';
