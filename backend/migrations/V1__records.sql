-- Every primary key, unique index and join carries agent_id: it is the key that tables are distributed by once one
-- server is not enough. docs/data-model.md explains the tables.

-- What hosts said about themselves, the latest word.
CREATE TABLE hosts (
    agent_id        uuid        PRIMARY KEY,
    hostname        text        NOT NULL,
    os_id           text        NOT NULL,
    os_build        text        NOT NULL,
    kernel_release  text        NOT NULL,
    kernel_version  text        NOT NULL,
    arch            text        NOT NULL,
    cpu_model       text        NOT NULL,
    cpus            bigint      NOT NULL,
    memory_bytes    bigint      NOT NULL,
    product         text        NOT NULL,
    board           text        NOT NULL,
    bios            text        NOT NULL,
    boot_id         text        NOT NULL,
    agent_version   text        NOT NULL,
    first_seen      timestamptz NOT NULL DEFAULT now(),
    last_seen       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX hosts_hostname ON hosts (hostname);

-- The delivery contract: everything up to stored_seq is stored. Its row is locked by each batch.
CREATE TABLE senders (
    agent_id    uuid        NOT NULL,
    epoch       uuid        NOT NULL,
    stored_seq  bigint      NOT NULL DEFAULT 0 CHECK (stored_seq >= 0),
    -- received_at of the sender's latest record or gap; rises strictly.
    stored_at   timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (agent_id, epoch)
);
-- The tail asks which senders have stored something lately.
CREATE INDEX senders_stored_at ON senders (stored_at);

-- One row a record. `record` is the encoded telemetry.v1.Record, whole; the columns are what is searched by.
CREATE TABLE records (
    id              uuid        NOT NULL,
    received_at     timestamptz NOT NULL,
    agent_id        uuid        NOT NULL,
    epoch           uuid        NOT NULL,
    seq             bigint      NOT NULL,
    -- By the host's clock; null: not known.
    occurred_at     timestamptz,
    class           text        NOT NULL,
    severity        smallint    NOT NULL,
    -- Heartbeats and losses, which are not faults.
    housekeeping    boolean     NOT NULL,
    title           text        NOT NULL,
    kernel_release  text        NOT NULL,
    -- The fingerprint that the record is grouped by; null: not grouped.
    issue           uuid,
    fingerprints    uuid[]      NOT NULL,
    record          bytea       NOT NULL,
    PRIMARY KEY (agent_id, received_at, id)
) PARTITION BY RANGE (received_at);
CREATE INDEX records_newest ON records (housekeeping, received_at, id);
CREATE INDEX records_issue ON records (issue, received_at, id) WHERE issue IS NOT NULL;
-- Takes what no partition was made for, so that nothing is ever refused; upkeep moves it where it belongs.
CREATE TABLE records_default PARTITION OF records DEFAULT;

-- How often each host had each fingerprint.
CREATE TABLE fingerprints (
    agent_id     uuid        NOT NULL,
    fingerprint  uuid        NOT NULL,
    -- telemetry.v1.FingerprintLevel; 1 is the level that issues are grouped by.
    level        smallint    NOT NULL,
    -- Version of the rules that made it.
    version      bigint      NOT NULL,
    -- The issue that it belongs to: its own value at level 1.
    issue        uuid        NOT NULL,
    class        text        NOT NULL,
    title        text        NOT NULL,
    severity     smallint    NOT NULL,
    first_seen   timestamptz NOT NULL,
    last_seen    timestamptz NOT NULL,
    occurrences  bigint      NOT NULL,
    PRIMARY KEY (agent_id, fingerprint)
);
CREATE INDEX fingerprints_fingerprint ON fingerprints (fingerprint);

-- One row an issue: all records with one fingerprint of the level that issues are grouped by.
CREATE VIEW issues AS
SELECT issue,
       (array_agg(class ORDER BY last_seen DESC))[1] AS class,
       (array_agg(title ORDER BY last_seen DESC))[1] AS title,
       max(severity)                                 AS severity,
       min(first_seen)                               AS first_seen,
       max(last_seen)                                AS last_seen,
       sum(occurrences)::bigint                      AS occurrences,
       count(*)                                      AS hosts
FROM fingerprints
WHERE fingerprint = issue
GROUP BY issue;

-- How many records came in each hour.
CREATE TABLE rollups (
    agent_id        uuid        NOT NULL,
    hour            timestamptz NOT NULL,
    class           text        NOT NULL,
    kernel_release  text        NOT NULL,
    severity        smallint    NOT NULL,
    records         bigint      NOT NULL,
    PRIMARY KEY (agent_id, hour, class, kernel_release, severity)
);
CREATE INDEX rollups_class ON rollups (class);
CREATE INDEX rollups_kernel_release ON rollups (kernel_release);

-- What was produced and is not stored.
CREATE TABLE losses (
    agent_id     uuid        NOT NULL,
    epoch        uuid        NOT NULL,
    -- The sequence of the Loss record, or the first sequence of the gap.
    seq          bigint      NOT NULL,
    -- True: sequences from seq on that never came. False: events that never got a sequence, told by the record at seq.
    gap          boolean     NOT NULL,
    -- telemetry.v1.LossReason without its prefix.
    reason       text        NOT NULL,
    events       bigint      NOT NULL,
    hook         text        NOT NULL DEFAULT '',
    class        text        NOT NULL DEFAULT '',
    title        text        NOT NULL DEFAULT '',
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (agent_id, epoch, seq)
);

-- The books of each sender: produced = stored + lost, or something is wrong.
CREATE VIEW books AS
WITH stored AS (
    SELECT agent_id, epoch, count(*) AS records, count(DISTINCT seq) AS sequences
    FROM records
    GROUP BY agent_id, epoch
), lost AS (
    SELECT agent_id, epoch, sum(events) AS events, sum(gaps) AS gaps, jsonb_object_agg(reason, events) AS reasons
    FROM (
        SELECT agent_id, epoch, reason, sum(events) AS events, coalesce(sum(events) FILTER (WHERE gap), 0) AS gaps
        FROM losses
        GROUP BY agent_id, epoch, reason
    ) AS by_reason
    GROUP BY agent_id, epoch
)
SELECT s.agent_id,
       s.epoch,
       h.hostname,
       -- Every sequence up to the mark, and every event that never got one.
       s.stored_seq + coalesce(l.events - l.gaps, 0)          AS produced,
       coalesce(r.records, 0)                                 AS stored,
       coalesce(l.events, 0)                                  AS lost,
       coalesce(l.reasons, '{}')                              AS lost_by_reason,
       s.stored_seq = coalesce(r.sequences, 0) + coalesce(l.gaps, 0)
           AND coalesce(r.records, 0) = coalesce(r.sequences, 0) AS balanced
FROM senders s
LEFT JOIN hosts h  ON h.agent_id = s.agent_id
LEFT JOIN stored r ON r.agent_id = s.agent_id AND r.epoch = s.epoch
LEFT JOIN lost l   ON l.agent_id = s.agent_id AND l.epoch = s.epoch;
