-- Records are counted after they were stored, and it is known up to where.
CREATE TABLE counted (
    agent_id  uuid        NOT NULL,
    epoch     uuid        NOT NULL,
    seq       bigint      NOT NULL DEFAULT 0,
    at        timestamptz NOT NULL DEFAULT 'epoch',
    PRIMARY KEY (agent_id, epoch)
) WITH (fillfactor = 35); -- as in V10
INSERT INTO counted (agent_id, epoch, seq, at)
SELECT agent_id, epoch, stored_seq, CASE WHEN isfinite(stored_at) THEN stored_at ELSE 'epoch' END FROM senders;

COMMENT ON TABLE counted IS 'Up to where the records of a sender are in fingerprints, rollups, sightings and triage: within a second or two of senders.stored_seq.';
COMMENT ON COLUMN counted.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN counted.epoch IS 'The spool.';
COMMENT ON COLUMN counted.seq IS 'The sequence.';
COMMENT ON COLUMN counted.at IS 'received_at of the record that has it.';
