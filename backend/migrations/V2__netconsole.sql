-- What netconsole needs: whose lines are whose, and which of its records the host itself may yet tell.

-- The word that a boot puts into its lines. The first agent that told a token has it.
CREATE TABLE netconsole_boots (
    agent_id        uuid        NOT NULL,
    token           text        NOT NULL,
    boot_id         text        NOT NULL,
    kernel_release  text        NOT NULL,
    first_seen      timestamptz NOT NULL DEFAULT now(),
    -- Where lines with the token last came from; null: none have come.
    source          inet,
    -- When the boot began, by its lines.
    booted_at       timestamptz,
    heard_at        timestamptz,
    PRIMARY KEY (agent_id, token)
);
CREATE INDEX netconsole_boots_token ON netconsole_boots (token);
CREATE INDEX netconsole_boots_source ON netconsole_boots (source) WHERE source IS NOT NULL;

-- Records by netconsole that the host's agent has not told. When it does, the one by netconsole goes.
CREATE TABLE netconsole_open (
    agent_id     uuid        NOT NULL,
    epoch        uuid        NOT NULL,
    seq          bigint      NOT NULL,
    received_at  timestamptz NOT NULL,
    -- What the host has said since has not been looked at.
    checked_at   timestamptz NOT NULL,
    PRIMARY KEY (agent_id, epoch, seq)
);
CREATE INDEX netconsole_open_checked_at ON netconsole_open (checked_at);

-- Whether the collector itself speaks for the host, by what it heard of it.
ALTER TABLE senders ADD COLUMN by_netconsole boolean NOT NULL DEFAULT false;
