-- A year of what hardware told, for its page.

CREATE INDEX rollups_daily_hardware ON rollups_daily (day, class, agent_id) INCLUDE (records) WHERE class ^@ 'hardware.';
