-- Heartbeats and losses are no issues: those that were made of them go.
DELETE FROM sightings s USING triage t
WHERE t.issue = s.issue AND t.class IN ('telemetry.heartbeat', 'telemetry.loss');
DELETE FROM fingerprints WHERE class IN ('telemetry.heartbeat', 'telemetry.loss');
DELETE FROM triage WHERE class IN ('telemetry.heartbeat', 'telemetry.loss');
UPDATE records SET issue = NULL WHERE housekeeping AND issue IS NOT NULL;
