//! The gRPC service of debug files.

use std::time::Duration;

use proto::v1::{
    MissingSymbolsRequest, MissingSymbolsResponse, ResolveFaultRequest, ResolveFaultResponse, SymbolFileHead,
    UploadSymbolsRequest, UploadSymbolsResponse,
    symbols_server::{Symbols as Rpc, SymbolsServer},
    upload_symbols_request::Message,
};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::{
    AskError, FILE_BYTES, Incoming, Kept, Symbols, SymbolsError, build_id, sha256,
    worker::{Inspected, Kind, Task},
};
use crate::{
    access::{Caller, Role},
    collector::store_status,
    store::{SymbolFileRow, chain},
};

/// A message of an upload, bytes.
const MESSAGE_BYTES: usize = 1 << 20;
/// Files that are asked for at once.
const FILES: usize = 1000;
/// Longest name of a file, bytes (`NAME_MAX`).
const NAME_BYTES: usize = 255;
/// How long the next piece of a file may take.
const PIECE: Duration = Duration::from_mins(1);

/// The service.
#[derive(Clone, Debug)]
pub struct SymbolsService {
    symbols: Symbols,
}

impl SymbolsService {
    /// On the files that are kept there.
    pub fn new(symbols: Symbols) -> Self {
        Self { symbols }
    }
}

/// The service with its limits.
pub fn server(service: SymbolsService) -> SymbolsServer<SymbolsService> {
    SymbolsServer::new(service).max_decoding_message_size(MESSAGE_BYTES + 1024)
}

#[tonic::async_trait]
impl Rpc for SymbolsService {
    async fn missing_symbols(
        &self,
        request: Request<MissingSymbolsRequest>,
    ) -> Result<Response<MissingSymbolsResponse>, Status> {
        self.symbols.kept().map_err(|error| status(&error))?;
        let files = request.into_inner().files;
        if files.len() > FILES {
            return Err(Status::invalid_argument(format!("files: at most {FILES}")));
        }
        for file in &files {
            build_id(&file.build_id)
                .and_then(|_id| sha256(&file.sha256))
                .map_err(|error| status(&error))?;
        }
        let missing = self.symbols.store.missing_symbols(&files).await;
        missing
            .map(|missing| Response::new(MissingSymbolsResponse { missing }))
            .map_err(|error| store_status(&error))
    }

    async fn upload_symbols(
        &self,
        request: Request<Streaming<UploadSymbolsRequest>>,
    ) -> Result<Response<UploadSymbolsResponse>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.filter(|caller| caller.role >= Role::Triager);
        let caller = caller
            .ok_or_else(|| Status::permission_denied("debug files are brought by triagers and admins"))?;
        let mut pieces = request.into_inner();
        let Some(Message::Head(head)) = next(&mut pieces).await? else {
            return Err(Status::invalid_argument("the head of the file comes first"));
        };
        let stored = self
            .symbols
            .take(&head, caller.name.unwrap_or_default(), &mut pieces)
            .await?;
        Ok(Response::new(UploadSymbolsResponse { stored }))
    }

    async fn resolve_fault(
        &self,
        request: Request<ResolveFaultRequest>,
    ) -> Result<Response<ResolveFaultResponse>, Status> {
        let id = Uuid::try_parse(&request.into_inner().id)
            .map_err(|_not_a_uuid| Status::invalid_argument("id is not a UUID"))?;
        let fault = self.symbols.store.get_fault(id).await;
        let fault = fault
            .map_err(|error| store_status(&error))?
            .ok_or_else(|| Status::not_found("there is no such record"))?;
        let resolved = self.symbols.resolve(&fault).await;
        resolved.map(Response::new).map_err(|error| status(&error))
    }
}

impl Symbols {
    /// Takes the file of a head in; false when it was there.
    async fn take(
        &self,
        head: &SymbolFileHead,
        uploaded_by: String,
        pieces: &mut Streaming<UploadSymbolsRequest>,
    ) -> Result<bool, Status> {
        let refuse = |error: SymbolsError| status(&error);
        let kept = self.kept().map_err(refuse)?;
        let sum = check(head).map_err(refuse)?;
        let id = head.id.clone().unwrap_or_default();
        let missing = self.store.missing_symbols(std::slice::from_ref(&id)).await;
        if missing.map_err(|error| store_status(&error))?.is_empty() {
            return Ok(false);
        }
        // Invariant: the semaphore is never closed, so a permit always comes.
        let _turn = kept.uploads.acquire().await;
        self.make_room(kept, head.size_bytes).await.map_err(refuse)?;
        let mut incoming = kept.files.begin().await.map_err(refuse)?;
        while let Some(message) = next(pieces).await? {
            let Message::Piece(piece) = message else {
                return Err(Status::invalid_argument("a file has one head"));
            };
            if incoming.bytes() + piece.len() as u64 > head.size_bytes {
                return Err(Status::invalid_argument("the file is longer than its head says"));
            }
            incoming.write(&piece).await.map_err(refuse)?;
        }
        self.enter(kept, head, sum, uploaded_by, incoming)
            .await
            .map_err(refuse)
    }

    async fn make_room(&self, kept: &Kept, bytes: u64) -> Result<(), SymbolsError> {
        let used = self.store.symbol_bytes().await?;
        if used.saturating_add(bytes) > kept.quota_bytes {
            return Err(SymbolsError::Full {
                bytes,
                used,
                quota: kept.quota_bytes,
            });
        }
        Ok(())
    }

    /// Looks whether a file that has come is what its head says, and keeps it.
    async fn enter(
        &self,
        kept: &Kept,
        head: &SymbolFileHead,
        sum: [u8; 32],
        uploaded_by: String,
        mut incoming: Incoming,
    ) -> Result<bool, SymbolsError> {
        let refused = |what: String| Err(SymbolsError::Refused(what));
        if incoming.bytes() != head.size_bytes {
            return refused(format!(
                "{} of {} bytes have come",
                incoming.bytes(),
                head.size_bytes
            ));
        }
        if incoming.finish().await? != sum {
            return refused("the bytes have another SHA-256 than the head says".to_owned());
        }
        let task = Task::Inspect {
            path: incoming.path().to_owned(),
            name: head.name.clone(),
        };
        let answer = kept.asker.ask(&task).await?;
        let found: Inspected =
            serde_json::from_slice(&answer).map_err(|error| AskError::Answer(error.into()))?;
        let told = head.id.as_ref().map_or("", |id| &id.build_id);
        if found.build_id != told {
            return refused(format!(
                "its build id is {}, the head says {told}",
                found.build_id
            ));
        }
        kept.files.keep(&incoming, &sum).await?;
        let row = SymbolFileRow {
            build_id: found.build_id,
            sha256: sum,
            kind: match found.kind {
                Kind::Kernel => "kernel",
                Kind::Module => "module",
                Kind::Program => "program",
            },
            module: found.module,
            release: found.release,
            name: head.name.clone(),
            bytes: head.size_bytes,
            uploaded_by,
        };
        Ok(self.store.add_symbols(&row).await?)
    }
}

/// The next message, within its time.
async fn next(pieces: &mut Streaming<UploadSymbolsRequest>) -> Result<Option<Message>, Status> {
    let next = timeout(PIECE, pieces.message()).await;
    let next = next.map_err(|_elapsed| Status::deadline_exceeded("the rest of the file does not come"))?;
    match next? {
        Some(UploadSymbolsRequest {
            message: Some(message),
        }) => Ok(Some(message)),
        Some(UploadSymbolsRequest { message: None }) => Err(Status::invalid_argument("a message is empty")),
        None => Ok(None),
    }
}

/// The SHA-256 of a head that is as it should be.
fn check(head: &SymbolFileHead) -> Result<[u8; 32], SymbolsError> {
    let refused = |what: String| Err(SymbolsError::Refused(what));
    let id = head.id.clone().unwrap_or_default();
    if build_id(&id.build_id)?.to_string() != id.build_id {
        return refused("a build id is in lower case".to_owned());
    }
    if head.name.is_empty() || head.name.len() > NAME_BYTES || head.name.contains(['/', '\0']) {
        return refused(format!("name: 1 to {NAME_BYTES} bytes, without folders"));
    }
    if head.size_bytes > FILE_BYTES {
        return refused(format!("size_bytes: at most {FILE_BYTES}"));
    }
    sha256(&id.sha256)
}

/// What a client is told; what is this collector's own trouble is logged.
fn status(error: &SymbolsError) -> Status {
    match error {
        SymbolsError::Store(error) => store_status(error),
        SymbolsError::NotKept => Status::failed_precondition(error.to_string()),
        SymbolsError::Full { .. } => Status::resource_exhausted(error.to_string()),
        SymbolsError::Refused(_) | SymbolsError::Ask(AskError::File(_) | AskError::Ended(_)) => {
            Status::invalid_argument(error.to_string())
        }
        SymbolsError::Folder { .. } | SymbolsError::Ask(_) => {
            tracing::error!(error = %chain(error), "debug files cannot be used");
            Status::internal("the collector cannot use its debug files: its log says why")
        }
    }
}
