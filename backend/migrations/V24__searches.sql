-- Filters that people keep for another time.
CREATE TABLE saved_searches (
    owner       text        NOT NULL,
    name        text        NOT NULL,
    search      text        NOT NULL,
    shared      boolean     NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, name)
);

COMMENT ON TABLE saved_searches IS 'Filters of records that people keep for another time.';
COMMENT ON COLUMN saved_searches.owner IS 'Who keeps it; empty: people who need not sign in.';
COMMENT ON COLUMN saved_searches.name IS 'What they call it.';
COMMENT ON COLUMN saved_searches.search IS 'The parameters of the page of records, as in its address.';
COMMENT ON COLUMN saved_searches.shared IS 'Everybody is shown it, not its owner alone.';
COMMENT ON COLUMN saved_searches.created_at IS 'When it was kept.';

-- Issues are looked for by the function that their title names.
CREATE INDEX triage_function ON triage (substring(title FROM ' in ([^ ]+)$'));
