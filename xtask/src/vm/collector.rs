//! A collector of a test's own, with a private database.

use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::{progress, service::Service};

/// It makes a database cluster first: some seconds, more on a busy machine.
const START_PATIENCE: Duration = Duration::from_mins(3);
/// Its database is stopped in order.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// A running collector. It ends when this value is dropped, and with this process.
#[derive(Debug)]
pub(crate) struct Collector {
    _service: Service,
    addresses: Addresses,
    data_dir: PathBuf,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Addresses {
    grpc: SocketAddr,
    http: SocketAddr,
    netconsole: SocketAddr,
}

/// What the collector says about a stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) severity: String,
    pub(crate) title: String,
    pub(crate) host: String,
    pub(crate) kernel_release: String,
    /// The hook that caught it and, in brackets, how that is attached.
    pub(crate) hook: String,
}

impl Collector {
    /// Starts `backend serve` with its data in `dir`/backend and its pages on `http` (port 0: any), and waits until it
    /// listens.
    pub(crate) fn start(programs: &Path, dir: &Path, http: SocketAddr) -> Result<Self> {
        let step = progress::step("start a collector with a private PostgreSQL");
        let (data_dir, address_file) = (dir.join("backend"), dir.join("addresses.json"));
        let http = http.to_string();
        let arguments: [&OsStr; 11] = [
            "serve".as_ref(),
            "--data-dir".as_ref(),
            data_dir.as_os_str(),
            "--grpc".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--http".as_ref(),
            http.as_ref(),
            "--netconsole".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--address-file".as_ref(),
            address_file.as_os_str(),
        ];
        let mut service = Service::start(
            "the collector",
            &programs.join("backend"),
            arguments,
            dir.join("backend.log"),
            STOP_PATIENCE,
        )?;
        // The file is renamed into place: once there, it is whole.
        let addresses = service.wait_until(START_PATIENCE, || match fs::read(&address_file) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .with_context(|| format!("read {}", address_file.display())),
            Err(_not_yet) => Ok(None),
        })?;
        step.done();
        Ok(Self {
            _service: service,
            addresses,
            data_dir,
        })
    }

    /// Port of its gRPC.
    pub(crate) fn grpc_port(&self) -> u16 {
        self.addresses.grpc.port()
    }

    /// Port on which it takes netconsole in.
    pub(crate) fn netconsole_port(&self) -> u16 {
        self.addresses.netconsole.port()
    }

    /// The folder with the socket of its database.
    pub(crate) fn database_socket(&self) -> PathBuf {
        self.data_dir.join("postgres/socket")
    }

    /// Makes a fleet up that was watched for a month before anybody delivers here, and lets it live with its log in `dir` until what is
    /// returned is dropped.
    pub(crate) fn make_history(&self, programs: &Path, dir: &Path) -> Result<Service> {
        let backend = programs.join("backend");
        let database = format!(
            "host={} user=postgres dbname=postgres",
            self.database_socket().display()
        );
        let simulate = ["simulate", "--hosts", "500", "--database", &database];
        progress::run(
            "make a month of a fleet up",
            Command::new(&backend).args(simulate),
        )?;
        let live = simulate.into_iter().chain(["--live"]);
        Service::start(
            "the fleet that is made up",
            &backend,
            live,
            dir.join("fleet.log"),
            STOP_PATIENCE,
        )
    }

    /// The address of its first page, which ends in a slash.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.addresses.http)
    }

    /// The address of a fault's page.
    pub(crate) fn fault_page(&self, fault: &Stored) -> String {
        format!("{}faults/{}", self.page(), fault.id)
    }

    /// Every fault that it has stored, newest first.
    pub(crate) fn faults(&self) -> Result<Vec<Stored>> {
        self.faults_that("")
    }

    /// Every fault of a host, newest first.
    pub(crate) fn faults_of(&self, host: &str) -> Result<Vec<Stored>> {
        self.faults_that(&format!("&host={host}"))
    }

    /// The whole record of a fault.
    pub(crate) fn record(&self, fault: &Stored) -> Result<Value> {
        let mut answer = self.get(&format!("api/v1/faults/{}", fault.id))?;
        Ok(answer["record"].take())
    }

    fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.page());
        ureq::get(&url)
            .call()
            .and_then(|mut response| response.body_mut().read_json())
            .with_context(|| format!("GET {url}"))
    }

    fn faults_that(&self, filter: &str) -> Result<Vec<Stored>> {
        let mut faults = Vec::new();
        let mut token = String::new();
        loop {
            let page = self.get(&format!("api/v1/faults?page_size=500&page_token={token}{filter}"))?;
            faults.extend(page["faults"].as_array().into_iter().flatten().map(stored));
            match page["next_page_token"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => return Ok(faults),
            }
        }
    }
}

fn stored(fault: &Value) -> Stored {
    let text = |path: &str| {
        fault
            .pointer(path)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    Stored {
        id: text("/id"),
        class: text("/record/class"),
        severity: text("/record/severity"),
        title: text("/record/title"),
        host: text("/host/hostname"),
        kernel_release: text("/record/kernel_release"),
        hook: format!("{} ({})", text("/record/hook/name"), text("/record/hook/attach")),
    }
}
