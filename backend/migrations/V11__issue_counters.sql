-- What an issue adds up to is kept with it, in the transaction that stores its records: nobody has to go through all hosts.

ALTER TABLE triage SET (fillfactor = 35);
ALTER TABLE triage
    ADD COLUMN class             text             NOT NULL DEFAULT '',
    ADD COLUMN title             text             NOT NULL DEFAULT '',
    ADD COLUMN severity          smallint         NOT NULL DEFAULT 0,
    ADD COLUMN first_seen        timestamptz      NOT NULL DEFAULT 'infinity',
    ADD COLUMN last_seen         timestamptz      NOT NULL DEFAULT '-infinity',
    ADD COLUMN occurrences       bigint           NOT NULL DEFAULT 0,
    ADD COLUMN hosts             bigint           NOT NULL DEFAULT 0,
    ADD COLUMN hour              timestamptz      NOT NULL DEFAULT '-infinity',
    ADD COLUMN hour_occurrences  bigint           NOT NULL DEFAULT 0,
    ADD COLUMN usual_per_hour    double precision NOT NULL DEFAULT 0,
    ADD COLUMN split             boolean          NOT NULL DEFAULT false,
    ADD COLUMN split_from        uuid             CHECK (split_from <> issue),
    ADD COLUMN resolved_in_build text             NOT NULL DEFAULT '',
    ADD COLUMN fix_url           text             NOT NULL DEFAULT '',
    ADD COLUMN fixed_in          text             NOT NULL DEFAULT '';
CREATE INDEX triage_split      ON triage (issue) WHERE split;
CREATE INDEX triage_split_from ON triage (split_from) WHERE split_from IS NOT NULL;

UPDATE triage t
SET class = f.class, title = f.title, severity = f.severity, first_seen = f.first_seen, last_seen = f.last_seen,
    occurrences = f.occurrences, hosts = f.hosts
FROM issues f WHERE f.issue = t.issue;

CREATE OR REPLACE VIEW issues AS
SELECT issue, class, title, severity, first_seen, last_seen, occurrences, hosts FROM triage WHERE occurrences > 0;

-- How much of `usual_per_hour` is left after a time without records: half after a day.
CREATE FUNCTION usual_decay(since timestamptz, until timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN isfinite(since) THEN 0.5 ^ least(extract(epoch FROM until - since)::float8 / 86400, 1000) ELSE 0 END
$$;

CREATE OR REPLACE VIEW v_issues AS
WITH merged AS (
    SELECT merged_into AS issue, max(severity) AS severity, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
           sum(occurrences)::bigint AS occurrences, (array_agg(class ORDER BY last_seen DESC))[1] AS class,
           (array_agg(title ORDER BY last_seen DESC))[1] AS title
    FROM triage WHERE merged_into IS NOT NULL AND occurrences > 0 GROUP BY merged_into
), grouped AS (
    SELECT t.issue,
           CASE WHEN m.last_seen > t.last_seen THEN m.class ELSE t.class END AS class,
           CASE WHEN m.last_seen > t.last_seen THEN m.title ELSE t.title END AS title,
           greatest(t.severity, m.severity)                                  AS severity,
           least(t.first_seen, m.first_seen)                                 AS first_seen,
           greatest(t.last_seen, m.last_seen)                                AS last_seen,
           t.occurrences + coalesce(m.occurrences, 0)                        AS occurrences,
           -- A host that has several of them counts once.
           CASE WHEN m.issue IS NULL THEN t.hosts ELSE (
               SELECT count(DISTINCT f.agent_id) FROM fingerprints f JOIN triage g ON g.issue = f.fingerprint
               WHERE coalesce(g.merged_into, g.issue) = t.issue) END         AS hosts,
           -- The weights of the hours since its first record, divided by what they add up to.
           t.usual_per_hour / (1 - 0.5 ^ least(greatest(extract(epoch FROM now() - t.first_seen)::float8 / 86400, 0.01),
                                               100))                         AS usual
    FROM triage t LEFT JOIN merged m ON m.issue = t.issue
    WHERE t.merged_into IS NULL AND t.occurrences + coalesce(m.occurrences, 0) > 0
)
SELECT g.issue, g.class, g.title, g.severity, g.first_seen, g.last_seen, g.occurrences, g.hosts,
       CASE
           WHEN t.state = 'ignored' AND (t.ignore_until <= now() OR t.ignore_occurrences <= g.occurrences
                                         OR t.ignore_hosts <= g.hosts) THEN 'ongoing'
           WHEN t.state NOT IN ('new', 'ongoing') THEN t.state
           WHEN t.hour >= date_trunc('hour', now(), 'UTC') - interval '1 hour'
                AND g.first_seen < now() - interval '1 day'
                AND t.hour_occurrences >= 10
                AND t.hour_occurrences > 3 * g.usual + 3 * sqrt(g.usual) THEN 'escalating'
           WHEN g.first_seen < now() - interval '7 days' THEN 'ongoing'
           ELSE t.state
       END AS state,
       t.resolved_in, t.ignore_until, t.ignore_occurrences, t.ignore_hosts, t.owner, t.known_fix, t.changed_at,
       t.hour_occurrences, g.usual AS usual_per_hour, t.split, t.split_from, t.resolved_in_build, t.fixed_in, t.fix_url
FROM grouped g
JOIN triage t ON t.issue = g.issue;

COMMENT ON COLUMN triage.class IS 'Class of its latest record.';
COMMENT ON COLUMN triage.title IS 'Title of its latest record.';
COMMENT ON COLUMN triage.severity IS 'The worst of its records: 1 low, 2 medium, 3 high, 4 critical.';
COMMENT ON COLUMN triage.first_seen IS 'When its first record was stored.';
COMMENT ON COLUMN triage.last_seen IS 'When its latest record was stored.';
COMMENT ON COLUMN triage.occurrences IS 'Records of it that were stored.';
COMMENT ON COLUMN triage.hosts IS 'Hosts that have sent one.';
COMMENT ON COLUMN triage.hour IS 'Start of the hour (UTC) of its latest record.';
COMMENT ON COLUMN triage.hour_occurrences IS 'Records of that hour.';
COMMENT ON COLUMN triage.usual_per_hour IS 'Records an hour before that hour: a mean in which an hour weighs half of one that is a day younger.';
COMMENT ON COLUMN triage.split IS 'Its records are grouped by their top frames; those without a stack stay.';
COMMENT ON COLUMN triage.split_from IS 'The issue that its records were grouped by before; null: none.';
COMMENT ON COLUMN triage.resolved_in_build IS 'Build from which on it is resolved, as resolved_in for kernels. Empty: of any.';
COMMENT ON COLUMN triage.fixed_in IS 'What has the known fix, such as a kernel release; told to hosts that have the issue. Empty: not known.';
COMMENT ON COLUMN triage.fix_url IS 'Where to read about the known fix. Empty: not known.';
