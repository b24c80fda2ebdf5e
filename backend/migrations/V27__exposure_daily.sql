-- Statistics are of days: for how long hosts were watched is added up by day too, which is a 24th of the rows.

-- What a collector adds meanwhile would be in none of the days.
LOCK TABLE exposure IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE exposure_daily (
    agent_id        uuid             NOT NULL,
    day             timestamptz      NOT NULL,
    os_build        text             NOT NULL,
    kernel_release  text             NOT NULL,
    product         text             NOT NULL,
    seconds         double precision NOT NULL,
    PRIMARY KEY (agent_id, day, os_build, kernel_release, product)
) WITH (fillfactor = 35); -- as in V10
CREATE INDEX exposure_daily_day ON exposure_daily (day);
INSERT INTO exposure_daily
SELECT agent_id, date_trunc('day', hour, 'UTC'), os_build, kernel_release, product, sum(seconds)
FROM exposure
GROUP BY 1, 2, 3, 4, 5;

COMMENT ON TABLE exposure_daily IS 'The same as exposure, by day.';
COMMENT ON COLUMN exposure_daily.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN exposure_daily.day IS 'Start of the day (UTC) of exposure.hour.';
COMMENT ON COLUMN exposure_daily.os_build IS 'Build that the host ran.';
COMMENT ON COLUMN exposure_daily.kernel_release IS 'uname -r.';
COMMENT ON COLUMN exposure_daily.product IS 'Hardware model.';
COMMENT ON COLUMN exposure_daily.seconds IS 'Seconds.';

CREATE OR REPLACE VIEW v_kernel_rates AS
WITH watched AS (
    SELECT day, kernel_release, sum(seconds) / 3600 AS host_hours, count(DISTINCT agent_id) AS hosts
    FROM exposure_daily
    GROUP BY 1, 2
), told AS (
    SELECT day, kernel_release, sum(records) AS faults
    FROM rollups_daily
    WHERE severity >= 2 AND class NOT LIKE 'telemetry.%'
    GROUP BY 1, 2
)
SELECT w.day, w.kernel_release, w.hosts, w.host_hours, coalesce(t.faults, 0)::bigint AS faults,
       coalesce(t.faults, 0)::float8 * 1000 / nullif(w.host_hours, 0) AS faults_per_1000_host_hours
FROM watched w
LEFT JOIN told t ON t.day = w.day AND t.kernel_release = w.kernel_release;

CREATE OR REPLACE VIEW v_build_rates AS
WITH watched AS (
    SELECT day, os_build, sum(seconds) / 3600 AS host_hours, count(DISTINCT agent_id) AS hosts
    FROM exposure_daily
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
