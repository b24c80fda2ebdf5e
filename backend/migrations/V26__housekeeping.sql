-- Heartbeats and losses are no issues: those that were made of them go, and what was merged into these stands for itself again.
-- Records keep what they were grouped by: nobody asks for that of housekeeping, and all stored heartbeats would be written anew.
UPDATE triage SET merged_into = NULL
WHERE merged_into IN (SELECT issue FROM triage WHERE class IN ('telemetry.heartbeat', 'telemetry.loss'));
DELETE FROM sightings s USING triage t
WHERE t.issue = s.issue AND t.class IN ('telemetry.heartbeat', 'telemetry.loss');
DELETE FROM fingerprints WHERE class IN ('telemetry.heartbeat', 'telemetry.loss');
DELETE FROM triage WHERE class IN ('telemetry.heartbeat', 'telemetry.loss');
