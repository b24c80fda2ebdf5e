-- Errors of single parts of machines by the hour, kept as they are stored, and how healthy each part is, which a job works out.

CREATE TABLE part_hours (
    agent_id     uuid        NOT NULL,
    kind         text        NOT NULL,
    part         text        NOT NULL,
    hour         timestamptz NOT NULL,
    model        text        NOT NULL,
    corrected    bigint      NOT NULL,
    uncorrected  bigint      NOT NULL,
    fatal        bigint      NOT NULL,
    spots        text[]      NOT NULL,
    stored_at    timestamptz NOT NULL,
    PRIMARY KEY (agent_id, kind, part, hour)
);
CREATE INDEX part_hours_stored ON part_hours (stored_at);

CREATE TABLE parts (
    agent_id     uuid             NOT NULL,
    kind         text             NOT NULL,
    part         text             NOT NULL,
    id           uuid             NOT NULL,
    model        text             NOT NULL,
    score        double precision NOT NULL,
    evidence     jsonb            NOT NULL,
    corrected    bigint           NOT NULL,
    uncorrected  bigint           NOT NULL,
    fatal        bigint           NOT NULL,
    most_a_day   bigint           NOT NULL,
    error_days   integer          NOT NULL,
    first_seen   timestamptz      NOT NULL,
    last_seen    timestamptz      NOT NULL,
    scored_at    timestamptz      NOT NULL,
    PRIMARY KEY (agent_id, kind, part)
);
CREATE INDEX parts_score  ON parts (score, id);
CREATE INDEX parts_id     ON parts (id);
CREATE INDEX parts_scored ON parts (scored_at);

-- How far the jobs are that look after them.
CREATE TABLE part_work (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    counted_from  timestamptz NOT NULL DEFAULT clock_timestamp(),
    scored_to     timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO part_work DEFAULT VALUES;

CREATE VIEW v_hardware AS
SELECT p.id, p.agent_id, coalesce(h.hostname, '') AS hostname, p.kind, p.part, p.model, p.score, p.evidence, p.corrected,
       p.uncorrected, p.fatal, p.most_a_day, p.error_days, p.first_seen, p.last_seen, p.scored_at,
       coalesce(d.manufacturer, '') AS manufacturer, coalesce(d.part_number, '') AS part_number,
       coalesce(d.technology, '') AS technology, coalesce(d.size_bytes, 0) AS size_bytes,
       coalesce(h.product, '') AS product, coalesce(h.cpu_model, '') AS cpu_model, coalesce(h.microcode, '') AS microcode
FROM parts p
LEFT JOIN hosts h ON h.agent_id = p.agent_id
-- EDAC calls a module by its locator where firmware reports errors (drivers/edac/ghes_edac.c: bank and device locator).
LEFT JOIN LATERAL (
    SELECT * FROM host_dimms d
    WHERE p.kind = 'dimm' AND d.agent_id = p.agent_id AND d.locator <> ''
      AND p.part IN (d.locator, d.bank || ' ' || d.locator, d.bank || d.locator)
    ORDER BY d.slot LIMIT 1
) d ON true;

COMMENT ON TABLE part_hours IS 'Errors of one part of one host in one hour.';
COMMENT ON COLUMN part_hours.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN part_hours.kind IS 'dimm, cpu, pcie, cxl or disk.';
COMMENT ON COLUMN part_hours.part IS 'Which: the slot of a memory module, the socket, the PCI address, the block device.';
COMMENT ON COLUMN part_hours.hour IS 'Start of the hour (UTC), by the host''s clock; by the collector''s where that is off by more than 30 days.';
COMMENT ON COLUMN part_hours.model IS 'What it is, as the record says; empty: it does not.';
COMMENT ON COLUMN part_hours.corrected IS 'Errors that the hardware put right.';
COMMENT ON COLUMN part_hours.uncorrected IS 'Errors that it did not.';
COMMENT ON COLUMN part_hours.fatal IS 'Errors that the machine could not go on with.';
COMMENT ON COLUMN part_hours.spots IS 'Different places inside it, such as rank:0 bank:3 row:500 column:16; at most 64.';
COMMENT ON COLUMN part_hours.stored_at IS 'When the latest was stored.';
COMMENT ON TABLE parts IS 'How healthy a part is that had errors, by those of the last 30 days.';
COMMENT ON COLUMN parts.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN parts.kind IS 'As in part_hours.';
COMMENT ON COLUMN parts.part IS 'As in part_hours.';
COMMENT ON COLUMN parts.id IS 'What the API calls it: a UUID of version 5 of kind and part in the namespace of the agent.';
COMMENT ON COLUMN parts.model IS 'As in part_hours.';
COMMENT ON COLUMN parts.score IS 'From 0, nothing is the matter, to 100; docs/statistics.md has the formula.';
COMMENT ON COLUMN parts.evidence IS 'What the score is made of: sign, weight and words.';
COMMENT ON COLUMN parts.corrected IS 'Corrected errors of the last 30 days.';
COMMENT ON COLUMN parts.uncorrected IS 'Uncorrected errors of the last 30 days.';
COMMENT ON COLUMN parts.fatal IS 'Fatal errors of the last 30 days.';
COMMENT ON COLUMN parts.most_a_day IS 'Most corrected errors within 24 hours.';
COMMENT ON COLUMN parts.error_days IS 'Days (UTC) of the last 30 with an error.';
COMMENT ON COLUMN parts.first_seen IS 'Hour of its first error.';
COMMENT ON COLUMN parts.last_seen IS 'Hour of its latest error.';
COMMENT ON COLUMN parts.scored_at IS 'When the score was worked out.';
COMMENT ON TABLE part_work IS 'How far the jobs are that look after part_hours and parts.';
COMMENT ON COLUMN part_work.one IS 'Always true.';
COMMENT ON COLUMN part_work.counted_from IS 'Records that were stored since are in part_hours; those from before part_hours was there are counted day by day, the latest first. -infinity: all.';
COMMENT ON COLUMN part_work.scored_to IS 'What was stored until then is in the scores of parts.';
COMMENT ON VIEW v_hardware IS 'Parts of machines that had errors, and how healthy they are.';
