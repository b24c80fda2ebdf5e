-- What agents take out of records before these are kept, so that those who look after a fleet see it.

ALTER TABLE hosts ADD COLUMN privacy text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN hosts.privacy IS 'What its agent takes out of records, as rule and treatment, such as ip hash; empty: nothing, or it does not say.';
