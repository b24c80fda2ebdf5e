-- What is counted when it is stored, so that nobody has to count records: the books, rollups by day, and for how long
-- which host was watched. What is known of it for existing databases is taken from their records.

ALTER TABLE senders ADD COLUMN records bigint NOT NULL DEFAULT 0;
ALTER TABLE senders ADD COLUMN expired bigint NOT NULL DEFAULT 0;
UPDATE senders s SET records = counted.records
FROM (SELECT agent_id, epoch, count(*) AS records FROM records GROUP BY agent_id, epoch) AS counted
WHERE counted.agent_id = s.agent_id AND counted.epoch = s.epoch;

CREATE OR REPLACE VIEW books AS
WITH lost AS (
    SELECT agent_id, epoch, sum(events) AS events, sum(gaps) AS gaps, jsonb_object_agg(reason, events) AS reasons
    FROM (
        SELECT agent_id, epoch, reason, sum(events) AS events,
               coalesce(sum(coalesce(sequences, events)) FILTER (WHERE gap), 0) AS gaps
        FROM losses
        GROUP BY agent_id, epoch, reason
    ) AS by_reason
    GROUP BY agent_id, epoch
)
SELECT s.agent_id,
       s.epoch,
       h.hostname,
       -- Every sequence up to the mark, and every event that never got one of its own.
       s.stored_seq + coalesce(l.events - l.gaps, 0) AS produced,
       s.records                                     AS stored,
       coalesce(l.events, 0)                         AS lost,
       coalesce(l.reasons, '{}')                     AS lost_by_reason,
       s.stored_seq = s.records + coalesce(l.gaps, 0) AS balanced
FROM senders s
LEFT JOIN hosts h ON h.agent_id = s.agent_id
LEFT JOIN lost l  ON l.agent_id = s.agent_id AND l.epoch = s.epoch;

CREATE VIEW audit AS
WITH found AS (
    SELECT agent_id, epoch, count(*) AS records, count(DISTINCT seq) AS sequences
    FROM records
    GROUP BY agent_id, epoch
)
SELECT b.agent_id,
       b.epoch,
       b.hostname,
       b.stored,
       s.expired,
       coalesce(f.records, 0) AS found,
       b.balanced AND b.stored = s.expired + coalesce(f.records, 0)
           AND coalesce(f.records, 0) = coalesce(f.sequences, 0) AS balanced
FROM books b
JOIN senders s    ON s.agent_id = b.agent_id AND s.epoch = b.epoch
LEFT JOIN found f ON f.agent_id = b.agent_id AND f.epoch = b.epoch;

CREATE TABLE rollups_daily (
    agent_id        uuid        NOT NULL,
    day             timestamptz NOT NULL,
    class           text        NOT NULL,
    kernel_release  text        NOT NULL,
    severity        smallint    NOT NULL,
    records         bigint      NOT NULL,
    PRIMARY KEY (agent_id, day, class, kernel_release, severity)
);
CREATE INDEX rollups_daily_day ON rollups_daily (day);
CREATE INDEX rollups_hour ON rollups (hour);
INSERT INTO rollups_daily
SELECT agent_id, date_trunc('day', hour, 'UTC'), class, kernel_release, severity, sum(records)
FROM rollups
GROUP BY 1, 2, 3, 4, 5;

CREATE TABLE boots (
    agent_id        uuid        NOT NULL,
    boot_id         text        NOT NULL,
    kernel_release  text        NOT NULL,
    first_beat_at   timestamptz NOT NULL,
    last_beat_at    timestamptz NOT NULL,
    PRIMARY KEY (agent_id, boot_id)
);

CREATE TABLE exposure (
    agent_id        uuid             NOT NULL,
    hour            timestamptz      NOT NULL,
    os_build        text             NOT NULL,
    kernel_release  text             NOT NULL,
    product         text             NOT NULL,
    seconds         double precision NOT NULL,
    PRIMARY KEY (agent_id, hour, os_build, kernel_release, product)
);
CREATE INDEX exposure_hour ON exposure (hour);

CREATE TABLE retention (
    position      integer  PRIMARY KEY,
    class         text     NOT NULL DEFAULT '',
    max_severity  smallint NOT NULL DEFAULT 4 CHECK (max_severity BETWEEN 1 AND 4),
    agent_id      uuid,
    keep_days     integer  CHECK (keep_days > 0)
);
