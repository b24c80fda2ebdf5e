-- Which host had which issue on which day, and in what: what rates, comparisons and survival are computed from, without
-- looking at records.

CREATE TABLE sightings (
    agent_id        uuid        NOT NULL,
    day             timestamptz NOT NULL,
    issue           uuid        NOT NULL,
    os_build        text        NOT NULL,
    kernel_release  text        NOT NULL,
    product         text        NOT NULL,
    first_at        timestamptz NOT NULL,
    records         bigint      NOT NULL,
    PRIMARY KEY (agent_id, day, issue, os_build, kernel_release, product)
) WITH (fillfactor = 35); -- as in V10
CREATE INDEX sightings_day ON sightings (day);
CREATE INDEX sightings_issue ON sightings (issue, day);

COMMENT ON TABLE sightings IS 'Which host had which issue on which day, and in what.';
COMMENT ON COLUMN sightings.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN sightings.day IS 'Start of the day (UTC) of received_at.';
COMMENT ON COLUMN sightings.issue IS 'The fingerprint that its records are grouped by.';
COMMENT ON COLUMN sightings.os_build IS 'Build that the host ran.';
COMMENT ON COLUMN sightings.kernel_release IS 'uname -r when it happened.';
COMMENT ON COLUMN sightings.product IS 'Hardware model.';
COMMENT ON COLUMN sightings.first_at IS 'received_at of the first of that day.';
COMMENT ON COLUMN sightings.records IS 'How many.';
