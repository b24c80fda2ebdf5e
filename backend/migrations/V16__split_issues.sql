-- Issues can be split by their top frames: records are moved in the background.
ALTER TABLE triage ADD COLUMN regroup boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN triage.regroup IS 'Its records are still to be moved, because it was split or put together again.';
CREATE INDEX fingerprints_issue ON fingerprints (issue);

-- An issue that was split is there when nothing is left of it, too: it can be put together again.
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
    WHERE t.merged_into IS NULL AND (t.occurrences + coalesce(m.occurrences, 0) > 0 OR t.split)
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
       t.hour_occurrences, g.usual AS usual_per_hour, t.split, t.split_from, t.resolved_in_build, t.fixed_in, t.fix_url,
       t.regroup
FROM grouped g
JOIN triage t ON t.issue = g.issue;
