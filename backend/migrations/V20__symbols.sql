-- Debug files, by which places in kernels and programs become functions, files and lines. The files are in a folder; a reference
-- table where tables are distributed.
CREATE TABLE symbol_files (
    build_id     text        NOT NULL,
    sha256       bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    kind         text        NOT NULL CHECK (kind IN ('kernel', 'module', 'program')),
    module       text        NOT NULL DEFAULT '',
    release      text        NOT NULL DEFAULT '',
    name         text        NOT NULL,
    bytes        bigint      NOT NULL,
    uploaded_at  timestamptz NOT NULL DEFAULT now(),
    uploaded_by  text        NOT NULL DEFAULT '',
    PRIMARY KEY (build_id, sha256)
);
CREATE INDEX symbol_files_release ON symbol_files (release, kind, module);
COMMENT ON TABLE symbol_files IS 'Debug files that were uploaded.';
COMMENT ON COLUMN symbol_files.build_id IS 'GNU build id of the file, lower-case hexadecimal.';
COMMENT ON COLUMN symbol_files.sha256 IS 'Of its bytes; it is kept under this name.';
COMMENT ON COLUMN symbol_files.kind IS 'kernel, module or program.';
COMMENT ON COLUMN symbol_files.module IS 'Name of the module as the kernel prints it; empty: it is none.';
COMMENT ON COLUMN symbol_files.release IS 'Kernel release that the file says it is of; empty: it does not say.';
COMMENT ON COLUMN symbol_files.name IS 'Its name where it was uploaded from.';
COMMENT ON COLUMN symbol_files.bytes IS 'Its size.';
COMMENT ON COLUMN symbol_files.uploaded_at IS 'When it was taken in.';
COMMENT ON COLUMN symbol_files.uploaded_by IS 'Who brought it; empty: a stranger who may.';

ALTER TABLE hosts ADD COLUMN kernel_build_id text NOT NULL DEFAULT '';
COMMENT ON COLUMN hosts.kernel_build_id IS 'GNU build id of the kernel; empty: not known.';
