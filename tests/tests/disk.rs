//! A disk that fills up or may only be read: what was acknowledged is stored once, and what was refused is told as lost.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use system_tests::{
    or_skip,
    process::wait_for,
    sender,
    system::{Kept, System},
};

/// No storm control: every record counts.
const NO_STORM: &str = "[storm]\nfirst = 1000000\n[spool]\nsegment_bytes = 1048576";
/// A disk that a few hundred records of [`PAYLOAD`] bytes fill.
const SMALL: &str = "size=3m";
/// One that they don't.
const LARGE: &str = "size=64m";
/// What a record of Clear Linux's clients may have at most, nearly.
const PAYLOAD: usize = 8 * 1000;
/// Records that would fill the small disk more than twice.
const ATTEMPTS: usize = 1_000;
/// How long the agent may take to find out that its disk is mended.
const MENDED: Duration = Duration::from_mins(1);

/// A disk in memory at a folder.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn mount(folder: &Path, options: &str) -> Result<Self, String> {
        mount(folder, &format!("{options},mode=0700"))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    fn remount(&self, options: &str) {
        mount(&self.folder, &format!("remount,{options}")).expect("mount it with other options");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the agent, which is ended later, may have files open on it.
        let ended = Command::new("umount").arg("--lazy").arg(&self.folder).status();
        assert!(
            ended.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.folder.display()
        );
    }
}

fn mount(folder: &Path, options: &str) -> Result<(), String> {
    let output = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(folder)
        .output()
        .map_err(|error| format!("mount: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "mounting takes root: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}

/// A system whose agent keeps everything on a disk of its own; the agent does not run.
fn system(test: &str, options: &str) -> Option<(System, Disk)> {
    let mut system = System::start(test, NO_STORM)?;
    system.agent.process().terminate().expect("the agent stops");
    let disk = or_skip(test, Disk::mount(&system.agent.state_dir(), options))?;
    Some((system, disk))
}

/// Sends what does not fit; gives how much of it was refused.
fn fill(kept: &Kept, socket: &Path) -> usize {
    (0..ATTEMPTS)
        .filter(|_| kept.send(socket, PAYLOAD).is_err())
        .count()
}

#[test]
fn a_disk_that_is_full_loses_nothing_that_was_acknowledged_and_the_rest_is_told() {
    let test = "a_disk_that_is_full_loses_nothing_that_was_acknowledged_and_the_rest_is_told";
    let Some((mut system, disk)) = system(test, SMALL) else {
        return;
    };
    system.agent.restart().expect("the agent starts again");
    // Nothing makes room while the collector is away.
    system.backend.process().kill();
    let (kept, socket) = (Kept::default(), system.agent.socket());
    let refused = fill(&kept, &socket);
    assert!(
        refused > 0 && kept.len() > 10,
        "{refused} refused, {} kept",
        kept.len()
    );

    // An agent that is killed on a full disk opens its spool again.
    system.agent.process().kill();
    system.agent.restart().expect("the agent starts on a full disk");
    disk.remount(LARGE);
    let mended = wait_for("the agent to take records again", MENDED, || {
        kept.send(&socket, PAYLOAD).is_ok()
    });
    mended.expect("the disk has room");
    system.backend.restart().expect("the collector starts again");
    system.wait_for_all(&kept);
    kept.assert_stored_exactly_once(&system.database);
    system.database.assert_books_balance();
}

#[test]
fn a_full_disk_is_told_as_lost_with_its_reason_once_it_has_room() {
    let test = "a_full_disk_is_told_as_lost_with_its_reason_once_it_has_room";
    let Some((mut system, disk)) = system(test, SMALL) else {
        return;
    };
    system.agent.restart().expect("the agent starts again");
    system.backend.process().kill();
    let (kept, socket) = (Kept::default(), system.agent.socket());
    let refused = fill(&kept, &socket);
    assert!(refused > 0, "the disk never was full");
    disk.remount(LARGE);
    system.backend.restart().expect("the collector starts again");
    system.wait_for_all(&kept);
    let told = || {
        let sql = "SELECT coalesce(sum(events), 0)::bigint FROM losses WHERE reason = 'SPOOL_WRITE'";
        system.database.number(sql).unwrap_or(0)
    };
    let refused = i64::try_from(refused).expect("a few");
    // The record that met the full disk first is in memory, and its sender was told that it may come yet.
    let told_all = wait_for("the losses to be told", MENDED, || {
        thread::sleep(Duration::from_millis(200));
        (refused - 1..=refused).contains(&told())
    });
    assert!(
        told_all.is_ok(),
        "{refused} were refused, {} are told as lost",
        told()
    );
    system.database.assert_books_balance();
}

#[test]
fn a_disk_that_may_only_be_read_loses_nothing_that_was_acknowledged() {
    let test = "a_disk_that_may_only_be_read_loses_nothing_that_was_acknowledged";
    let Some((mut system, disk)) = system(test, LARGE) else {
        return;
    };
    system.agent.restart().expect("the agent starts again");
    system.backend.process().kill();
    let (kept, socket) = (Kept::default(), system.agent.socket());
    kept.send_until(100, &socket);
    system.agent.process().kill();
    disk.remount("ro");
    // It cannot run there, and says so; what is on the disk stays as it is.
    system.agent.launch().expect("it can be executed");
    let ended = wait_for("the agent to give up", MENDED, || {
        !system.agent.process().is_running()
    });
    if ended.is_err() {
        assert!(
            sender::send(&socket, "refused").is_err(),
            "nothing can be kept on this disk"
        );
        system.agent.process().kill();
    }
    disk.remount("rw");
    system.agent.restart().expect("the agent starts again");
    kept.send_until(120, &socket);
    system.backend.restart().expect("the collector starts again");
    system.wait_for_all(&kept);
    kept.assert_stored_exactly_once(&system.database);
    system.database.assert_books_balance();
}
