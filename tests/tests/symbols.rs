//! Debug files on their way to the collector and to the lines of a stack: the real `telemctl`, collector and PostgreSQL.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use prost::Message as _;
use proto::v1::{
    Batch, DeliverRequest, Hello, ProgramCrash, Record, Severity, UserFrame,
    collector_client::CollectorClient, deliver_request::Message, record::Payload,
};
use serde_json::Value;
use system_tests::{database::Database, or_skip, process::Backend, programs, skip};

/// A program whose function `third` begins in its second line.
const SOURCE: &str = "
int third(volatile int *number) {
    return *number / 3;
}
int main(int count, char **words) {
    volatile int number = count;
    (void)words;
    return third(&number);
}
";

/// A compiled program with debug information.
struct Compiled {
    path: PathBuf,
    build_id: String,
    /// Where `third` begins in the file.
    offset: u64,
}

/// What a program of the compiler's package says. `None`: it is not there.
fn said(program: &str, arguments: &[&str], path: &Path) -> Option<String> {
    let output = Command::new(program).args(arguments).arg(path).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `None`: there is no C compiler.
fn compile(sources: &Path, into: &Path) -> Option<Compiled> {
    let source = sources.join("source.c");
    fs::write(&source, SOURCE).expect("write the source");
    let path = into.join("program");
    let output = path.to_str().expect("a path of UTF-8");
    // Without -pie addresses of the program would not be offsets in the file.
    let options = ["-g", "-O0", "-pie", "-fPIE", "-Wl,--build-id=sha1", "-o", output];
    said("cc", &options, &source)?;
    let notes = said("readelf", &["-n"], &path)?;
    let (_, build_id) = notes.split_once("Build ID: ").expect("a build id");
    let symbols = said("nm", &[], &path)?;
    let third = symbols.lines().find(|line| line.ends_with(" T third"));
    let address = third
        .expect("the function")
        .split(' ')
        .next()
        .expect("an address");
    Some(Compiled {
        build_id: build_id.lines().next().expect("a line").trim().to_owned(),
        offset: u64::from_str_radix(address, 16).expect("hexadecimal digits"),
        path,
    })
}

/// Stores a crash of the program in its function.
async fn crash(backend: &Backend, program: &Compiled) {
    let record = Record {
        class: "program.crash".to_owned(),
        severity: Severity::High.into(),
        title: "a crash".to_owned(),
        payload: Some(Payload::ProgramCrash(ProgramCrash {
            signal: 8,
            frames: vec![UserFrame {
                build_id: program.build_id.clone(),
                offset: program.offset,
                file: "/usr/bin/program".to_owned(),
                ..UserFrame::default()
            }],
            ..ProgramCrash::default()
        })),
        ..Record::default()
    };
    let hello = Hello {
        agent_id: vec![1; 16].into(),
        epoch: vec![2; 16].into(),
        ..Hello::default()
    };
    let batch = Batch {
        first_seq: 1,
        records: vec![record.encode_to_vec().into()],
    };
    let messages = [Message::Hello(hello), Message::Batch(batch)].map(|message| DeliverRequest {
        message: Some(message),
    });
    let address = format!("http://{}", backend.addresses().grpc);
    let mut client = CollectorClient::connect(address).await.expect("it listens");
    let answers = client.deliver(tokio_stream::iter(messages)).await;
    let mut answers = answers.expect("it answers").into_inner();
    while let Some(answer) = answers.message().await.expect("an answer") {
        if answer.stored_seq == 1 {
            return;
        }
    }
    panic!("the record is not stored");
}

fn upload(telemctl: &Path, folder: &Path, server: &str) -> Output {
    let config = folder.join("telemetrics.toml");
    fs::write(&config, "").expect("a configuration");
    Command::new(telemctl)
        .arg("--json")
        .arg("--config")
        .arg(&config)
        .args(["symbols", "upload", "--server", server])
        .arg(folder.join("debug"))
        .output()
        .expect("telemctl runs")
}

/// The frames of the one stack of a fault, and what is not known.
fn stack(backend: &Backend) -> Value {
    let get = |address: &str| -> Value {
        let answer = backend.get(address).expect("the collector answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    };
    let faults = get("/api/v1/faults");
    let id = faults["faults"][0]["id"].as_str().expect("a fault");
    get(&format!("/api/v1/faults/{id}/stack"))
}

#[test]
fn debug_files_are_brought_once_and_give_a_stack_its_lines() {
    let test = "debug_files_are_brought_once_and_give_a_stack_its_lines";
    let Some([backend, telemctl]) = programs(test, ["backend", "telemctl"]) else {
        return;
    };
    let Some(database) = or_skip(test, Database::start()) else {
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let debug = dir.path().join("debug");
    fs::create_dir(&debug).expect("a folder");
    let Some(compiled) = compile(dir.path(), &debug) else {
        return skip(test, "there is no C compiler: install gcc and binutils");
    };
    fs::copy(&compiled.path, debug.join("the-same-again")).expect("copy the program");
    let symbols = dir.path().join("symbols");
    let symbols = symbols.to_str().expect("a path of UTF-8");
    let backend = Backend::start_with(backend, database.url(), dir.path(), &["--symbols", symbols]);
    let backend = backend.expect("the collector starts");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(crash(&backend, &compiled));

    let before = stack(&backend);
    assert_eq!(before["traces"][0]["frames"][0]["location"], "", "{before:#}");
    let problem = before["problems"][0].as_str().unwrap_or_default();
    assert!(problem.contains("no debug file"), "{before:#}");

    let server = format!("http://{}", backend.addresses().grpc);
    for (uploaded, known) in [(1, 0), (0, 1)] {
        let done = upload(&telemctl, dir.path(), &server);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let told: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        assert_eq!(
            (&told["uploaded"], &told["known"], &told["without_symbols"]),
            (&uploaded.into(), &known.into(), &0.into()),
            "one file under two names: {told}"
        );
    }
    let after = stack(&backend);
    let frame = &after["traces"][0]["frames"][0];
    assert_eq!(
        (&frame["function"], &frame["module"]),
        (&"third".into(), &"/usr/bin/program".into())
    );
    let location = frame["location"].as_str().unwrap_or_default();
    assert!(location.ends_with("source.c:2"), "{after:#}");
    assert_eq!(after["problems"], Value::Array(Vec::new()));

    let away = upload(&telemctl, dir.path(), "http://127.0.0.1:1");
    assert_eq!(away.status.code(), Some(2), "{away:?}");
}
