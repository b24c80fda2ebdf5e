-- When each build began is asked for by the build, not by going through all days of all hosts.
CREATE INDEX exposure_daily_build ON exposure_daily (os_build, day);
