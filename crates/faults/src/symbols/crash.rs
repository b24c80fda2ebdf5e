//! Functions, files and lines for the frames of a crashed program.

use super::report::{Problem, Resolved, Symbols, Why, damaged};
use super::{BuildId, SourceFrame};
use crate::crash::{Crash, CrashFrame};

impl<B: AsRef<[u8]>> Symbols<B> {
    /// Puts functions and `file:line` into the frames of a crash and, before each, the functions that were inlined there.
    ///
    /// Only files with the build id of a frame are used. Fingerprints of frames without a symbol change: they go by module
    /// and offset before, by function after.
    pub fn resolve_crash(&mut self, crash: &mut Crash) -> Resolved {
        let mut resolved = Resolved::default();
        let mut frames: Vec<CrashFrame> = Vec::with_capacity(crash.frames.len());
        let mut room = super::report::FRAMES_MAX;
        for (index, mut frame) in std::mem::take(&mut crash.frames).into_iter().enumerate() {
            room = room.saturating_sub(1);
            if let Some(offset) = frame
                .offset
                .filter(|_| frame.location.is_none() && !frame.inlined)
            {
                // The first frame is where the instruction pointer was, the others are where calls return to.
                match self.crash_frames(&frame, offset, u64::from(index > 0)) {
                    Ok(mut chain) => {
                        let own = chain.pop().unwrap_or_default();
                        frame.location = own.location();
                        frame.symbol = frame.symbol.or(own.function);
                        resolved.located += usize::from(frame.location.is_some());
                        chain.truncate(room);
                        room -= chain.len();
                        frames.extend(chain.into_iter().map(|source| inlined_frame(source, &frame)));
                    }
                    Err(why) => {
                        let function = frame.symbol.clone().unwrap_or_else(|| format!("+{offset:#x}"));
                        resolved.note(Problem {
                            function,
                            module: frame.module.clone(),
                            why,
                        });
                    }
                }
            }
            frames.push(frame);
        }
        crash.frames = frames;
        self.shrink();
        resolved
    }

    fn crash_frames(&mut self, frame: &CrashFrame, offset: u64, back: u64) -> Result<Vec<SourceFrame>, Why> {
        let build_id: Option<BuildId> = frame.build_id.as_deref().and_then(|id| id.parse().ok());
        let file = build_id.and_then(|id| self.by_build_id(&id)).ok_or(Why::NoFile)?;
        let address = file.address_from_start(offset.saturating_sub(back));
        let frames = file.frames_at(address).map_err(|error| damaged(&error))?;
        if frames.is_empty() {
            Err(Why::UnknownFunction)
        } else {
            Ok(frames)
        }
    }
}

fn inlined_frame(source: SourceFrame, caller: &CrashFrame) -> CrashFrame {
    CrashFrame {
        location: source.location(),
        symbol: source.function,
        module: caller.module.clone(),
        build_id: caller.build_id.clone(),
        offset: None,
        inlined: true,
    }
}
