-- A boot begins before its first heartbeat.
ALTER TABLE boots ADD COLUMN booted_at timestamptz;

COMMENT ON COLUMN boots.booted_at IS 'When it began, by its first heartbeat and the uptime that this told; null: it told none.';
