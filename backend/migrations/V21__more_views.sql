-- More of what is promised to reports and Grafana.

CREATE VIEW v_sightings AS
SELECT s.day, s.agent_id, coalesce(h.hostname, '') AS hostname, s.issue, t.class, t.title, t.severity, s.os_build,
       s.kernel_release, s.product, s.first_at, s.records
FROM sightings s
JOIN triage t ON t.issue = s.issue
LEFT JOIN hosts h ON h.agent_id = s.agent_id;

CREATE VIEW v_build_rates AS
WITH watched AS (
    SELECT date_trunc('day', hour, 'UTC') AS day, os_build, sum(seconds) / 3600 AS host_hours, count(DISTINCT agent_id) AS hosts
    FROM exposure
    GROUP BY 1, 2
), seen AS (
    SELECT s.day, s.os_build, count(DISTINCT s.agent_id) AS affected
    FROM sightings s
    JOIN triage t ON t.issue = s.issue
    WHERE t.severity >= 2 AND t.class NOT LIKE 'telemetry.%'
    GROUP BY 1, 2
)
SELECT w.day, w.os_build, w.hosts, w.host_hours, coalesce(s.affected, 0) AS affected,
       coalesce(s.affected, 0)::float8 * 1000 / nullif(w.host_hours, 0) AS affected_per_1000_host_hours
FROM watched w
LEFT JOIN seen s ON s.day = w.day AND s.os_build = w.os_build;

CREATE VIEW v_part_hours AS
SELECT p.hour, p.agent_id, coalesce(h.hostname, '') AS hostname, p.kind, p.part, p.corrected, p.uncorrected, p.fatal
FROM part_hours p
LEFT JOIN hosts h ON h.agent_id = p.agent_id;

CREATE VIEW v_senders AS
SELECT s.agent_id, coalesce(h.hostname, '') AS hostname, s.epoch, s.by_netconsole, s.stored_seq, s.stored_at, s.records, s.expired
FROM senders s
LEFT JOIN hosts h ON h.agent_id = s.agent_id;

CREATE VIEW v_alerts AS SELECT rule, object, severity, summary, since, told_at, ended_at FROM alerts;

COMMENT ON VIEW v_sightings IS 'On which days which hosts had which issue.';
COMMENT ON VIEW v_build_rates IS 'Hosts with a fault of medium severity and above by day and build, per 1000 host-hours.';
COMMENT ON VIEW v_part_hours IS 'Errors of single parts of hosts by the hour.';
COMMENT ON VIEW v_senders IS 'How far and when the records of each spool came.';
COMMENT ON VIEW v_alerts IS 'What rules found, and find still unless it has ended.';
