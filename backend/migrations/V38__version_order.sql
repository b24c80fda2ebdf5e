-- Kernels and builds are told earlier and later as packages are. kernel_order knew the leading numbers only, so that every later
-- kernel of a distribution was one and the same; it stays for collectors that run while the database is brought up to date.

CREATE FUNCTION version_order(version text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT convert_to(string_agg(
               translate(part[1], '~', chr(1))
               -- What has more digits is more; it begins with what is behind all letters.
               || CASE part[2] WHEN '' THEN '' ELSE '~' || lpad(length(ltrim(part[2], '0'))::text, 4, '0') || ltrim(part[2], '0') END,
               '' ORDER BY place) || chr(2), 'UTF8')
    FROM regexp_matches(regexp_replace(regexp_replace(version, '(\.0)+(?![.0-9])', '', 'g'), '-rc(?=[0-9])', '~rc', 'g'),
                        '([^0-9]*)([0-9]*)', 'g') WITH ORDINALITY AS m(part, place)
    WHERE version ~ '[0-9]'
$$;
COMMENT ON FUNCTION version_order IS 'What versions are sorted by. Null: it has no number, so nothing is earlier or later.';

CREATE FUNCTION version_reached(version text, since text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN version = since THEN true
        WHEN substring(version FROM '^[^0-9]*') = substring(since FROM '^[^0-9]*')
            THEN version_order(version) >= version_order(since)
    END
$$;
COMMENT ON FUNCTION version_reached IS 'Whether a version is another or a later one. Null: nobody can tell.';

COMMENT ON COLUMN triage.resolved_in IS 'Kernel release from which on it is resolved: a record of that or a later one, by version_reached, makes it regressed. Empty: of any.';
