-- Roles that own as little as their work takes. They cannot log in: grant them to users who can. Safe to repeat.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['telemetrics_ingest', 'telemetrics_query', 'telemetrics_pages', 'telemetrics_grafana'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        EXCEPTION
            -- Roles are of the whole server: another database, or a collector that starts just now, may have made it.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
    END LOOP;
END
$$;

-- Stores what agents and netconsole tell. Deletes only what netconsole told and the host told itself.
GRANT SELECT, INSERT, UPDATE ON hosts, senders, counted, records, fingerprints, rollups, rollups_daily, sightings, boots, exposure, exposure_daily,
    netconsole_boots, netconsole_open, host_modules, host_dimms, part_hours, parts TO telemetrics_ingest;
GRANT SELECT, INSERT, UPDATE ON triage TO telemetrics_ingest;
GRANT SELECT, INSERT ON updates TO telemetrics_ingest;
GRANT SELECT, INSERT, DELETE ON population TO telemetrics_ingest;
GRANT SELECT, UPDATE ON part_work TO telemetrics_ingest;
GRANT INSERT ON losses, quarantine, triage_history, kept_once TO telemetrics_ingest;
GRANT DELETE ON records, fingerprints, sightings, netconsole_open, host_modules, host_dimms, part_hours TO telemetrics_ingest;

GRANT SELECT ON authority, authority_key, revoked_agents TO telemetrics_ingest;
GRANT SELECT, INSERT, UPDATE ON enrolled_agents TO telemetrics_ingest;
GRANT SELECT, UPDATE ON enrolment_tokens TO telemetrics_ingest;

-- Reads, without what lets somebody in, and without who did what.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO telemetrics_query, telemetrics_pages;
REVOKE ALL ON people, sessions, api_tokens, enrolment_tokens, enrolled_agents, audit_log FROM telemetrics_query;
-- Whoever reads the authority's key can be any agent.
REVOKE ALL ON authority_key FROM telemetrics_query, telemetrics_pages;

-- Answers the query services and shows the pages. Knows who asks, and lets admins change that.
GRANT INSERT, UPDATE, DELETE ON people, sessions TO telemetrics_pages;
GRANT INSERT, UPDATE ON enrolment_tokens TO telemetrics_pages;
GRANT INSERT, DELETE ON retention TO telemetrics_pages;
GRANT INSERT ON audit_log TO telemetrics_pages;
-- Changes issues.
GRANT UPDATE ON triage TO telemetrics_pages;
GRANT INSERT ON triage_history TO telemetrics_pages;
-- Looks at the rules, and tells people.
GRANT INSERT, UPDATE, DELETE ON alerts, alert_messages, alert_silences TO telemetrics_pages;
GRANT UPDATE ON alert_turn TO telemetrics_pages;
-- Keeps searches.
GRANT INSERT, UPDATE, DELETE ON saved_searches TO telemetrics_pages;
-- Takes debug files in.
GRANT INSERT ON symbol_files TO telemetrics_pages;

-- Reads what is promised to reports, and nothing else: not the records' bytes.
DO $$
DECLARE
    promised regclass;
BEGIN
    FOR promised IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'v' AND starts_with(relname, 'v_')
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO telemetrics_grafana', promised);
    END LOOP;
END
$$;
