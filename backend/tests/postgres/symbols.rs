//! Debug files: uploaded, refused, and what stored stacks become by them.

mod compiled;

use std::{fs, path::Path};

use backend::{access::Anonymous, symbols::Config};
use bytes::Bytes;
use prost::Message as _;
use proto::v1::{
    Batch, Host, KernelReport, ListFaultsRequest, MissingSymbolsRequest, ProgramCrash, Record,
    ResolveFaultRequest, ResolveFaultResponse, Severity, SymbolFileHead, SymbolFileId, UploadSymbolsRequest,
    UserFrame, record::Payload, symbols_client::SymbolsClient, upload_symbols_request::Message,
};
use serde_json::{Value, json};
use testing::skip;
use tonic::{Code, Status, transport::Channel};

use self::compiled::{Compiled, compile};
use crate::support::{Collector, Database, Stream, fetch::fetch, hello, host, sender};

fn sha256(bytes: &[u8]) -> Bytes {
    let sum = ring::digest::digest(&ring::digest::SHA256, bytes);
    Bytes::copy_from_slice(sum.as_ref())
}

fn head(file: &Compiled, name: &str) -> SymbolFileHead {
    SymbolFileHead {
        id: Some(SymbolFileId {
            build_id: file.build_id.clone(),
            sha256: sha256(&file.bytes),
        }),
        size_bytes: file.bytes.len() as u64,
        name: name.to_owned(),
    }
}

async fn upload(
    client: &mut SymbolsClient<Channel>,
    head: SymbolFileHead,
    bytes: &[u8],
) -> Result<bool, Status> {
    let pieces = bytes
        .chunks(4096)
        .map(|piece| Message::Piece(Bytes::copy_from_slice(piece)));
    let messages: Vec<UploadSymbolsRequest> = std::iter::once(Message::Head(head))
        .chain(pieces)
        .map(|message| UploadSymbolsRequest {
            message: Some(message),
        })
        .collect();
    let answer = client.upload_symbols(tokio_stream::iter(messages)).await?;
    Ok(answer.into_inner().stored)
}

fn config(dir: &Path, quota_bytes: u64) -> Config {
    Config {
        dir: dir.join("symbols"),
        quota_bytes,
        program: env!("CARGO_BIN_EXE_backend").into(),
    }
}

/// Stores records of a host whose kernel has a build id, and says their ids by title.
async fn store(collector: &Collector, kernel_build_id: &str, records: Vec<Record>) -> Vec<(String, String)> {
    let sender = sender();
    let mut stream = Stream::open(collector.channel().await).await;
    let mut who = hello(&sender);
    who.host = Some(Host {
        kernel_build_id: kernel_build_id.to_owned(),
        kernel_release: "6.1.0-test".to_owned(),
        ..host()
    });
    stream
        .say(Some(proto::v1::deliver_request::Message::Hello(who)))
        .await
        .unwrap();
    let records = records
        .iter()
        .map(|record| record.encode_to_vec().into())
        .collect();
    let batch = Batch {
        first_seq: 1,
        records,
    };
    stream.batch(batch).await.unwrap();
    let mut query = collector.query().await;
    let list = query.list_faults(ListFaultsRequest::default()).await.unwrap();
    let faults = list.into_inner().faults.into_iter();
    faults
        .map(|fault| (fault.record.unwrap().title, fault.id))
        .collect()
}

/// REST says the same of the frame in this place, and of what is not known.
async fn assert_told_by_rest(collector: &Collector, id: &str, place: usize, found: &ResolveFaultResponse) {
    let address = format!("/api/v1/faults/{id}/stack");
    let told = fetch(collector.http, &address).await.expect("an answer");
    let told: Value = serde_json::from_str(&told).unwrap();
    let (shown, frame) = (
        &told["traces"][0]["frames"][place],
        &found.traces[0].frames[place],
    );
    assert_eq!(
        (&shown["function"], &shown["inlined"], &shown["location"]),
        (
            &json!(frame.function),
            &json!(frame.inlined),
            &json!(frame.location)
        ),
        "{told:#}"
    );
    assert_eq!(told["problems"], json!(found.problems));
}

/// The page of the record leads to its stack with files and lines.
async fn assert_shown_on_pages(collector: &Collector, id: &str) {
    let fault = format!("/faults/{id}");
    let stack = format!("{fault}/stack");
    let shown = fetch(collector.http, &fault).await.expect("a page");
    assert!(shown.contains(&format!("data-stack=\"{stack}\"")), "{shown}");
    let shown = fetch(collector.http, &stack).await.expect("a page");
    for words in ["source.c:3", "inner", "at fault", "Frames without a line"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

/// An oops in the function that was inlined.
fn oops(kernel: &Compiled) -> Record {
    let (offset, size) = kernel.inlined;
    let text = format!(
        "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
         CPU: 0 PID: 1 Comm: x Not tainted 6.1.0-test #1\n\
         RIP: 0010:outer+{offset:#x}/{size:#x}\nCall Trace:\n <TASK>\n nowhere+0x1/0x10\n </TASK>\n"
    );
    Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        title: "oops".to_owned(),
        kernel_release: "6.1.0-test".to_owned(),
        payload: Some(Payload::KernelReport(KernelReport {
            text,
            function: "outer".to_owned(),
            ..KernelReport::default()
        })),
        ..Record::default()
    }
}

/// A crash there, called from a program that nobody knows.
fn crash(program: &Compiled) -> Record {
    let frame = |build_id: &str, offset| UserFrame {
        build_id: build_id.to_owned(),
        offset,
        file: "/usr/bin/program".to_owned(),
        ..UserFrame::default()
    };
    Record {
        class: "program.crash".to_owned(),
        severity: Severity::High.into(),
        title: "crash".to_owned(),
        payload: Some(Payload::ProgramCrash(ProgramCrash {
            signal: 11,
            frames: vec![frame(&program.build_id, program.byte), frame("abcdef", 16)],
            ..ProgramCrash::default()
        })),
        ..Record::default()
    }
}

/// The frame that was inlined has its line, as has the one that it is in; says which frame that is.
fn assert_inlined(found: &ResolveFaultResponse, module: &str) -> usize {
    let frames: Vec<_> = found.traces.iter().flat_map(|trace| &trace.frames).collect();
    let at = frames.iter().position(|frame| frame.function == "inner");
    let at = at.expect("an inlined frame");
    let (inner, outer) = (frames[at], frames[at + 1]);
    assert!(
        inner.inlined && inner.location.ends_with("source.c:3"),
        "{found:?}"
    );
    assert!(!outer.inlined && outer.function == "outer", "{found:?}");
    assert!(outer.location.ends_with("source.c:6"), "{found:?}");
    assert_eq!(inner.module, module);
    at
}

/// A collector with an oops and a crash whose stacks debug files give lines to.
pub(crate) struct Stacks {
    pub(crate) collector: Collector,
    kernel: Compiled,
    program: Compiled,
    /// Of the records, by their titles.
    ids: Vec<(String, String)>,
    _dir: tempfile::TempDir,
}

impl Stacks {
    /// None: there is no C compiler, and the test was skipped visibly.
    pub(crate) async fn new(test: &str, db: &Database) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let banner = "Linux version 6.1.0-test (a@b) #1 SMP";
        let Some(kernel) = compile(dir.path(), "vmlinux", banner, true) else {
            skip(test, "there is no C compiler: install gcc");
            return None;
        };
        let program = compile(dir.path(), "program", "", true).unwrap();
        let symbols = config(dir.path(), 1 << 30);
        let collector = Collector::with_symbols(db, symbols, Anonymous::Admin).await;
        let records = vec![oops(&kernel), crash(&program)];
        Some(Self {
            ids: store(&collector, &kernel.build_id, records).await,
            collector,
            kernel,
            program,
            _dir: dir,
        })
    }

    /// Brings the debug files; the same again are not taken.
    pub(crate) async fn upload(&self) {
        let mut client = SymbolsClient::new(self.collector.channel().await);
        for (file, name) in [(&self.kernel, "vmlinux"), (&self.program, "program")] {
            assert!(upload(&mut client, head(file, name), &file.bytes).await.unwrap());
            assert!(!upload(&mut client, head(file, name), &file.bytes).await.unwrap());
        }
    }

    pub(crate) fn id(&self, title: &str) -> &str {
        let found = self.ids.iter().find(|(of, _)| of == title);
        &found.unwrap().1
    }
}

#[tokio::test]
async fn an_uploaded_debug_file_gives_stacks_their_lines_and_inlines() {
    let test = "an_uploaded_debug_file_gives_stacks_their_lines_and_inlines";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let Some(stacks) = Stacks::new(test, &db).await else {
        return;
    };
    let mut client = SymbolsClient::new(stacks.collector.channel().await);
    let mut resolve = async |title: &str| {
        let id = stacks.id(title).to_owned();
        let found = client.resolve_fault(ResolveFaultRequest { id }).await;
        found.unwrap().into_inner()
    };
    let before = resolve("oops").await;
    assert!(
        before
            .traces
            .iter()
            .flat_map(|trace| &trace.frames)
            .all(|frame| frame.location.is_empty())
    );
    assert!(
        before
            .problems
            .iter()
            .any(|problem| problem.contains("no debug file")),
        "{before:?}"
    );

    stacks.upload().await;
    for (title, name) in [("oops", ""), ("crash", "/usr/bin/program")] {
        let found = resolve(title).await;
        let at = assert_inlined(&found, name);
        assert_eq!(found.problems.len(), 1, "what is not known is told: {found:?}");
        assert_told_by_rest(&stacks.collector, stacks.id(title), at, &found).await;
        assert_shown_on_pages(&stacks.collector, stacks.id(title)).await;
    }
    stacks.collector.stop().await;
}

#[tokio::test]
async fn what_is_no_debug_file_or_not_what_it_says_is_refused() {
    let test = "what_is_no_debug_file_or_not_what_it_says_is_refused";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let Some(program) = compile(dir.path(), "program", "", true) else {
        return skip(test, "there is no C compiler: install gcc");
    };
    let stripped = compile(dir.path(), "stripped", "", false).unwrap();
    let symbols = config(dir.path(), program.bytes.len() as u64 + 100);
    let collector = Collector::with_symbols(&db, symbols.clone(), Anonymous::Admin).await;
    let mut client = SymbolsClient::new(collector.channel().await);

    let garbage = Compiled {
        bytes: b"\x7fELF and nothing else".to_vec(),
        build_id: "abcdef".to_owned(),
        inlined: (0, 0),
        byte: 0,
    };
    let good = head(&program, "program");
    let with = |change: fn(&mut SymbolFileHead)| {
        let mut head = good.clone();
        change(&mut head);
        head
    };
    let cases = [
        (head(&garbage, "garbage"), &garbage.bytes, "ELF"),
        (
            head(&stripped, "stripped"),
            &stripped.bytes,
            "no debug information",
        ),
        (with(|head| head.size_bytes -= 1), &program.bytes, "longer"),
        (with(|head| head.size_bytes += 1), &program.bytes, "have come"),
        (with(|head| head.name = "../x".to_owned()), &program.bytes, "name"),
        (
            with(|head| head.id.as_mut().unwrap().build_id = "abcdef".to_owned()),
            &program.bytes,
            "its build id is",
        ),
        (
            with(|head| head.id.as_mut().unwrap().build_id = "../..".to_owned()),
            &program.bytes,
            "no build id",
        ),
        (
            with(|head| head.id.as_mut().unwrap().sha256 = vec![0; 32].into()),
            &program.bytes,
            "SHA-256",
        ),
    ];
    for (head, bytes, reason) in cases {
        let refused = upload(&mut client, head.clone(), bytes).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{head:?}: {refused}");
        assert!(refused.message().contains(reason), "{reason}: {refused}");
    }
    // Nothing of them is left, and there is room for one file.
    assert!(upload(&mut client, good.clone(), &program.bytes).await.unwrap());
    let second = compile(dir.path(), "second", "another", true).unwrap();
    let full = upload(&mut client, head(&second, "second"), &second.bytes)
        .await
        .unwrap_err();
    assert_eq!(full.code(), Code::ResourceExhausted, "{full}");
    let incoming = fs::read_dir(symbols.dir.join("incoming")).unwrap().count();
    assert_eq!(incoming, 0);
    collector.stop().await;
}

#[tokio::test]
async fn viewers_may_ask_and_not_bring() {
    let test = "viewers_may_ask_and_not_bring";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let symbols = config(dir.path(), 1 << 30);
    let collector = Collector::with_symbols(&db, symbols, Anonymous::Viewer).await;
    let mut client = SymbolsClient::new(collector.channel().await);
    let id = SymbolFileId {
        build_id: "abcdef".to_owned(),
        sha256: vec![0; 32].into(),
    };
    let request = MissingSymbolsRequest {
        files: vec![id.clone()],
    };
    let missing = client.missing_symbols(request.clone()).await.unwrap();
    assert_eq!(missing.into_inner().missing, [0]);
    let head = SymbolFileHead {
        id: Some(id),
        size_bytes: 1,
        name: "x".to_owned(),
    };
    let refused = upload(&mut client, head, b"x").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    collector.stop().await;

    let without = Collector::start(&db).await;
    let mut client = SymbolsClient::new(without.channel().await);
    let refused = client.missing_symbols(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("--symbols"), "{refused}");
    without.stop().await;
}
