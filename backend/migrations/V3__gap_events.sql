-- A gap may stand for more events than sequences: a count of losses that is itself lost is lost in full.

-- How many sequences a gap covers. NULL: as many as events.
ALTER TABLE losses ADD COLUMN sequences bigint;

-- As in V1, but for what counts as gaps.
CREATE OR REPLACE VIEW books AS
WITH stored AS (
    SELECT agent_id, epoch, count(*) AS records, count(DISTINCT seq) AS sequences
    FROM records
    GROUP BY agent_id, epoch
), lost AS (
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
