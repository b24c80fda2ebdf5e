-- What else hosts say about themselves, for what faults have in common: CPU stepping and microcode, firmware, what a host is a guest
-- of, taint, loaded modules and memory modules. telemetry.v1.Host has the meaning in full.

ALTER TABLE hosts
    ADD COLUMN product_version    text   NOT NULL DEFAULT '',
    ADD COLUMN chassis            text   NOT NULL DEFAULT '',
    ADD COLUMN bios_vendor        text   NOT NULL DEFAULT '',
    ADD COLUMN bios_date          text   NOT NULL DEFAULT '',
    ADD COLUMN hypervisor         text   NOT NULL DEFAULT '',
    ADD COLUMN container          text   NOT NULL DEFAULT '',
    ADD COLUMN cloud              text   NOT NULL DEFAULT '',
    ADD COLUMN cpu_vendor         text   NOT NULL DEFAULT '',
    ADD COLUMN cpu_family         bigint,
    ADD COLUMN cpu_number         bigint,
    ADD COLUMN cpu_stepping       bigint,
    ADD COLUMN microcode          text   NOT NULL DEFAULT '',
    ADD COLUMN command_line       text   NOT NULL DEFAULT '',
    ADD COLUMN taint              bigint,
    ADD COLUMN livepatches        text[] NOT NULL DEFAULT '{}',
    ADD COLUMN memory_correction  text   NOT NULL DEFAULT '';
COMMENT ON COLUMN hosts.product_version IS 'DMI product version.';
COMMENT ON COLUMN hosts.chassis IS 'Kind of machine, by the type of its DMI chassis.';
COMMENT ON COLUMN hosts.bios_vendor IS 'DMI BIOS vendor.';
COMMENT ON COLUMN hosts.bios_date IS 'DMI BIOS date as the firmware writes it, MM/DD/YYYY.';
COMMENT ON COLUMN hosts.hypervisor IS 'What it is a guest of; empty: nothing, as far as it tells.';
COMMENT ON COLUMN hosts.container IS 'What the agent is in; empty: no container, as far as it tells.';
COMMENT ON COLUMN hosts.cloud IS 'Whose cloud it is in, by DMI; empty: none that is known.';
COMMENT ON COLUMN hosts.cpu_vendor IS 'vendor_id of /proc/cpuinfo, or the implementer of an Arm CPU.';
COMMENT ON COLUMN hosts.cpu_family IS 'Family of the first CPU; null: not known.';
COMMENT ON COLUMN hosts.cpu_number IS 'Model of the first CPU, or the part of an Arm CPU; null: not known.';
COMMENT ON COLUMN hosts.cpu_stepping IS 'Stepping of the first CPU, or variant and revision of an Arm CPU; null: not known.';
COMMENT ON COLUMN hosts.microcode IS 'Revision of the microcode; several with commas between when the CPUs have different ones.';
COMMENT ON COLUMN hosts.command_line IS 'The kernel''s command line without what is private.';
COMMENT ON COLUMN hosts.taint IS '/proc/sys/kernel/tainted, bits; null: not known.';
COMMENT ON COLUMN hosts.livepatches IS 'Live patches that are in force.';
COMMENT ON COLUMN hosts.memory_correction IS 'How memory corrects errors.';

CREATE TABLE host_modules (
    agent_id        uuid  NOT NULL,
    name            text  NOT NULL,
    version         text  NOT NULL,
    source_version  text  NOT NULL,
    taint           text  NOT NULL,
    PRIMARY KEY (agent_id, name)
);
-- Which hosts have a module, and which versions of it there are.
CREATE INDEX host_modules_name ON host_modules (name, version);
COMMENT ON TABLE host_modules IS 'Modules that a host''s kernel had loaded when it said last what it is.';
COMMENT ON COLUMN host_modules.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN host_modules.name IS 'Name of the module.';
COMMENT ON COLUMN host_modules.version IS 'Its version; empty: it has none, as most of the kernel''s own.';
COMMENT ON COLUMN host_modules.source_version IS 'Checksum of its source; empty: not known.';
COMMENT ON COLUMN host_modules.taint IS 'Letters of /sys/module/NAME/taint: OE is out of tree and unsigned.';

CREATE TABLE host_dimms (
    agent_id        uuid     NOT NULL,
    slot            integer  NOT NULL,
    locator         text     NOT NULL,
    bank            text     NOT NULL,
    manufacturer    text     NOT NULL,
    part_number     text     NOT NULL,
    technology      text     NOT NULL,
    size_bytes      bigint   NOT NULL,
    speed_mts       bigint   NOT NULL,
    configured_mts  bigint   NOT NULL,
    ranks           bigint   NOT NULL,
    PRIMARY KEY (agent_id, slot)
);
CREATE INDEX host_dimms_part ON host_dimms (part_number);
COMMENT ON TABLE host_dimms IS 'Memory modules of a host.';
COMMENT ON COLUMN host_dimms.agent_id IS 'The agent; distribution key.';
COMMENT ON COLUMN host_dimms.slot IS 'Its place in the firmware''s table, from 1 on.';
COMMENT ON COLUMN host_dimms.locator IS 'Where it sits, as printed on the board.';
COMMENT ON COLUMN host_dimms.bank IS 'Which bank that is.';
COMMENT ON COLUMN host_dimms.manufacturer IS 'Who made it; empty: not known.';
COMMENT ON COLUMN host_dimms.part_number IS 'Its maker''s name for it; empty: not known.';
COMMENT ON COLUMN host_dimms.technology IS 'DDR4, DDR5 and the like.';
COMMENT ON COLUMN host_dimms.size_bytes IS 'Bytes; 0: not known.';
COMMENT ON COLUMN host_dimms.speed_mts IS 'What it could do at most, MT/s; 0: not known.';
COMMENT ON COLUMN host_dimms.configured_mts IS 'What it is run at, MT/s; 0: not known.';
COMMENT ON COLUMN host_dimms.ranks IS 'Its ranks; 0: not known.';

CREATE OR REPLACE VIEW v_hosts AS
SELECT agent_id, hostname, os_id, os_build, kernel_release, arch, cpu_model, cpus, memory_bytes, product, board, bios,
       agent_version, first_seen, last_seen, product_version, chassis, bios_vendor, bios_date, hypervisor, container, cloud,
       cpu_vendor, cpu_family, cpu_number, cpu_stepping, microcode, taint, livepatches, memory_correction
FROM hosts;

CREATE VIEW v_host_modules AS
SELECT m.agent_id, h.hostname, m.name, m.version, m.source_version, m.taint
FROM host_modules m
JOIN hosts h ON h.agent_id = m.agent_id;
COMMENT ON VIEW v_host_modules IS 'Loaded modules of hosts.';

CREATE VIEW v_host_dimms AS
SELECT d.agent_id, h.hostname, d.slot, d.locator, d.bank, d.manufacturer, d.part_number, d.technology, d.size_bytes,
       d.speed_mts, d.configured_mts, d.ranks
FROM host_dimms d
JOIN hosts h ON h.agent_id = d.agent_id;
COMMENT ON VIEW v_host_dimms IS 'Memory modules of hosts.';
