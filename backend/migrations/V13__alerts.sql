-- What people are told by themselves. All are reference tables where tables are distributed.

CREATE TABLE alerts (
    rule        text        NOT NULL,
    object      text        NOT NULL,
    severity    smallint    NOT NULL,
    summary     text        NOT NULL,
    path        text        NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    told_at     timestamptz,
    ended_at    timestamptz,
    PRIMARY KEY (rule, object)
);
COMMENT ON TABLE alerts IS 'What a rule of the alerts file found, and finds still unless it has ended.';
COMMENT ON COLUMN alerts.rule IS 'Name of the rule.';
COMMENT ON COLUMN alerts.object IS 'What it is about: the fingerprint of an issue, an agent, a build.';
COMMENT ON COLUMN alerts.severity IS '1 low, 2 medium, 3 high, 4 critical.';
COMMENT ON COLUMN alerts.summary IS 'What is the matter, in a sentence.';
COMMENT ON COLUMN alerts.path IS 'The page that shows it.';
COMMENT ON COLUMN alerts.since IS 'When it was first found, since it last ended.';
COMMENT ON COLUMN alerts.told_at IS 'When its targets were last told that it is so; null: they were not, or they were told that it ended.';
COMMENT ON COLUMN alerts.ended_at IS 'When it was no longer found; null: it is still.';

CREATE TABLE alert_messages (
    id          uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    target      text        NOT NULL,
    message     jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    attempts    integer     NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT now(),
    done_at     timestamptz,
    error       text        NOT NULL DEFAULT ''
);
CREATE INDEX alert_messages_next_at ON alert_messages (next_at) WHERE done_at IS NULL;
COMMENT ON TABLE alert_messages IS 'What a target is told, until it is. Kept for 30 days.';
COMMENT ON COLUMN alert_messages.id IS 'Of this message; the same in each attempt.';
COMMENT ON COLUMN alert_messages.target IS 'Name of the target in the alerts file.';
COMMENT ON COLUMN alert_messages.message IS 'What it is told.';
COMMENT ON COLUMN alert_messages.created_at IS 'When it was made.';
COMMENT ON COLUMN alert_messages.attempts IS 'How often it was sent.';
COMMENT ON COLUMN alert_messages.next_at IS 'When it is sent next.';
COMMENT ON COLUMN alert_messages.done_at IS 'When the target took it, or it was given up; null: it waits.';
COMMENT ON COLUMN alert_messages.error IS 'Why the last attempt failed; empty: it did not.';

CREATE TABLE alert_silences (
    id          uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    rule        text        NOT NULL,
    object      text        NOT NULL DEFAULT '',
    until       timestamptz NOT NULL,
    who         text        NOT NULL,
    note        text        NOT NULL DEFAULT ''
);
COMMENT ON TABLE alert_silences IS 'What nobody is told for some time.';
COMMENT ON COLUMN alert_silences.id IS 'Of this silence.';
COMMENT ON COLUMN alert_silences.rule IS 'The rule.';
COMMENT ON COLUMN alert_silences.object IS 'What it is about; empty: anything.';
COMMENT ON COLUMN alert_silences.until IS 'From then on it is told again, if it is still so.';
COMMENT ON COLUMN alert_silences.who IS 'Who wanted it.';
COMMENT ON COLUMN alert_silences.note IS 'Why.';

CREATE TABLE alert_turn (
    one  boolean     PRIMARY KEY DEFAULT true CHECK (one),
    at   timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO alert_turn DEFAULT VALUES;
COMMENT ON TABLE alert_turn IS 'Whose turn it is to look: of several collectors the first that comes, once a minute.';
COMMENT ON COLUMN alert_turn.one IS 'Always true.';
COMMENT ON COLUMN alert_turn.at IS 'When somebody last looked.';
