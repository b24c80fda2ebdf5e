-- Rows that each batch changes are written next to themselves (HOT updates) where their pages have room: without it every
-- change is a new entry in every index, and a dead one to be looked at by the next. Most changes come before vacuum does, so
-- a page needs room for about two of each of its rows.
ALTER TABLE fingerprints  SET (fillfactor = 35);
ALTER TABLE rollups       SET (fillfactor = 35);
ALTER TABLE rollups_daily SET (fillfactor = 35);
ALTER TABLE exposure      SET (fillfactor = 35);
ALTER TABLE boots         SET (fillfactor = 35);
ALTER TABLE hosts         SET (fillfactor = 50);

-- Newest first, with and without what is no fault. New records come at the right edge of each, where PostgreSQL need not
-- look for the place; in one index of both they came into its middle.
DROP INDEX records_newest;
CREATE INDEX records_newest       ON records (received_at, id) WHERE NOT housekeeping;
CREATE INDEX records_housekeeping ON records (received_at, id) WHERE housekeeping;
