//! Opening a directory: finding out what is there, whatever happened to it.

use std::path::PathBuf;

use crate::disk::Handle;
use crate::files::{self, Directory, SegmentFile, failed};
use crate::format::{HEADER_BYTES, Header, HeaderError, Kind, Mark, Seed, VERSION};
use crate::lost::Lost;
use crate::mark::MarkFile;
use crate::spool::Segment;
use crate::{Damage, GapReason, Options, SpoolError};

mod contents;

pub(crate) use contents::unreadable;

use contents::Contents;

const IDENTITY: &str = "identity";

/// What a directory holds.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) epoch: [u8; 16],
    pub(crate) created: bool,
    pub(crate) segments: Vec<Segment>,
    /// The last segment, when it is undamaged and records can be added to it.
    pub(crate) writer: Option<Handle>,
    pub(crate) mark: MarkFile,
    pub(crate) lost: Lost,
    pub(crate) damage: Vec<Damage>,
}

/// Recovers the spool in `directory`, or makes one with the epoch `new_epoch`.
pub(crate) fn recover(
    directory: &Directory,
    options: Options,
    new_epoch: [u8; 16],
) -> Result<Recovered, SpoolError> {
    let mut damage = Vec::new();
    // A name that the last process gave it may not have synced. Records are written under it from now on.
    directory.sync()?;
    let mut found = directory.segments()?;
    let Some(epoch) = find_epoch(directory, options, &found, &mut damage)? else {
        return create(directory, options, new_epoch, damage);
    };
    set_foreigners_aside(directory, options, epoch, &mut found, &mut damage)?;
    directory.remove_unfinished()?;
    let mark = MarkFile::open(directory, Seed::of_epoch(epoch))?;
    if mark.is_none() {
        if found.is_empty() {
            // Nothing says which sequences of this epoch were used. A new epoch keeps them from being used twice.
            damage.push(Damage::MovedAside {
                to: directory.move_all_aside(options.max_bytes)?,
            });
            return create(directory, options, new_epoch, damage);
        }
        damage.push(Damage::Mark);
    }
    read_all(directory, options, epoch, &found, mark, damage)
}

/// Reads all segments of an epoch, and brings its mark up to what they say.
fn read_all(
    directory: &Directory,
    options: Options,
    epoch: [u8; 16],
    found: &[SegmentFile],
    mark: Option<MarkFile>,
    damage: Vec<Damage>,
) -> Result<Recovered, SpoolError> {
    let stored = mark.as_ref().map(MarkFile::get).unwrap_or_default();
    let seed = Seed::of_epoch(epoch);
    let mut scan = Scan {
        directory,
        seed,
        stored,
        segment_bytes: options.segment_bytes,
        settled: Vec::new(),
        lost: Lost::default(),
        damage,
    };
    let (mut segments, writer, last_seq) = scan.segments(found)?;
    let Scan {
        settled,
        lost,
        mut damage,
        ..
    } = scan;
    damage.extend(lost.iter().map(|range| Damage::Records {
        first_seq: range.first,
        count: range.last - range.first + 1,
    }));
    let clock_s = segments.iter().map(|segment| segment.holds.newest_s).max();
    let newer = Mark {
        durable: last_seq,
        clock_s: stored.clock_s.max(clock_s.unwrap_or(0)),
        ..stored
    };
    let mark = renewed(mark, directory, seed, newer)?;
    for path in &settled {
        directory.remove(path)?;
    }
    if writer.is_none() {
        name_next(directory, epoch, last_seq + 1, &mut segments);
    }
    Ok(Recovered {
        epoch,
        created: false,
        segments,
        writer,
        mark,
        lost,
        damage,
    })
}

/// The mark with what is known now. Sequences that are known to be used must stay known when what proved it has been cut off.
fn renewed(
    mark: Option<MarkFile>,
    directory: &Directory,
    seed: Seed,
    newer: Mark,
) -> Result<MarkFile, SpoolError> {
    let Some(mut mark) = mark else {
        return MarkFile::create(directory, seed, newer);
    };
    mark.store(newer)?;
    Ok(mark)
}

/// Begins a segment with the sequence `next`: its name says, beside the mark, that those before it were used. It is made for
/// good when there is something to write; on a full disk the spool has to open without it, to be emptied.
fn name_next(directory: &Directory, epoch: [u8; 16], next: u64, segments: &mut Vec<Segment>) {
    if let Ok((segment, _)) = Segment::create(directory, epoch, next, 0) {
        segments.retain(|segment| segment.first_seq < next);
        segments.push(segment);
    }
}

/// Makes an empty spool. The identity file comes last: without it there is no spool yet.
fn create(
    directory: &Directory,
    options: Options,
    epoch: [u8; 16],
    damage: Vec<Damage>,
) -> Result<Recovered, SpoolError> {
    let seed = Seed::of_epoch(epoch);
    let mark = MarkFile::create(directory, seed, Mark::default())?;
    let (segment, writer) = Segment::create(directory, epoch, 1, options.segment_bytes)?;
    let identity = Header { epoch, first_seq: 0 }.encode(Kind::Identity);
    directory.create(&directory.path().join(IDENTITY), &identity, 0)?;
    let segments = vec![segment];
    Ok(Recovered {
        epoch,
        created: true,
        segments,
        writer: Some(writer),
        mark,
        lost: Lost::default(),
        damage,
    })
}

/// The epoch of the spool in the directory; `None` when there is none, or none that can be told. What is in the way of
/// a new one is moved aside then.
fn find_epoch(
    directory: &Directory,
    options: Options,
    segments: &[SegmentFile],
    damage: &mut Vec<Damage>,
) -> Result<Option<[u8; 16]>, SpoolError> {
    let identity = directory.read(IDENTITY, HEADER_BYTES)?;
    match identity
        .as_deref()
        .map(|bytes| Header::decode(Kind::Identity, bytes))
    {
        Some(Ok(header)) => return Ok(Some(header.epoch)),
        Some(Err(HeaderError::Version(found))) => return Err(unknown_version(directory, found)),
        Some(Err(HeaderError::Damaged)) | None => {}
    }
    let mut epochs = Vec::new();
    for segment in segments {
        if let Some(header) = read_header(directory, segment)? {
            epochs.push(header.epoch);
        }
    }
    epochs.dedup();
    if let [epoch] = epochs[..] {
        let bytes = Header { epoch, first_seq: 0 }.encode(Kind::Identity);
        directory.create(&directory.path().join(IDENTITY), &bytes, 0)?;
        damage.push(Damage::Identity);
        return Ok(Some(epoch));
    }
    if identity.is_some() || !segments.is_empty() {
        damage.push(Damage::MovedAside {
            to: directory.move_all_aside(options.max_bytes)?,
        });
    }
    Ok(None)
}

/// Moves segments away whose whole header says that they belong elsewhere: another epoch, or another place.
fn set_foreigners_aside(
    directory: &Directory,
    options: Options,
    epoch: [u8; 16],
    segments: &mut Vec<SegmentFile>,
    damage: &mut Vec<Damage>,
) -> Result<(), SpoolError> {
    let mut foreign = Vec::new();
    for segment in segments.iter() {
        let own = Header {
            epoch,
            first_seq: segment.first_seq,
        };
        if read_header(directory, segment)?.is_some_and(|header| header != own) {
            foreign.push(segment.path.clone());
        }
    }
    if !foreign.is_empty() {
        segments.retain(|segment| !foreign.contains(&segment.path));
        damage.push(Damage::MovedAside {
            to: directory.move_aside(&foreign, options.max_bytes)?,
        });
    }
    Ok(())
}

/// The header of a segment; `None` when it is damaged.
fn read_header(directory: &Directory, segment: &SegmentFile) -> Result<Option<Header>, SpoolError> {
    let mut bytes = [0; HEADER_BYTES];
    let file = directory.open_file(&segment.path)?;
    match files::read_from_start(&*file, &mut bytes) {
        Ok(_) => {}
        Err(error) if files::is_media_error(&error) => return Ok(None),
        Err(error) => return Err(failed("read", &segment.path)(error)),
    }
    match Header::decode(Kind::Segment, &bytes) {
        Ok(header) => Ok(Some(header)),
        Err(HeaderError::Damaged) => Ok(None),
        Err(HeaderError::Version(found)) => Err(unknown_version(directory, found)),
    }
}

fn unknown_version(directory: &Directory, found: u32) -> SpoolError {
    SpoolError::Version {
        dir: directory.path().to_owned(),
        found,
        supported: VERSION,
    }
}

/// The walk over all segments.
struct Scan<'d> {
    directory: &'d Directory,
    seed: Seed,
    stored: Mark,
    segment_bytes: u64,
    /// Segments that nobody needs any more.
    settled: Vec<PathBuf>,
    lost: Lost,
    damage: Vec<Damage>,
}

impl Scan<'_> {
    /// The segments, the last one's file if it can be written on, and the last sequence that was ever given out.
    fn segments(&mut self, found: &[SegmentFile]) -> Result<(Vec<Segment>, Option<Handle>, u64), SpoolError> {
        let settled = self.stored.acknowledged.max(self.stored.evicted);
        let mut segments = Vec::new();
        let mut writer = None;
        let mut expected = settled + 1;
        for (index, file) in found.iter().enumerate() {
            let limit = found.get(index + 1).map(|next| next.first_seq);
            if limit.is_some_and(|limit| limit <= settled + 1) {
                self.settled.push(file.path.clone());
                continue;
            }
            self.lose(expected, file.first_seq - 1);
            if let Some(limit) = limit {
                segments.push(self.inner_segment(file, limit)?);
                expected = limit;
            } else {
                let (segment, open, next) = self.last_segment(file)?;
                segments.push(segment);
                (writer, expected) = (open, next);
            }
        }
        let last_seq = settled.max(self.stored.durable).max(expected - 1);
        if expected <= last_seq {
            self.lose(expected, last_seq);
            writer = None;
        }
        Ok((segments, writer, last_seq))
    }

    fn inner_segment(&mut self, found: &SegmentFile, limit: u64) -> Result<Segment, SpoolError> {
        let file = self.directory.open_file(&found.path)?;
        let contents = Contents::read(&*file, found, limit, self.seed, self.stored.durable)?;
        for &(first, last) in &contents.unreadable {
            self.lose(first, last);
        }
        self.lose(contents.next, limit - 1);
        // A loss of power may have brought preallocated space back. It is harmless, but it counts as the spool's.
        if !contents.has_holes && file.size().is_ok_and(|bytes| bytes > contents.end) {
            file.set_size(contents.end).map_err(failed("cut", &found.path))?;
        }
        Segment::found(found, contents.end, contents.holds, &*file)
    }

    /// The segment, its file if it can be written on, and the sequence after its last.
    fn last_segment(&mut self, found: &SegmentFile) -> Result<(Segment, Option<Handle>, u64), SpoolError> {
        let file = self.directory.open_file(&found.path)?;
        let contents = Contents::read(&*file, found, u64::MAX, self.seed, self.stored.durable)?;
        // What the last process wrote it may not have synced. It is read again from now on, so it has to stay. It may
        // also have failed to sync it: then the kernel takes it for written, and only what is written again is synced.
        if !contents.has_holes {
            files::rewrite(&*file, &found.path, contents.known_end..contents.end)?;
        }
        files::sync_data(&*file, &found.path)?;
        for &(first, last) in &contents.unreadable {
            self.lose(first, last);
        }
        let torn = contents.used > contents.end;
        if torn {
            let (segment, offset) = (found.path.clone(), contents.end);
            self.damage.push(Damage::TornTail {
                segment,
                offset,
                bytes: contents.used - offset,
            });
        }
        let whole_header = read_header(self.directory, found)?.is_some();
        let writable = whole_header && !torn && contents.unreadable.is_empty() && !contents.has_holes;
        if writable {
            // On a full disk the spool still opens, to be emptied; the next write then says what is wrong.
            if files::preallocate(&*file, self.segment_bytes).is_err() {
                return Ok((
                    Segment::found(found, contents.end, contents.holds, &*file)?,
                    None,
                    contents.next,
                ));
            }
        } else if !contents.has_holes {
            let end = contents.end.max(HEADER_BYTES as u64);
            file.set_size(end)
                .and_then(|()| file.sync_all())
                .map_err(failed("cut", &found.path))?;
        }
        self.lose(contents.next, contents.proven);
        let next = contents.next.max(contents.proven + 1);
        let segment = Segment::found(found, contents.end, contents.holds, &*file)?;
        Ok((segment, (writable && next == contents.next).then_some(file), next))
    }

    fn lose(&mut self, first: u64, last: u64) {
        let settled = self.stored.acknowledged.max(self.stored.evicted);
        self.lost
            .insert(first.max(settled + 1), last, GapReason::Unreadable);
    }
}
