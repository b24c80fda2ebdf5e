-- How many hosts are watched without some hook is asked on every first page: it is counted when heartbeats come.

ALTER TABLE hosts ADD COLUMN hooks_missing integer;
COMMENT ON COLUMN hosts.hooks_missing IS 'Hooks that were not attached by its last heartbeat; null: it sent none since this is counted.';
