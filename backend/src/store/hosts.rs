//! What hosts say about themselves: the latest word of each.

use std::collections::HashMap;

use bytes::Bytes;
use deadpool_postgres::Transaction;
use proto::v1::{Dimm, Host, KnownHost, Module};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Store, StoreError, clean, count, time::Micros};

/// The row of a host becomes what it says.
const TELL: &str = "INSERT INTO hosts AS h (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model,
         cpus, memory_bytes, product, board, bios, boot_id, agent_version, product_version, chassis, bios_vendor,
         bios_date, hypervisor, container, cloud, cpu_vendor, cpu_family, cpu_number, cpu_stepping, microcode,
         command_line, taint, livepatches, memory_correction, kernel_build_id, privacy)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)
     ON CONFLICT (agent_id) DO UPDATE
     SET (hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus, memory_bytes, product,
          board, bios, boot_id, agent_version, product_version, chassis, bios_vendor, bios_date, hypervisor,
          container, cloud, cpu_vendor, cpu_family, cpu_number, cpu_stepping, microcode, command_line, taint,
          livepatches, memory_correction, kernel_build_id, privacy, last_seen)
       = (excluded.hostname, excluded.os_id, excluded.os_build, excluded.kernel_release, excluded.kernel_version,
          excluded.arch, excluded.cpu_model, excluded.cpus, excluded.memory_bytes, excluded.product,
          excluded.board, excluded.bios, excluded.boot_id, excluded.agent_version, excluded.product_version,
          excluded.chassis, excluded.bios_vendor, excluded.bios_date, excluded.hypervisor, excluded.container,
          excluded.cloud, excluded.cpu_vendor, excluded.cpu_family, excluded.cpu_number, excluded.cpu_stepping,
          excluded.microcode, excluded.command_line, excluded.taint, excluded.livepatches,
          excluded.memory_correction, excluded.kernel_build_id, excluded.privacy, now())";

/// Makes the latest word about a host known.
pub(super) async fn tell(
    transaction: &Transaction<'_>,
    agent_id: Uuid,
    host: &Host,
    agent_version: &str,
) -> Result<(), StoreError> {
    super::population::changed(transaction, agent_id, &clean(&host.os_build)).await?;
    let upsert = transaction.prepare_cached(TELL).await?;
    let livepatches: Vec<_> = host.livepatches.iter().map(|name| clean(name)).collect();
    let privacy: Vec<_> = host.privacy.iter().map(|treated| clean(treated)).collect();
    transaction
        .execute(
            &upsert,
            &[
                &agent_id,
                &clean(&host.hostname),
                &clean(&host.os_id),
                &clean(&host.os_build),
                &clean(&host.kernel_release),
                &clean(&host.kernel_version),
                &clean(&host.arch),
                &clean(&host.cpu_model),
                &i64::from(host.cpus),
                &bigint(host.memory_bytes),
                &clean(&host.product),
                &clean(&host.board),
                &clean(&host.bios),
                &clean(&host.boot_id),
                &clean(agent_version),
                &clean(&host.product_version),
                &clean(&host.chassis),
                &clean(&host.bios_vendor),
                &clean(&host.bios_date),
                &clean(&host.hypervisor),
                &clean(&host.container),
                &clean(&host.cloud),
                &clean(&host.cpu_vendor),
                &host.cpu_family.map(i64::from),
                &host.cpu_number.map(i64::from),
                &host.cpu_stepping.map(i64::from),
                &clean(&host.microcode),
                &clean(&host.command_line),
                &host.taint.map(bigint),
                &livepatches,
                &clean(&host.memory_correction),
                &clean(&host.kernel_build_id),
                &privacy,
            ],
        )
        .await?;
    modules(transaction, agent_id, &host.modules).await?;
    dimms(transaction, agent_id, &host.dimms).await
}

/// Makes the rows of a host's modules those that it told; what is as it was is not written.
async fn modules(
    transaction: &Transaction<'_>,
    agent_id: Uuid,
    modules: &[Module],
) -> Result<(), StoreError> {
    let statement = transaction
        .prepare_cached(
            "WITH told AS (
                 SELECT DISTINCT ON (name) * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
                     AS m(name, version, source_version, taint)
             ), gone AS (
                 DELETE FROM host_modules m WHERE agent_id = $1 AND NOT EXISTS (SELECT FROM told WHERE told.name = m.name)
             )
             INSERT INTO host_modules AS m (agent_id, name, version, source_version, taint)
             SELECT $1, name, version, source_version, taint FROM told
             ON CONFLICT (agent_id, name) DO UPDATE
             SET version = excluded.version, source_version = excluded.source_version, taint = excluded.taint
             WHERE (m.version, m.source_version, m.taint)
                IS DISTINCT FROM (excluded.version, excluded.source_version, excluded.taint)",
        )
        .await?;
    let texts = |of: fn(&Module) -> &str| modules.iter().map(|module| clean(of(module))).collect::<Vec<_>>();
    transaction
        .execute(
            &statement,
            &[
                &agent_id,
                &texts(|module| &module.name),
                &texts(|module| &module.version),
                &texts(|module| &module.source_version),
                &texts(|module| &module.taint),
            ],
        )
        .await?;
    Ok(())
}

/// The same for its memory modules.
async fn dimms(transaction: &Transaction<'_>, agent_id: Uuid, dimms: &[Dimm]) -> Result<(), StoreError> {
    let statement = transaction
        .prepare_cached(
            "WITH told AS (
                 SELECT slot::integer, locator, bank, manufacturer, part_number, technology, size_bytes, speed_mts,
                        configured_mts, ranks
                 FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
                             $9::bigint[], $10::bigint[]) WITH ORDINALITY
                     AS d(locator, bank, manufacturer, part_number, technology, size_bytes, speed_mts, configured_mts,
                          ranks, slot)
             ), gone AS (
                 DELETE FROM host_dimms d WHERE agent_id = $1 AND NOT EXISTS (SELECT FROM told WHERE told.slot = d.slot)
             )
             INSERT INTO host_dimms AS d (agent_id, slot, locator, bank, manufacturer, part_number, technology, size_bytes,
                                          speed_mts, configured_mts, ranks)
             SELECT $1, told.* FROM told
             ON CONFLICT (agent_id, slot) DO UPDATE
             SET (locator, bank, manufacturer, part_number, technology, size_bytes, speed_mts, configured_mts, ranks)
               = (excluded.locator, excluded.bank, excluded.manufacturer, excluded.part_number, excluded.technology,
                  excluded.size_bytes, excluded.speed_mts, excluded.configured_mts, excluded.ranks)
             WHERE d IS DISTINCT FROM excluded",
        )
        .await?;
    let texts = |of: fn(&Dimm) -> &str| dimms.iter().map(|dimm| clean(of(dimm))).collect::<Vec<_>>();
    let numbers = |of: fn(&Dimm) -> u64| dimms.iter().map(|dimm| bigint(of(dimm))).collect::<Vec<_>>();
    transaction
        .execute(
            &statement,
            &[
                &agent_id,
                &texts(|dimm| &dimm.locator),
                &texts(|dimm| &dimm.bank),
                &texts(|dimm| &dimm.manufacturer),
                &texts(|dimm| &dimm.part_number),
                &texts(|dimm| &dimm.technology),
                &numbers(|dimm| dimm.size_bytes),
                &numbers(|dimm| dimm.speed_mts.into()),
                &numbers(|dimm| dimm.configured_mts.into()),
                &numbers(|dimm| dimm.ranks.into()),
            ],
        )
        .await?;
    Ok(())
}

/// The columns that [`known`] reads, of `hosts f`.
pub(super) const KNOWN: &str = "f.hostname, f.os_id, f.os_build, f.kernel_release, f.kernel_version, f.arch, f.cpu_model, \
                                f.cpus, f.memory_bytes, f.product, f.board, f.bios, f.boot_id, f.product_version, f.chassis, \
                                f.bios_vendor, f.bios_date, f.hypervisor, f.container, f.cloud, f.cpu_vendor, \
                                f.cpu_family, f.cpu_number, f.cpu_stepping, f.microcode, f.command_line, f.taint, \
                                f.livepatches, f.memory_correction, f.agent_id, f.agent_version, f.first_seen, f.last_seen, f.kernel_build_id, f.privacy";

impl Store {
    /// What a host said about itself last; `None`: it is not known.
    pub async fn host(&self, agent_id: Uuid) -> Result<Option<KnownHost>, StoreError> {
        let client = self.client().await?;
        let one = client
            .prepare_cached(&format!("SELECT {KNOWN} FROM hosts f WHERE f.agent_id = $1"))
            .await?;
        let Some(row) = client.query_opt(&one, &[&agent_id]).await? else {
            return Ok(None);
        };
        let mut host = facts(&row);
        let modules = client
            .prepare_cached(
                "SELECT name, version, source_version, taint FROM host_modules WHERE agent_id = $1 ORDER BY name",
            )
            .await?;
        let rows = client.query(&modules, &[&agent_id]).await?;
        host.modules = rows
            .iter()
            .map(|row| Module {
                name: row.get(0),
                version: row.get(1),
                source_version: row.get(2),
                taint: row.get(3),
            })
            .collect();
        let dimms = client
            .prepare_cached(
                "SELECT locator, bank, manufacturer, part_number, technology, size_bytes, speed_mts, configured_mts, ranks
                 FROM host_dimms WHERE agent_id = $1 ORDER BY slot",
            )
            .await?;
        host.dimms = client
            .query(&dimms, &[&agent_id])
            .await?
            .iter()
            .map(dimm)
            .collect();
        Ok(Some(KnownHost {
            host: Some(host),
            ..known(&row)
        }))
    }
}

/// How something private is treated, and on how many hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Treated {
    /// Rule and treatment: `ip hash`.
    pub what: String,
    /// Hosts.
    pub hosts: u64,
}

impl Store {
    /// What hosts that were heard in the last 30 days take out of their records, by their last word, and how many they are.
    pub async fn privacy(&self) -> Result<(Vec<Treated>, u64), StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT treated, count(*) FROM hosts
                 CROSS JOIN LATERAL unnest(privacy) AS treated
                 WHERE last_seen > now() - interval '30 days' GROUP BY 1 ORDER BY 1 LIMIT 100",
                &[],
            )
            .await?;
        let hosts = "SELECT count(*) FROM hosts WHERE last_seen > now() - interval '30 days'";
        let hosts = client.query_one(hosts, &[]).await?;
        let treated = rows.iter().map(|row| Treated {
            what: row.get(0),
            hosts: count(row.get(1)),
        });
        Ok((treated.collect(), count(hosts.get(0))))
    }
}

/// A row of [`KNOWN`] as it goes out, without its modules and memory modules.
pub(super) fn known(row: &Row) -> KnownHost {
    KnownHost {
        agent_id: Bytes::copy_from_slice(row.get::<_, Uuid>(29).as_bytes()),
        host: Some(facts(row)),
        agent_version: row.get(30),
        first_seen_unix_ns: row.get::<_, Micros>(31).unix_ns(),
        last_seen_unix_ns: row.get::<_, Micros>(32).unix_ns(),
    }
}

/// All of a host but its modules and memory modules.
fn facts(row: &Row) -> Host {
    let unsigned = |column: usize| {
        row.get::<_, Option<i64>>(column)
            .and_then(|number| u32::try_from(number).ok())
    };
    Host {
        hostname: row.get(0),
        os_id: row.get(1),
        os_build: row.get(2),
        kernel_release: row.get(3),
        kernel_version: row.get(4),
        arch: row.get(5),
        cpu_model: row.get(6),
        cpus: unsigned(7).unwrap_or(0),
        memory_bytes: u64::try_from(row.get::<_, i64>(8)).unwrap_or(0),
        product: row.get(9),
        board: row.get(10),
        bios: row.get(11),
        boot_id: row.get(12),
        product_version: row.get(13),
        chassis: row.get(14),
        bios_vendor: row.get(15),
        bios_date: row.get(16),
        hypervisor: row.get(17),
        container: row.get(18),
        cloud: row.get(19),
        cpu_vendor: row.get(20),
        cpu_family: unsigned(21),
        cpu_number: unsigned(22),
        cpu_stepping: unsigned(23),
        microcode: row.get(24),
        command_line: row.get(25),
        taint: row
            .get::<_, Option<i64>>(26)
            .and_then(|bits| u64::try_from(bits).ok()),
        livepatches: row.get(27),
        memory_correction: row.get(28),
        kernel_build_id: row.get(33),
        privacy: row.get(34),
        ..Host::default()
    }
}

fn dimm(row: &Row) -> Dimm {
    let number = |column: usize| row.get::<_, i64>(column);
    let unsigned = |column: usize| u32::try_from(number(column)).unwrap_or(0);
    Dimm {
        locator: row.get(0),
        bank: row.get(1),
        manufacturer: row.get(2),
        part_number: row.get(3),
        technology: row.get(4),
        size_bytes: u64::try_from(number(5)).unwrap_or(0),
        speed_mts: unsigned(6),
        configured_mts: unsigned(7),
        ranks: unsigned(8),
    }
}

/// As PostgreSQL has it, whose numbers have a sign.
fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Store {
    /// The names of hosts, by their agents.
    pub(crate) async fn host_names(&self, agents: &[Uuid]) -> Result<HashMap<Uuid, String>, StoreError> {
        let client = self.client().await?;
        let names = client
            .prepare_cached("SELECT agent_id, hostname FROM hosts WHERE agent_id = ANY ($1)")
            .await?;
        let names = client.query(&names, &[&agents]).await?;
        Ok(names.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}
