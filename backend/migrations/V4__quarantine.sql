-- Records that could not be understood, as they came. What stands for them is in records, as telemetry.undecodable.
CREATE TABLE quarantine (
    agent_id     uuid        NOT NULL,
    epoch        uuid        NOT NULL,
    seq          bigint      NOT NULL,
    received_at  timestamptz NOT NULL,
    -- What is wrong, at most 256 bytes.
    reason       text        NOT NULL,
    sent         bytea       NOT NULL,
    PRIMARY KEY (agent_id, epoch, seq)
);
CREATE INDEX quarantine_received_at ON quarantine (received_at);
