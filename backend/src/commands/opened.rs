//! The database that a command is about.

use std::io::{self, Write as _};

use anyhow::bail;
use backend::{embedded::Cluster, store::Store};
use tokio::{runtime::Handle, task::block_in_place};

use super::Target;

/// A store, and the private PostgreSQL where this command had to start it.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) url: String,
    cluster: Option<Cluster>,
}

impl Opened {
    /// One that is there, with the schema of this program: looking makes nothing.
    pub(super) async fn open(target: &Target) -> anyhow::Result<Self> {
        let opened = Self::as_it_is(target).await?;
        opened.store.require_schema().await?;
        Ok(opened)
    }

    /// For a command that `makes` what a collector is to find at its first start: makes the database, too.
    pub(super) async fn open_or_make(target: &Target, makes: bool) -> anyhow::Result<Self> {
        if !makes {
            return Self::open(target).await;
        }
        let is_new = !target.is_there()?;
        let opened = Self::new(target).await?;
        opened.store.migrate().await?;
        if is_new {
            let dir = std::path::absolute(target.dir()?)?;
            // What is made is printed, and may be read by a program.
            writeln!(
                io::stderr(),
                "backend: made a new database in {}, which `backend serve` has to be started with",
                dir.display()
            )?;
        }
        Ok(opened)
    }

    /// One that is there, whatever is in it.
    pub(super) async fn as_it_is(target: &Target) -> anyhow::Result<Self> {
        if !target.is_there()? {
            bail!(
                "there is no database in {}: `backend serve` makes one, --data-dir and --database name another",
                target.dir()?.display()
            );
        }
        Self::new(target).await
    }

    /// The same, and an empty one where there is no private PostgreSQL yet.
    pub(super) async fn new(target: &Target) -> anyhow::Result<Self> {
        let (url, cluster) = if let Some(url) = &target.database {
            (url.clone(), None)
        } else {
            let dir = target.dir()?;
            let url = Cluster::url_in(&dir);
            if Store::new(&url)?.ping().await.is_ok() {
                (url, None)
            } else {
                let cluster = Cluster::start(&dir, None).await?;
                (cluster.url(), Some(cluster))
            }
        };
        let store = Store::new(&url)?;
        Ok(Self { store, url, cluster })
    }
}

/// However a command ends, it leaves no server behind that the next one had to stop first.
impl Drop for Opened {
    fn drop(&mut self) {
        self.store.close();
        if let Some(cluster) = self.cluster.take() {
            block_in_place(|| Handle::current().block_on(cluster.stop()));
        }
    }
}
