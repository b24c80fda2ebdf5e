//! What this host is, for the collector.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use faults::scrub::Scrubber;
use proto::v1::Host;
use uuid::Uuid;

use super::Surroundings;
use crate::host::{self, smbios};
use crate::netconsole;
use crate::privacy;
use crate::privileged::Client;

/// `host` with what only the privileged half may read, without what is private. A host whose agent's id rotates does not tell its
/// name by itself.
pub(super) async fn told(
    mut host: Host,
    surroundings: &Surroundings<'_>,
    agent_id: Uuid,
    scrubber: &Scrubber,
) -> Host {
    let table = surroundings
        .half
        .ask(Client::firmware_table)
        .await
        .ok()
        .and_then(read);
    host::add_modules(Path::new("/"), table.as_deref(), &mut host);
    host.command_line = host::public_command_line(&host.command_line, scrubber);
    if surroundings.settings.now().identity.rotates() && surroundings.config.hostname.is_none() {
        host.hostname.clear();
    }
    host.privacy = privacy::told(&surroundings.settings.now().privacy);
    host.netconsole_token = netconsole::token(agent_id, &host.boot_id);
    host
}

fn read(table: File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    table
        .take(smbios::TABLE_BYTES as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}
