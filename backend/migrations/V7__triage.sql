-- What people decided about issues. An issue has a row from the transaction on that stores its first record.

CREATE TABLE triage (
    issue               uuid        PRIMARY KEY,
    state               text        NOT NULL DEFAULT 'new'
                                    CHECK (state IN ('new', 'ongoing', 'resolved', 'regressed', 'ignored')),
    resolved_in         text        NOT NULL DEFAULT '',
    ignore_until        timestamptz,
    ignore_occurrences  bigint,
    ignore_hosts        bigint,
    merged_into         uuid        CHECK (merged_into <> issue),
    owner               text        NOT NULL DEFAULT '',
    known_fix           text        NOT NULL DEFAULT '',
    changed_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX triage_merged_into ON triage (merged_into) WHERE merged_into IS NOT NULL;
INSERT INTO triage (issue) SELECT DISTINCT issue FROM fingerprints WHERE fingerprint = issue;

CREATE TABLE triage_history (
    issue   uuid        NOT NULL,
    id      uuid        NOT NULL DEFAULT gen_random_uuid(),
    at      timestamptz NOT NULL DEFAULT now(),
    who     text        NOT NULL,
    change  jsonb       NOT NULL,
    PRIMARY KEY (issue, id)
);

-- The numbers that a kernel release begins with, to be compared: {6,1,120}.
CREATE FUNCTION kernel_order(release text) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(left(number[1], 9)::integer), '{}')
    FROM regexp_matches(substring(release FROM '^[0-9]+(?:\.[0-9]+)*'), '[0-9]+', 'g') AS number
$$;

CREATE VIEW v_issues AS
WITH grouped AS (
    SELECT coalesce(t.merged_into, f.issue)                  AS issue,
           (array_agg(f.class ORDER BY f.last_seen DESC))[1] AS class,
           (array_agg(f.title ORDER BY f.last_seen DESC))[1] AS title,
           max(f.severity)                                   AS severity,
           min(f.first_seen)                                 AS first_seen,
           max(f.last_seen)                                  AS last_seen,
           sum(f.occurrences)::bigint                        AS occurrences,
           count(DISTINCT f.agent_id)                        AS hosts
    FROM fingerprints f
    LEFT JOIN triage t ON t.issue = f.issue
    WHERE f.fingerprint = f.issue
    GROUP BY 1
)
SELECT g.issue, g.class, g.title, g.severity, g.first_seen, g.last_seen, g.occurrences, g.hosts,
       CASE
           WHEN t.state = 'new' AND g.first_seen < now() - interval '7 days' THEN 'ongoing'
           WHEN t.state = 'ignored' AND (t.ignore_until <= now() OR t.ignore_occurrences <= g.occurrences
                                         OR t.ignore_hosts <= g.hosts) THEN 'ongoing'
           ELSE coalesce(t.state, 'new')
       END AS state,
       coalesce(t.resolved_in, '') AS resolved_in, t.ignore_until, t.ignore_occurrences, t.ignore_hosts,
       coalesce(t.owner, '') AS owner, coalesce(t.known_fix, '') AS known_fix, t.changed_at
FROM grouped g
LEFT JOIN triage t ON t.issue = g.issue;

COMMENT ON TABLE triage IS 'What people decided about an issue; a reference table where tables are distributed.';
COMMENT ON COLUMN triage.issue IS 'The fingerprint that its records are grouped by.';
COMMENT ON COLUMN triage.state IS 'new, ongoing, resolved, regressed or ignored, as it was set; v_issues has what follows from time and counts.';
COMMENT ON COLUMN triage.resolved_in IS 'Kernel release from which on it is resolved: a record of that or a later one makes it regressed. Empty: of any.';
COMMENT ON COLUMN triage.ignore_until IS 'When it is no longer ignored; null: no such limit.';
COMMENT ON COLUMN triage.ignore_occurrences IS 'It is ignored while there are fewer records; null: no such limit.';
COMMENT ON COLUMN triage.ignore_hosts IS 'It is ignored while fewer hosts have it; null: no such limit.';
COMMENT ON COLUMN triage.merged_into IS 'The issue that it counts for; null: it stands for itself.';
COMMENT ON COLUMN triage.owner IS 'Who looks after it; empty: nobody.';
COMMENT ON COLUMN triage.known_fix IS 'What mends it, for people; empty: not known.';
COMMENT ON COLUMN triage.changed_at IS 'When it was last changed.';

COMMENT ON TABLE triage_history IS 'Each change to an issue.';
COMMENT ON COLUMN triage_history.issue IS 'The issue.';
COMMENT ON COLUMN triage_history.id IS 'Of this change.';
COMMENT ON COLUMN triage_history.at IS 'When.';
COMMENT ON COLUMN triage_history.who IS 'Who, as they called themselves; collector: a record that came.';
COMMENT ON COLUMN triage_history.change IS 'What was asked for: the fields of the change, and a note.';

COMMENT ON VIEW v_issues IS 'Issues over all hosts, merged ones together, with their state.';
