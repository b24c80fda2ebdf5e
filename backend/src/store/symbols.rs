//! The index of debug files.

use proto::v1::SymbolFileId;
use tokio_postgres::Row;

use super::{Store, StoreError, clean};

/// Debug files that are looked at for one record: a kernel and the modules of its stack, some of them in several builds.
const FILES: i64 = 64;

/// A debug file that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolFileRow {
    /// Its GNU build id, lower-case hexadecimal.
    pub build_id: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// `kernel`, `module` or `program`.
    pub kind: &'static str,
    /// Name of the module as the kernel prints it; empty: it is none.
    pub module: String,
    /// The kernel release that it says it is of; empty: it does not say.
    pub release: String,
    /// Its name where it was uploaded from.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Who brought it; empty: a stranger who may.
    pub uploaded_by: String,
}

/// What a stack asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolsWanted {
    /// Build ids that are known, of kernel, modules and programs.
    pub build_ids: Vec<String>,
    /// The release of the kernel, for what has no build id; empty: none is meant.
    pub kernel_release: String,
    /// Names of modules as the kernel prints them.
    pub modules: Vec<String>,
}

/// A debug file that may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolsFound {
    /// SHA-256 of its bytes.
    pub sha256: Vec<u8>,
    /// Name of the module as the kernel prints it; empty: it is none.
    pub module: String,
}

impl Store {
    /// The places of those files that are not in the index.
    pub async fn missing_symbols(&self, files: &[SymbolFileId]) -> Result<Vec<u32>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT wanted.place FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS wanted(build_id, sha256, place)
                 WHERE NOT EXISTS (SELECT FROM symbol_files f
                                   WHERE f.build_id = wanted.build_id AND f.sha256 = wanted.sha256)
                 ORDER BY wanted.place",
            )
            .await?;
        let ids: Vec<_> = files.iter().map(|file| clean(&file.build_id)).collect();
        let sums: Vec<&[u8]> = files.iter().map(|file| &*file.sha256).collect();
        let rows = client.query(&statement, &[&ids, &sums]).await?;
        let place = |row: &Row| u32::try_from(row.get::<_, i64>(0) - 1).ok();
        Ok(rows.iter().filter_map(place).collect())
    }

    /// Bytes of all files in the index; a file that has two build ids counts twice.
    pub async fn symbol_bytes(&self) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("SELECT coalesce(sum(bytes), 0)::bigint FROM symbol_files")
            .await?;
        let row = client.query_one(&statement, &[]).await?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    /// Enters a file; false when it was there.
    pub async fn add_symbols(&self, file: &SymbolFileRow) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO symbol_files (build_id, sha256, kind, module, release, name, bytes, uploaded_by)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            )
            .await?;
        let bytes = i64::try_from(file.bytes).unwrap_or(i64::MAX);
        let added = client
            .execute(
                &statement,
                &[
                    &file.build_id,
                    &file.sha256.as_slice(),
                    &file.kind,
                    &clean(&file.module),
                    &clean(&file.release),
                    &clean(&file.name),
                    &bytes,
                    &file.uploaded_by,
                ],
            )
            .await?;
        Ok(added == 1)
    }

    /// The files that may help with a stack: those of its builds, and what is of the kernel's release or does not say which
    /// it is of. Those of its builds come first, then the latest.
    pub async fn symbols_for(&self, wanted: &SymbolsWanted) -> Result<Vec<SymbolsFound>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT sha256, module FROM symbol_files
                 WHERE build_id = ANY ($1)
                    OR ($2 <> '' AND kind = 'kernel' AND release = $2)
                    OR ($2 <> '' AND kind = 'module' AND module = ANY ($3) AND release IN ($2, ''))
                 ORDER BY build_id = ANY ($1) DESC, release = $2 DESC, uploaded_at DESC, sha256 LIMIT $4",
            )
            .await?;
        let rows = client
            .query(
                &statement,
                &[&wanted.build_ids, &wanted.kernel_release, &wanted.modules, &FILES],
            )
            .await?;
        let found = |row: &Row| SymbolsFound {
            sha256: row.get(0),
            module: row.get(1),
        };
        Ok(rows.iter().map(found).collect())
    }
}
