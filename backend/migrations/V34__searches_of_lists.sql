-- Searches of issues and of hosts are kept as well as those of records.
ALTER TABLE saved_searches
    ADD COLUMN subject text NOT NULL DEFAULT 'faults' CHECK (subject IN ('faults', 'issues', 'hosts')),
    DROP CONSTRAINT saved_searches_pkey,
    ADD PRIMARY KEY (owner, subject, name);
ALTER TABLE saved_searches ALTER COLUMN subject DROP DEFAULT;

COMMENT ON TABLE saved_searches IS 'Searches of the lists of records, issues and hosts that people keep for another time.';
COMMENT ON COLUMN saved_searches.subject IS 'The list that is searched: faults, issues or hosts.';
COMMENT ON COLUMN saved_searches.search IS 'The parameters of the page of that list, as in its address.';
