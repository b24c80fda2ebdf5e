//! Every target reads its seeds, what was cut out of them and put into them, and noise, without a panic. The inputs are the
//! same in every run; `cargo xtask fuzz` looks further.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use fuzz_targets::TARGETS;

/// Changed seeds for each target.
const CHANGED: usize = 60;
/// Inputs of noise for each target.
const NOISE: usize = 30;
/// The longest of them, bytes.
const NOISE_BYTES: usize = 600;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Cuts a piece out, writes one over with noise, or repeats one.
fn change(input: &mut Vec<u8>, luck: &mut fastrand::Rng) {
    let from = luck.usize(..=input.len());
    let to = (from + luck.usize(1..64)).min(input.len());
    match luck.u8(..3) {
        0 => drop(input.drain(from..to)),
        1 => input[from..to].iter_mut().for_each(|byte| *byte = luck.u8(..)),
        _ => input.extend_from_within(from..to),
    }
}

#[test]
fn every_target_reads_what_it_is_given() {
    for target in TARGETS {
        let seeds: Vec<Vec<u8>> = files(&seeds().join(target.name))
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect();
        let mut luck = fastrand::Rng::with_seed(1);
        (target.run)(b"");
        for seed in &seeds {
            (target.run)(seed);
        }
        for seed in seeds
            .iter()
            .cycle()
            .take(if seeds.is_empty() { 0 } else { CHANGED })
        {
            let mut input = seed.clone();
            for _ in 0..luck.u8(1..4) {
                change(&mut input, &mut luck);
            }
            (target.run)(&input);
        }
        for _ in 0..NOISE {
            let length = luck.usize(..NOISE_BYTES);
            let noise: Vec<u8> = std::iter::repeat_with(|| luck.u8(..)).take(length).collect();
            (target.run)(&noise);
        }
    }
}

#[test]
fn every_folder_of_seeds_is_a_targets() {
    let targets: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    for folder in files(&seeds()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(targets.contains(&*name), "{name}");
        assert!(!files(&folder).is_empty(), "{name}");
    }
}
