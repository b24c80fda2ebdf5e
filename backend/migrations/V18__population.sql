-- Who runs what, by the day, and how updates from one build to another went.

CREATE TABLE population (
    day         timestamptz      NOT NULL,
    dimension   text             NOT NULL,
    name        text             NOT NULL,
    hosts       bigint           NOT NULL,
    host_hours  double precision NOT NULL,
    PRIMARY KEY (day, dimension, name)
);

CREATE TABLE updates (
    agent_id    uuid        NOT NULL,
    at          timestamptz NOT NULL,
    from_build  text        NOT NULL,
    to_build    text        NOT NULL,
    outcome     text        NOT NULL CHECK (outcome IN ('runs', 'succeeded', 'failed')),
    PRIMARY KEY (agent_id, at, from_build, to_build, outcome)
);
CREATE INDEX updates_at ON updates (at);

CREATE VIEW v_population AS SELECT day, dimension, name, hosts, host_hours FROM population;

CREATE VIEW v_updates AS
SELECT date_trunc('day', at, 'UTC') AS day, from_build, to_build, outcome, count(DISTINCT agent_id) AS hosts
FROM updates
GROUP BY 1, 2, 3, 4;

COMMENT ON TABLE population IS 'How many hosts ran what on a day, by their heartbeats; worked out anew each hour for three days. A host that changed counts for both.';
COMMENT ON COLUMN population.day IS 'Start of the day (UTC).';
COMMENT ON COLUMN population.dimension IS 'build, kernel, model, cpu; all: every host.';
COMMENT ON COLUMN population.name IS 'Which build, kernel and so on; empty: not known, or all.';
COMMENT ON COLUMN population.hosts IS 'Hosts.';
COMMENT ON COLUMN population.host_hours IS 'For how many hours they were watched together.';
COMMENT ON TABLE updates IS 'What is known of updates of hosts from one build to another.';
COMMENT ON COLUMN updates.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN updates.at IS 'When it was stored.';
COMMENT ON COLUMN updates.from_build IS 'Build before.';
COMMENT ON COLUMN updates.to_build IS 'Build after; of a failed one, which it was to be.';
COMMENT ON COLUMN updates.outcome IS 'runs: the host said that it runs it now; succeeded, failed: the program that updates said so.';
COMMENT ON VIEW v_population IS 'Hosts by day and what they ran.';
COMMENT ON VIEW v_updates IS 'Hosts by day, update and what is known of it.';
