//! Debug files for the kernels and modules of reports, looked up where the user says.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use faults::KernelReport;
use faults::symbols::{
    BuildId, SymbolFile, Symbols, SymbolsLimits, is_module_file, kernel_paths, module_folders, sentences,
};
use telemd::text::chain;

/// Bytes of a debug file; that of a distribution's kernel has half of it.
const FILE_BYTES: u64 = 2 << 30;
/// Files and folders that are looked at to find the modules of one kernel: twice what distributions have.
const ENTRIES_MAX: usize = 50_000;
/// Folders below each other.
const DEPTH_MAX: usize = 12;

/// Why `--symbols` cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SymbolsError {
    #[error("--symbols {path}: {source}")]
    Open { path: String, source: std::io::Error },
    #[error("--symbols {path}: {reason}")]
    File { path: String, reason: String },
}

/// Finds debug files and keeps them.
pub(super) struct Finder {
    symbols: Symbols<Vec<u8>>,
    /// The folder to look in; absent when a file was given.
    folder: Option<PathBuf>,
    /// Kernels and modules that were looked for.
    sought: HashSet<(String, Option<String>)>,
}

impl Finder {
    /// From a debug file, or a folder of them such as `/usr/lib/debug`.
    pub(super) fn new(path: &Path) -> Result<Self, SymbolsError> {
        let name = || path.display().to_string();
        let metadata = fs::metadata(path).map_err(|source| SymbolsError::Open { path: name(), source })?;
        let mut finder = Self {
            symbols: Symbols::new(SymbolsLimits::default()),
            folder: metadata.is_dir().then(|| path.to_owned()),
            sought: HashSet::new(),
        };
        if finder.folder.is_none() {
            let path = name();
            let file = read(Path::new(&path)).map_err(|reason| SymbolsError::File { path, reason })?;
            finder.symbols.add(file);
        }
        Ok(finder)
    }

    /// Gives frames of the report their lines. Answers what could not be done, a sentence each.
    pub(super) fn resolve(&mut self, report: &mut KernelReport) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(folder) = self.folder.clone() {
            self.find(&folder, report, &mut notes);
        }
        let resolved = self.symbols.resolve(report);
        notes.extend(sentences(&resolved.problems));
        notes
    }

    /// Loads what the report needs and was not sought before.
    fn find(&mut self, folder: &Path, report: &KernelReport, notes: &mut Vec<String>) {
        let release = report.kernel_release.clone().unwrap_or_default();
        if self.sought.insert((release.clone(), None)) {
            let paths = kernel_paths(&release, None);
            let found = paths
                .iter()
                .map(|path| folder.join(path))
                .find(|path| path.is_file());
            notes.extend(found.and_then(|path| self.load(&path, None)));
        }
        let frames = report.traces.iter().flat_map(|trace| &trace.frames);
        let named = frames.filter_map(|frame| Some((frame.module.clone()?, frame.build_id.clone())));
        let modules: BTreeSet<(String, Option<String>)> = named.collect();
        for (module, build_id) in modules {
            if self.sought.insert((release.clone(), Some(module.clone()))) {
                let by_id = build_id.and_then(|id| id.parse::<BuildId>().ok());
                let by_id = by_id
                    .map(|id| folder.join(id.debug_path()))
                    .filter(|path| path.is_file());
                let found = by_id.or_else(|| module_file(folder, &release, &module));
                notes.extend(found.and_then(|path| self.load(&path, Some(&module))));
            }
        }
    }

    /// Takes a file in; answers why not. Files that hold debug information only do not say which module they are of.
    fn load(&mut self, path: &Path, module: Option<&str>) -> Option<String> {
        match read(path) {
            Ok(file) => {
                self.symbols.add(match module {
                    Some(module) => file.with_module_name(module),
                    None => file,
                });
                None
            }
            Err(reason) => Some(format!("{}: {reason}", path.display())),
        }
    }
}

fn read(path: &Path) -> Result<SymbolFile<Vec<u8>>, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES + 1).read_to_end(&mut bytes);
    let length = read.map_err(|error| error.to_string())?;
    if length as u64 > FILE_BYTES {
        return Err(format!("has more than {FILE_BYTES} bytes"));
    }
    let file = SymbolFile::read(bytes).map_err(|error| chain(&error))?;
    Ok(file)
}

/// A module's file: below the folders of its kernel, or in the folder itself.
fn module_file(folder: &Path, release: &str, module: &str) -> Option<PathBuf> {
    let mut left = ENTRIES_MAX;
    let below = module_folders(release).into_iter();
    let found = below
        .into_iter()
        .find_map(|below| walk(&folder.join(below), module, DEPTH_MAX, &mut left));
    found.or_else(|| walk(folder, module, 1, &mut left))
}

fn walk(folder: &Path, module: &str, depth: usize, left: &mut usize) -> Option<PathBuf> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).ok()?.flatten() {
        *left = left.checked_sub(1)?;
        let kind = entry.file_type().ok()?;
        if kind.is_dir() {
            folders.push(entry.path());
        } else if is_module_file(&entry.file_name().to_string_lossy(), module) {
            return Some(entry.path());
        }
    }
    let depth = depth.checked_sub(1).filter(|depth| *depth > 0)?;
    folders
        .iter()
        .find_map(|folder| walk(folder, module, depth, left))
}
