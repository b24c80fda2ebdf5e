-- What is promised to reports and Grafana: views v_*. Their columns keep their names, types and meaning; new ones are added at
-- the end. And what every table and column means, from which docs/data-model.md is made.

CREATE VIEW v_records AS
SELECT r.id, r.received_at, r.occurred_at, r.agent_id, h.hostname, r.class, r.severity, r.title, r.kernel_release,
       h.os_id, h.os_build, h.product, r.issue, r.housekeeping
FROM records r
LEFT JOIN hosts h ON h.agent_id = r.agent_id;

CREATE VIEW v_hosts AS
SELECT agent_id, hostname, os_id, os_build, kernel_release, arch, cpu_model, cpus, memory_bytes, product, board, bios,
       agent_version, first_seen, last_seen
FROM hosts;

CREATE VIEW v_hourly AS
SELECT r.hour, r.agent_id, h.hostname, r.class, r.kernel_release, r.severity, r.records
FROM rollups r
LEFT JOIN hosts h ON h.agent_id = r.agent_id;

CREATE VIEW v_daily AS
SELECT r.day, r.agent_id, h.hostname, r.class, r.kernel_release, r.severity, r.records
FROM rollups_daily r
LEFT JOIN hosts h ON h.agent_id = r.agent_id;

CREATE VIEW v_exposure AS
SELECT hour, agent_id, os_build, kernel_release, product, seconds / 3600 AS host_hours FROM exposure;

CREATE VIEW v_kernel_rates AS
WITH watched AS (
    SELECT date_trunc('day', hour, 'UTC') AS day, kernel_release, sum(seconds) / 3600 AS host_hours,
           count(DISTINCT agent_id) AS hosts
    FROM exposure
    GROUP BY 1, 2
), told AS (
    SELECT day, kernel_release, sum(records) AS faults
    FROM rollups_daily
    WHERE severity >= 2 AND class NOT LIKE 'telemetry.%'
    GROUP BY 1, 2
)
SELECT w.day, w.kernel_release, w.hosts, w.host_hours, coalesce(t.faults, 0)::bigint AS faults,
       coalesce(t.faults, 0)::float8 * 1000 / nullif(w.host_hours, 0) AS faults_per_1000_host_hours
FROM watched w
LEFT JOIN told t ON t.day = w.day AND t.kernel_release = w.kernel_release;

CREATE VIEW v_losses AS
SELECT l.received_at, l.agent_id, h.hostname, l.reason, l.hook, l.class, l.title, l.events
FROM losses l
LEFT JOIN hosts h ON h.agent_id = l.agent_id;

CREATE VIEW v_books AS
SELECT agent_id, epoch, hostname, produced, stored, lost, lost_by_reason, balanced FROM books;

CREATE VIEW v_quarantine AS
SELECT q.received_at, q.agent_id, h.hostname, q.epoch, q.seq, q.reason, octet_length(q.sent) AS bytes
FROM quarantine q
LEFT JOIN hosts h ON h.agent_id = q.agent_id;

COMMENT ON TABLE boots IS 'Boots of hosts that heartbeats told of.';
COMMENT ON COLUMN boots.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN boots.boot_id IS '/proc/sys/kernel/random/boot_id.';
COMMENT ON COLUMN boots.kernel_release IS 'uname -r.';
COMMENT ON COLUMN boots.first_beat_at IS 'First heartbeat, by the host''s clock.';
COMMENT ON COLUMN boots.last_beat_at IS 'Latest heartbeat, by the host''s clock.';

COMMENT ON TABLE exposure IS 'For how long a host was watched, by its heartbeats: what rates are divided by.';
COMMENT ON COLUMN exposure.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN exposure.hour IS 'Start of the hour (UTC) in which the heartbeat was sent that accounts for the time, by the host''s clock.';
COMMENT ON COLUMN exposure.os_build IS 'Build that the host ran.';
COMMENT ON COLUMN exposure.kernel_release IS 'uname -r.';
COMMENT ON COLUMN exposure.product IS 'Hardware model.';
COMMENT ON COLUMN exposure.seconds IS 'Seconds.';

COMMENT ON TABLE fingerprints IS 'How often one host had one fingerprint.';
COMMENT ON COLUMN fingerprints.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN fingerprints.fingerprint IS 'The value, 128 bits.';
COMMENT ON COLUMN fingerprints.level IS 'FingerprintLevel: 1 title, 2 top frames, 3 whole stack.';
COMMENT ON COLUMN fingerprints.version IS 'Version of the rules that made it; values of different versions don''t compare.';
COMMENT ON COLUMN fingerprints.issue IS 'The fingerprint of level 1 that it belongs to.';
COMMENT ON COLUMN fingerprints.class IS 'Class of the latest record.';
COMMENT ON COLUMN fingerprints.title IS 'Title of the latest record.';
COMMENT ON COLUMN fingerprints.severity IS 'The worst: 1 low, 2 medium, 3 high, 4 critical.';
COMMENT ON COLUMN fingerprints.first_seen IS 'When the first was stored.';
COMMENT ON COLUMN fingerprints.last_seen IS 'When the latest was stored.';
COMMENT ON COLUMN fingerprints.occurrences IS 'How many were stored.';

COMMENT ON TABLE hosts IS 'What a host said about itself last (telemetry.v1.Host), and when it was heard.';
COMMENT ON COLUMN hosts.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN hosts.hostname IS 'Host name.';
COMMENT ON COLUMN hosts.os_id IS 'os-release ID, with -VARIANT_ID when there is one.';
COMMENT ON COLUMN hosts.os_build IS 'os-release VERSION_ID or BUILD_ID.';
COMMENT ON COLUMN hosts.kernel_release IS 'uname -r.';
COMMENT ON COLUMN hosts.kernel_version IS 'uname -v.';
COMMENT ON COLUMN hosts.arch IS 'uname -m.';
COMMENT ON COLUMN hosts.cpu_model IS 'First model name of /proc/cpuinfo.';
COMMENT ON COLUMN hosts.cpus IS 'Logical CPUs.';
COMMENT ON COLUMN hosts.memory_bytes IS 'Installed memory, bytes.';
COMMENT ON COLUMN hosts.product IS 'DMI system vendor and product: the hardware model.';
COMMENT ON COLUMN hosts.board IS 'DMI board vendor and name.';
COMMENT ON COLUMN hosts.bios IS 'DMI BIOS version.';
COMMENT ON COLUMN hosts.boot_id IS 'The boot that it is in.';
COMMENT ON COLUMN hosts.agent_version IS 'Version of the agent.';
COMMENT ON COLUMN hosts.first_seen IS 'When it was first heard.';
COMMENT ON COLUMN hosts.last_seen IS 'When its agent last delivered something or connected.';

COMMENT ON TABLE losses IS 'What was produced and is not stored, with the reason.';
COMMENT ON COLUMN losses.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN losses.epoch IS 'The spool.';
COMMENT ON COLUMN losses.seq IS 'Sequence of the Loss record, or the first of the gap.';
COMMENT ON COLUMN losses.gap IS 'True: sequences from seq on that never came. False: events that never got one, told by the record at seq.';
COMMENT ON COLUMN losses.reason IS 'LossReason without its prefix. JOINED is no loss: the host told itself what netconsole had told.';
COMMENT ON COLUMN losses.events IS 'How many events.';
COMMENT ON COLUMN losses.hook IS 'The hook that lost them; empty: not known.';
COMMENT ON COLUMN losses.class IS 'Their class; empty: not known, or several.';
COMMENT ON COLUMN losses.title IS 'Their title; empty: not known, or several.';
COMMENT ON COLUMN losses.received_at IS 'When it was stored.';
COMMENT ON COLUMN losses.sequences IS 'How many sequences the gap covers; null: as many as events.';

COMMENT ON TABLE netconsole_boots IS 'The token that one boot puts into its netconsole lines, and where lines with it came from.';
COMMENT ON COLUMN netconsole_boots.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN netconsole_boots.token IS 'The token.';
COMMENT ON COLUMN netconsole_boots.boot_id IS 'The boot.';
COMMENT ON COLUMN netconsole_boots.kernel_release IS 'uname -r.';
COMMENT ON COLUMN netconsole_boots.first_seen IS 'When the agent told it.';
COMMENT ON COLUMN netconsole_boots.source IS 'Where lines with it last came from; null: none have come.';
COMMENT ON COLUMN netconsole_boots.booted_at IS 'When the boot began, by its lines.';
COMMENT ON COLUMN netconsole_boots.heard_at IS 'When lines last came.';

COMMENT ON TABLE netconsole_open IS 'A record by netconsole whose host may yet tell the same; for at most 14 days.';
COMMENT ON COLUMN netconsole_open.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN netconsole_open.epoch IS 'The sender that stored it.';
COMMENT ON COLUMN netconsole_open.seq IS 'Its sequence.';
COMMENT ON COLUMN netconsole_open.received_at IS 'When it was stored.';
COMMENT ON COLUMN netconsole_open.checked_at IS 'What the host has said since has not been looked at.';

COMMENT ON TABLE quarantine IS 'A record that could not be understood, as it came. What stands for it is in records, as telemetry.undecodable.';
COMMENT ON COLUMN quarantine.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN quarantine.epoch IS 'The spool.';
COMMENT ON COLUMN quarantine.seq IS 'Its sequence.';
COMMENT ON COLUMN quarantine.received_at IS 'When it was stored.';
COMMENT ON COLUMN quarantine.reason IS 'What is wrong with it, at most 256 bytes.';
COMMENT ON COLUMN quarantine.sent IS 'Its bytes.';

COMMENT ON TABLE records IS 'A record, whole, with the columns that are searched by. Partitioned by day (UTC) of received_at.';
COMMENT ON COLUMN records.id IS 'UUID of version 7 whose time is received_at.';
COMMENT ON COLUMN records.received_at IS 'When it was stored, by the database''s clock.';
COMMENT ON COLUMN records.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN records.epoch IS 'The spool.';
COMMENT ON COLUMN records.seq IS 'Its sequence in the spool.';
COMMENT ON COLUMN records.occurred_at IS 'When it happened, by the host''s clock; null: not known.';
COMMENT ON COLUMN records.class IS 'What it is, such as kernel.oops.';
COMMENT ON COLUMN records.severity IS '1 low, 2 medium, 3 high, 4 critical.';
COMMENT ON COLUMN records.housekeeping IS 'A heartbeat or a loss, which is no fault.';
COMMENT ON COLUMN records.title IS 'What it is called.';
COMMENT ON COLUMN records.kernel_release IS 'uname -r when it happened; where it does not say, of its host when it was sent.';
COMMENT ON COLUMN records.issue IS 'The fingerprint that it is grouped by; null: not grouped.';
COMMENT ON COLUMN records.fingerprints IS 'Its fingerprints, of all levels.';
COMMENT ON COLUMN records.record IS 'The encoded telemetry.v1.Record, byte for byte what the agent spooled.';

COMMENT ON TABLE retention IS 'How long records are kept: the first rule that matches decides; a record that none matches is kept.';
COMMENT ON COLUMN retention.position IS 'Rules are tried in this order.';
COMMENT ON COLUMN retention.class IS 'A class, or a prefix that ends in a dot; empty: all.';
COMMENT ON COLUMN retention.max_severity IS 'Records up to this severity match.';
COMMENT ON COLUMN retention.agent_id IS 'Records of this host match; null: of all.';
COMMENT ON COLUMN retention.keep_days IS 'Days after received_at; null: for ever.';

COMMENT ON TABLE rollups IS 'How many records of a class, kernel and severity a host sent in an hour.';
COMMENT ON COLUMN rollups.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN rollups.hour IS 'Start of the hour (UTC) of received_at.';
COMMENT ON COLUMN rollups.class IS 'Class.';
COMMENT ON COLUMN rollups.kernel_release IS 'uname -r.';
COMMENT ON COLUMN rollups.severity IS '1 low, 2 medium, 3 high, 4 critical.';
COMMENT ON COLUMN rollups.records IS 'How many.';

COMMENT ON TABLE rollups_daily IS 'The same by day.';
COMMENT ON COLUMN rollups_daily.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN rollups_daily.day IS 'Start of the day (UTC) of received_at.';
COMMENT ON COLUMN rollups_daily.class IS 'Class.';
COMMENT ON COLUMN rollups_daily.kernel_release IS 'uname -r.';
COMMENT ON COLUMN rollups_daily.severity IS '1 low, 2 medium, 3 high, 4 critical.';
COMMENT ON COLUMN rollups_daily.records IS 'How many.';

COMMENT ON TABLE senders IS 'The delivery contract of one spool: everything up to stored_seq is stored.';
COMMENT ON COLUMN senders.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN senders.epoch IS 'The spool.';
COMMENT ON COLUMN senders.stored_seq IS 'The high-water mark.';
COMMENT ON COLUMN senders.stored_at IS 'received_at of its latest record or gap; rises strictly.';
COMMENT ON COLUMN senders.by_netconsole IS 'The collector itself, which speaks for the host by what it heard of it.';
COMMENT ON COLUMN senders.records IS 'Records that were stored; those that netconsole told and the host told itself are taken off.';
COMMENT ON COLUMN senders.expired IS 'Of these, records that retention gave up since.';

COMMENT ON VIEW audit IS 'The books held against the records themselves, one by one: slow on many.';
COMMENT ON VIEW books IS 'Whether the books of a sender balance: every sequence is stored once or lost with a reason.';
COMMENT ON VIEW issues IS 'All records with one fingerprint of the level that they are grouped by, over all hosts.';
COMMENT ON VIEW v_books IS 'Whether the books of a sender balance.';
COMMENT ON VIEW v_daily IS 'Records by day, host, class, kernel and severity.';
COMMENT ON VIEW v_exposure IS 'Host-hours by hour, host, build, kernel and hardware model.';
COMMENT ON VIEW v_hosts IS 'Hosts.';
COMMENT ON VIEW v_hourly IS 'Records by hour, host, class, kernel and severity.';
COMMENT ON VIEW v_kernel_rates IS 'Faults of medium severity and above by day and kernel, per 1000 host-hours.';
COMMENT ON VIEW v_losses IS 'What was lost, and why.';
COMMENT ON VIEW v_quarantine IS 'Records that could not be understood.';
COMMENT ON VIEW v_records IS 'Records with what their host is, without their bytes.';
