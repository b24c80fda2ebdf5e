-- The first page. The latest ends of boots are found at once, however many other faults came since; of issues, each row is read once, and
-- what takes long is asked only of those that had a storm.

CREATE INDEX records_boot_end ON records (received_at, id) WHERE class = 'boot.end';

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
                                               100))                         AS usual,
           t.state, t.resolved_in, t.ignore_until, t.ignore_occurrences, t.ignore_hosts, t.owner, t.known_fix, t.changed_at,
           t.hour, t.hour_occurrences, t.split, t.split_from, t.resolved_in_build, t.fixed_in, t.fix_url, t.regroup
    FROM triage t LEFT JOIN merged m ON m.issue = t.issue
    WHERE t.merged_into IS NULL AND (t.occurrences + coalesce(m.occurrences, 0) > 0 OR t.split)
)
SELECT g.issue, g.class, g.title, g.severity, g.first_seen, g.last_seen, g.occurrences, g.hosts,
       CASE
           WHEN g.state = 'ignored' AND (g.ignore_until <= now() OR g.ignore_occurrences <= g.occurrences
                                         OR g.ignore_hosts <= g.hosts) THEN 'ongoing'
           WHEN g.state NOT IN ('new', 'ongoing') THEN g.state
           -- The cheapest first: it is no for most.
           WHEN g.hour_occurrences >= 10
                AND g.first_seen < now() - interval '1 day'
                AND g.hour >= date_trunc('hour', now(), 'UTC') - interval '1 hour'
                AND g.hour_occurrences > 3 * g.usual + 3 * sqrt(g.usual) THEN 'escalating'
           WHEN g.first_seen < now() - interval '7 days' THEN 'ongoing'
           ELSE g.state
       END AS state,
       g.resolved_in, g.ignore_until, g.ignore_occurrences, g.ignore_hosts, g.owner, g.known_fix, g.changed_at,
       g.hour_occurrences, g.usual AS usual_per_hour, g.split, g.split_from, g.resolved_in_build, g.fixed_in, g.fix_url,
       g.regroup
FROM grouped g;
