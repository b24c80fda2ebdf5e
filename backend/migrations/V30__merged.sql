-- The history of an issue says what was merged into it, as that of the merged one says into what; of those that are merged already, too.
INSERT INTO triage_history (issue, at, who, change)
SELECT t.merged_into, h.at, h.who,
       jsonb_strip_nulls(jsonb_build_object('merged', replace(t.issue::text, '-', ''), 'note', h.change -> 'note'))
FROM triage t JOIN LATERAL (
    SELECT at, who, change FROM triage_history
    WHERE issue = t.issue AND change ->> 'merged_into' <> '' ORDER BY at DESC LIMIT 1
) h ON replace(t.merged_into::text, '-', '') = lower(h.change ->> 'merged_into');
COMMENT ON COLUMN triage_history.change IS 'What was asked for: the fields of the change, and a note; or the issue that was merged into this one, or parted from it again.';
