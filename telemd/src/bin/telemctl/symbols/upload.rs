//! Brings debug files to a collector.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use proto::v1::symbols_client::SymbolsClient;
use proto::v1::upload_symbols_request::Message;
use proto::v1::{MissingSymbolsRequest, SymbolFileHead, SymbolFileId, UploadSymbolsRequest};
use telemd::config::Config;
use telemd::config::collector::Server;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::find::Found;
use crate::collector::{self, ANSWER, Failure};

/// Files that the collector is asked for at once (`symbols.proto`).
const ASKED: usize = 1000;
/// Bytes of a piece.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait to be sent.
const PIECES: usize = 4;
/// Longest name, bytes (`symbols.proto`).
const NAME_BYTES: usize = 255;

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) uploaded: u64,
    pub(super) bytes: u64,
    /// Files that the collector had.
    pub(super) known: u64,
    /// Files that it refused, with its reason.
    pub(super) problems: Vec<String>,
}

/// Sends what the collector lacks. A refusal is about one file; when nobody answers that is the end.
pub(super) fn upload(options: &collector::Asked, config: &Config, files: &[Found]) -> Result<Done, Failure> {
    let server = options.server(config)?;
    collector::runtime()?.block_on(async {
        let channel = options.connect(config, &server).await?;
        let mut uploader = Uploader {
            options,
            server,
            client: SymbolsClient::new(channel),
            done: Done::default(),
        };
        for files in files.chunks(ASKED) {
            let missing = uploader.missing(files).await?;
            uploader.done.known += files.len().saturating_sub(missing.len()) as u64;
            for file in missing {
                uploader.send(file).await?;
            }
        }
        Ok(uploader.done)
    })
}

struct Uploader<'a> {
    options: &'a collector::Asked,
    server: Server,
    client: SymbolsClient<Channel>,
    done: Done,
}

impl Uploader<'_> {
    async fn missing<'f>(&mut self, files: &'f [Found]) -> Result<Vec<&'f Found>, Failure> {
        let mut request = Request::new(MissingSymbolsRequest {
            files: files.iter().map(id).collect(),
        });
        self.options.authorize(&self.server, &mut request)?;
        let answer = tokio::time::timeout(ANSWER, self.client.missing_symbols(request)).await;
        let answer = answer.map_err(|_elapsed| Failure::Silent)?;
        let answer = answer.map_err(|status| Failure::Refused(Box::new(status)))?;
        let missing = answer.into_inner().missing.into_iter();
        Ok(missing.filter_map(|place| files.get(place as usize)).collect())
    }

    /// It ends when the collector has taken or refused the file: the collector gives up what does not go on.
    async fn send(&mut self, file: &Found) -> Result<(), Failure> {
        let (pieces, stream) = mpsc::channel(PIECES);
        let head = head(file);
        let (path, bytes) = (file.path.clone(), file.bytes);
        let reading = tokio::task::spawn_blocking(move || read(&path, bytes, head, &pieces));
        let mut request = Request::new(ReceiverStream::new(stream));
        self.options.authorize(&self.server, &mut request)?;
        let answer = self.client.upload_symbols(request).await;
        let read = reading.await;
        let name = file.path.display();
        match (answer, read) {
            (Ok(answer), _) if answer.get_ref().stored => {
                self.done.uploaded += 1;
                self.done.bytes += file.bytes;
            }
            (Ok(_known), _) => self.done.known += 1,
            (Err(_cut_off), Ok(Err(error))) => self.done.problems.push(format!("{name}: {error}")),
            (Err(status), _) => match status.code() {
                Code::InvalidArgument | Code::ResourceExhausted => {
                    self.done.problems.push(format!("{name}: {}", status.message()));
                }
                _ => return Err(Failure::Refused(Box::new(status))),
            },
        }
        Ok(())
    }
}

fn id(file: &Found) -> SymbolFileId {
    SymbolFileId {
        build_id: file.build_id.clone(),
        sha256: file.sha256.to_vec().into(),
    }
}

fn head(file: &Found) -> SymbolFileHead {
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    SymbolFileHead {
        id: Some(id(file)),
        size_bytes: file.bytes,
        name: telemd::text::cut(&name, NAME_BYTES).to_owned(),
    }
}

/// Reads a file into `pieces` until nobody takes them any more.
fn read(
    path: &Path,
    bytes: u64,
    head: SymbolFileHead,
    pieces: &mpsc::Sender<UploadSymbolsRequest>,
) -> io::Result<()> {
    let mut message = Message::Head(head);
    let mut file = File::open(path)?;
    let mut sent: u64 = 0;
    let is_terminal = io::stderr().is_terminal();
    while pieces
        .blocking_send(UploadSymbolsRequest {
            message: Some(message),
        })
        .is_ok()
    {
        if is_terminal {
            let percent = (sent * 100).checked_div(bytes).unwrap_or(100);
            let _closed = write!(io::stderr(), "\r\x1b[K{percent:>3} % {}", path.display());
        }
        let mut piece = vec![0; PIECE_BYTES];
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        piece.truncate(length);
        sent += length as u64;
        message = Message::Piece(piece.into());
    }
    if is_terminal {
        let _closed = write!(io::stderr(), "\r\x1b[K");
    }
    Ok(())
}
