-- Records are found by the event that the program which made them says they are of. Few say one.
ALTER TABLE records ADD COLUMN event_id uuid;
CREATE INDEX records_event ON records (event_id, received_at, id) WHERE event_id IS NOT NULL;
COMMENT ON COLUMN records.event_id IS 'The event that the program which made it says it is of; null: none, or it came before this column.';
