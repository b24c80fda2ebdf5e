//! Lists of hosts and of the builds that they run.

use proto::v1::{Build, HostFilter, ListBuildsRequest, ListBuildsResponse, ListHostsResponse};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Store, StoreError,
    filter::{self, Parameters},
    hosts::{KNOWN, known},
    list::{last_of_page, size_of_page},
    time::Micros,
    token,
};

/// The names of the lists in page tokens.
const HOSTS: &str = "hosts";
const BUILDS: &str = "builds";

impl Store {
    /// Hosts that match by their names, without their modules and memory modules. `page_size` 0 means 50.
    pub async fn list_hosts(
        &self,
        filter: &HostFilter,
        page_size: u32,
        page_token: &str,
    ) -> Result<ListHostsResponse, StoreError> {
        let size = size_of_page(page_size)?;
        let after = token::decode(HOSTS, page_token, filter)?;
        let mut parameters = Parameters::default();
        let mut conditions = vec![filter::of_hosts(&filter.query, &mut parameters)?];
        if let Some(key) = after {
            let (hostname, agent_id) = host_of(&key).ok_or(StoreError::InvalidPageToken)?;
            let (hostname, agent_id) = (parameters.bind(hostname), parameters.bind(agent_id));
            conditions.push(format!("(f.hostname, f.agent_id) > ({hostname}, {agent_id})"));
        }
        let sql = format!(
            "SELECT {KNOWN} FROM hosts f WHERE {} ORDER BY f.hostname, f.agent_id LIMIT {}",
            conditions.join(" AND "),
            parameters.bind(i64::from(size) + 1)
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let key = |row: &Row| {
            let (hostname, agent_id): (&str, Uuid) = (row.get(0), row.get(29));
            [hostname.as_bytes(), agent_id.as_bytes()].concat()
        };
        let last = last_of_page(&rows, size);
        Ok(ListHostsResponse {
            hosts: rows.iter().take(size as usize).map(known).collect(),
            next_page_token: last.map_or_else(String::new, |row| token::encode(HOSTS, &key(row), filter)),
        })
    }

    /// Builds that hosts run now, by system and name. `page_size` 0 means 50.
    pub async fn list_builds(
        &self,
        page_size: u32,
        page_token: &str,
    ) -> Result<ListBuildsResponse, StoreError> {
        let size = size_of_page(page_size)?;
        let everything = ListBuildsRequest::default();
        let (os_id, os_build) = token::decode(BUILDS, page_token, &everything)?
            .map(|key| build_of(&key).ok_or(StoreError::InvalidPageToken))
            .transpose()?
            .unzip();
        let client = self.client().await?;
        let list = client
            .prepare_cached(
                "SELECT b.*, (SELECT min(day) FROM exposure_daily e WHERE e.os_build = b.os_build) FROM (
                     SELECT os_id, os_build, count(*), max(last_seen) FROM hosts
                     WHERE os_build <> '' AND ($1::text IS NULL OR (os_id, os_build) > ($1, $2))
                     GROUP BY os_id, os_build ORDER BY os_id, os_build LIMIT $3
                 ) b ORDER BY os_id, os_build",
            )
            .await?;
        let rows = client
            .query(&list, &[&os_id, &os_build, &(i64::from(size) + 1)])
            .await?;
        let key = |row: &Row| [row.get::<_, &str>(0), row.get(1)].join("\0").into_bytes();
        let last = last_of_page(&rows, size);
        Ok(ListBuildsResponse {
            builds: rows.iter().take(size as usize).map(build).collect(),
            next_page_token: last
                .map_or_else(String::new, |row| token::encode(BUILDS, &key(row), &everything)),
        })
    }
}

fn host_of(key: &[u8]) -> Option<(String, Uuid)> {
    let (hostname, agent_id) = key.split_last_chunk()?;
    Some((
        String::from_utf8(hostname.to_owned()).ok()?,
        Uuid::from_bytes(*agent_id),
    ))
}

fn build_of(key: &[u8]) -> Option<(String, String)> {
    let (os_id, os_build) = std::str::from_utf8(key).ok()?.split_once('\0')?;
    Some((os_id.to_owned(), os_build.to_owned()))
}

fn build(row: &Row) -> Build {
    Build {
        os_id: row.get(0),
        os_build: row.get(1),
        hosts: u64::try_from(row.get::<_, i64>(2)).unwrap_or(0),
        first_seen_unix_ns: row.get::<_, Option<Micros>>(4).map_or(0, Micros::unix_ns),
        last_seen_unix_ns: row.get::<_, Micros>(3).unix_ns(),
    }
}
