//! The privileged half's side: answers until nobody asks any more.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use privilege::channel::{Channel, ChannelError};
use privilege::standing::Standing;
use probe_user::past::{self, Places};
use probe_user::{Options, Probes, kmsg};
use tokio::time::Instant;

use super::{Answer, Introduction, Request};
use crate::config;
use crate::memory;
use crate::process;
use crate::text::chain;

/// The kernel's table of symbols.
const SYMBOLS: &str = "/proc/kallsyms";

/// The firmware's table about the machine, for root only because it has serial numbers (`drivers/firmware/dmi_scan.c`).
const FIRMWARE_TABLE: &str = "/sys/firmware/dmi/tables/DMI";

const NOT_ATTACHED: &str = "the probes are not attached";

/// Answers what comes over `channel` until the other side closes it, which is no error. `missing` is what this process
/// could not give up.
pub fn serve(
    mut channel: Channel,
    config: &config::Probes,
    missing: Vec<String>,
) -> Result<(), ChannelError> {
    let mut helper = Helper {
        config,
        missing,
        probes: None,
    };
    let mut tidier = memory::Tidier::new(Instant::now());
    loop {
        let frame = match channel.receive() {
            Ok(frame) => frame,
            Err(ChannelError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        // Descriptors that come with a question were not asked for, and are closed here.
        let mut is_work = false;
        let answered = match serde_json::from_slice(&frame.bytes) {
            Ok(request) => {
                // The kernel's types are read to attach, and whole logs for what is past.
                is_work = matches!(request, Request::Attach | Request::Past { .. });
                helper.answer(request)
            }
            Err(_not_a_request) => Err("the question is not understood".to_owned()),
        };
        let (answer, descriptor) = answered.unwrap_or_else(|reason| (Answer::Refused(reason), None));
        let descriptors: Vec<BorrowedFd<'_>> = descriptor.iter().map(OwnedFd::as_fd).collect();
        match channel.send(&encode(&answer), &descriptors) {
            Err(ChannelError::Long(bytes)) => {
                let refused = Answer::Refused(format!("the answer has {bytes} bytes, which is too long"));
                channel.send(&encode(&refused), &[])?;
            }
            sent => sent?,
        }
        if is_work {
            memory::give_back();
        }
        // telemd asks every second.
        tidier.pass(Instant::now());
    }
}

fn encode(answer: &Answer) -> Vec<u8> {
    // Invariant: strings, numbers and lists of them; the only map has numbers as keys, which JSON writes as text.
    serde_json::to_vec(answer).unwrap_or_default()
}

struct Helper<'a> {
    config: &'a config::Probes,
    missing: Vec<String>,
    probes: Option<Probes>,
}

type Answered = Result<(Answer, Option<OwnedFd>), String>;

impl Helper<'_> {
    fn answer(&mut self, request: Request) -> Answered {
        let answer = match request {
            Request::Introduce => Answer::Introduction(Introduction {
                standing: Standing::own().map_err(|error| chain(&error))?,
                missing: self.missing.clone(),
            }),
            Request::Attach => return self.attach(),
            Request::Signs => return self.signs(),
            Request::AttachMissing => {
                let probes = self.probes.as_mut().ok_or(NOT_ATTACHED)?;
                Answer::Origins(probes.attach_missing().then(|| probes.origins()))
            }
            Request::Detach => {
                self.probes = None;
                Answer::Done
            }
            Request::Hooks => {
                let probes = self.probes.as_mut().ok_or(NOT_ATTACHED)?;
                Answer::Hooks(probes.states())
            }
            Request::KernelLog => {
                return opened(kmsg::open_file(&self.config.kmsg_path).map_err(|error| chain(&error)));
            }
            Request::KernelSymbols => {
                return opened(File::open(SYMBOLS).map_err(|error| format!("open {SYMBOLS}: {error}")));
            }
            Request::FirmwareTable => {
                let opening = File::open(FIRMWARE_TABLE);
                return opened(opening.map_err(|error| format!("open {FIRMWARE_TABLE}: {error}")));
            }
            Request::Executable { pid } => Answer::Executable(process::executable(Path::new("/proc"), pid)),
            Request::Past { previous_boot } => {
                Answer::Past(Box::new(past::read(&self.places(), &previous_boot)))
            }
            Request::ClearPast { files } => {
                past::clear(&self.places(), &files).map_err(|error| chain(&error))?;
                Answer::Done
            }
        };
        Ok((answer, None))
    }

    fn attach(&mut self) -> Answered {
        // Whoever asks anew has lost what it had: a ring has one reader.
        self.probes = None;
        let options = Options {
            object: self.config.object.clone(),
            ring_bytes: self.config.ring_bytes,
            disable: self.config.disable.clone(),
            probes: self.config.user.alone().cloned().collect(),
            hindsight: self.config.hindsight.wanted(),
        };
        let probes = Probes::attach(&options).map_err(|error| chain(&error))?;
        let ring = probes
            .ring()
            .try_clone_to_owned()
            .map_err(|error| chain(&error))?;
        let answer = Answer::Attached {
            ring_bytes: probes.ring_bytes(),
            origins: probes.origins(),
        };
        self.probes = Some(probes);
        Ok((answer, Some(ring)))
    }

    fn signs(&self) -> Answered {
        let probes = self.probes.as_ref().ok_or(NOT_ATTACHED)?;
        let (map, room) = probes.signs().ok_or("hindsight is not enabled")?;
        let map = map.try_clone_to_owned().map_err(|error| chain(&error))?;
        Ok((Answer::Signs { room }, Some(map)))
    }

    fn places(&self) -> Places {
        Places {
            root: self.config.earlier_root.clone(),
            pstore: self.config.pstore_dir.clone(),
        }
    }
}

fn opened(file: Result<File, String>) -> Answered {
    Ok((Answer::Done, Some(file?.into())))
}
