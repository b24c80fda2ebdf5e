-- Sums by the hour are given up after 100 days, those by day stay: what was ever there is asked of days, and reports can have all of them.

CREATE INDEX rollups_daily_class ON rollups_daily (class);
CREATE INDEX rollups_daily_kernel_release ON rollups_daily (kernel_release);
DROP INDEX rollups_class;
DROP INDEX rollups_kernel_release;

CREATE VIEW v_exposure_daily AS
SELECT day, agent_id, os_build, kernel_release, product, seconds / 3600 AS host_hours FROM exposure_daily;

COMMENT ON TABLE rollups IS 'How many records of a class, kernel and severity a host sent in an hour; kept for 100 days.';
COMMENT ON TABLE rollups_daily IS 'How many records of a class, kernel and severity a host sent on a day.';
COMMENT ON TABLE exposure IS 'For how long a host was watched, by its heartbeats, by the hour; kept for 100 days.';
COMMENT ON TABLE exposure_daily IS 'For how long a host was watched, by day: what rates are divided by.';
COMMENT ON VIEW v_hourly IS 'Records by hour, host, class, kernel and severity, of the last 100 days.';
COMMENT ON VIEW v_exposure IS 'Host-hours by hour, host, build, kernel and hardware model, of the last 100 days.';
COMMENT ON VIEW v_exposure_daily IS 'Host-hours by day, host, build, kernel and hardware model.';
