-- What came without a sequence, from clients of Clear Linux, and must not be stored again.
CREATE TABLE kept_once (
    agent_id     uuid        NOT NULL,
    sha256       bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent_id, sha256)
);
CREATE INDEX kept_once_received_at ON kept_once (received_at);

COMMENT ON TABLE kept_once IS 'Records that came without a sequence, by what they say: the same is not stored again. Forgotten after 35 days.';
COMMENT ON COLUMN kept_once.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN kept_once.sha256 IS 'SHA-256 of its fields and payload.';
COMMENT ON COLUMN kept_once.received_at IS 'When it was stored.';
