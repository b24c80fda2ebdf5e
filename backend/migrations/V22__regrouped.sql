-- When the rules that records are grouped by change, records are moved to the issues that they make in the background.
CREATE TABLE regrouped (
    version    bigint  NOT NULL,
    was        uuid    NOT NULL,
    becomes    uuid    NOT NULL,
    records    bigint  NOT NULL,
    successor  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (version, was, becomes)
);
COMMENT ON TABLE regrouped IS 'Which issues became which when the rules changed; a reference table where tables are distributed.';
COMMENT ON COLUMN regrouped.version IS 'Of the rules that they became so by.';
COMMENT ON COLUMN regrouped.was IS 'An issue of older rules.';
COMMENT ON COLUMN regrouped.becomes IS 'An issue that records of it are of now.';
COMMENT ON COLUMN regrouped.records IS 'How many.';
COMMENT ON COLUMN regrouped.successor IS 'What people decided about the one went to this other.';
