//! The few commands of `WebDriver` (W3C Recommendation of 2018-06-05) by which tests have chromedriver drive Chromium.
//!
//! A library would be shorter. The one that is alive has every crate that is built together with it keep the members of JSON
//! objects in another order (`serde_json/preserve_order`), so that tests would see what users don't.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::Agent;

use crate::support::PATIENCE;

/// What chromedriver says once it listens on the port that it was given.
const LISTENS: &str = "started successfully on port ";
/// The member of an answer that identifies an element (section 11, "web element identifier").
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A session: a browser of its own, which ends with this value.
pub(super) struct Driver {
    agent: Agent,
    /// The address of the session.
    session: String,
    process: Child,
}

/// An element of the page that is shown. It is gone with that page.
pub(super) struct Element<'a> {
    driver: &'a Driver,
    id: String,
}

impl Driver {
    /// Starts Chromium. None: chromedriver is not installed.
    pub(super) fn start(arguments: &[String]) -> Option<Self> {
        let (process, port) = chromedriver()?;
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE * 2))
            .build()
            .into();
        let mut driver = Self {
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
            process,
        };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = driver.post("", &wanted).expect("Chromium starts");
        let id = session["sessionId"].as_str().expect("the id of a session");
        driver.session = format!("{}/{id}", driver.session);
        let limit = u64::try_from(PATIENCE.as_millis()).expect("a minute");
        driver
            .post("/timeouts", &json!({ "pageLoad": limit, "script": limit }))
            .expect("limits of time");
        Some(driver)
    }

    pub(super) fn goto(&self, address: &str) {
        self.post("/url", &json!({ "url": address })).expect(address);
    }

    pub(super) fn address(&self) -> String {
        let address = self.get("/url").expect("an address");
        address.as_str().expect("text").to_owned()
    }

    /// Runs the body of a function; gives what it returns.
    pub(super) fn execute(&self, script: &str) -> Value {
        let body = json!({ "script": script, "args": [] });
        self.post("/execute/sync", &body).expect("the script runs")
    }

    /// The same of one that calls its last argument when it is done.
    pub(super) fn execute_async(&self, script: &str, argument: &str) -> Value {
        let body = json!({ "script": script, "args": [argument] });
        self.post("/execute/async", &body).expect("the script runs")
    }

    /// A command of the protocol of Chromium's own tools.
    pub(super) fn tool(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", &body).expect(command)
    }

    /// None: there is none at the moment.
    pub(super) fn find(&self, css: &str) -> Option<Element<'_>> {
        let body = json!({ "using": "css selector", "value": css });
        let found = self.post("/element", &body).ok()?;
        Some(Element {
            driver: self,
            id: found[ELEMENT].as_str()?.to_owned(),
        })
    }

    /// What the browser has written on its console since it was last asked.
    pub(super) fn console(&self) -> Vec<String> {
        let log = self
            .post("/se/log", &json!({ "type": "browser" }))
            .expect("a log");
        let entries = log.as_array().expect("entries").iter();
        entries.map(Value::to_string).collect()
    }

    /// The whole page, as PNG.
    pub(super) fn screenshot(&self) -> Vec<u8> {
        let taken = self.tool(
            "Page.captureScreenshot",
            &json!({ "captureBeyondViewport": true }),
        );
        STANDARD
            .decode(taken["data"].as_str().expect("text"))
            .expect("base64")
    }

    fn post(&self, command: &str, body: &Value) -> Result<Value, String> {
        let address = format!("{}{command}", self.session);
        let answer = self.agent.post(&address).send_json(body);
        value(answer)
    }

    fn get(&self, command: &str) -> Result<Value, String> {
        let address = format!("{}{command}", self.session);
        value(self.agent.get(&address).call())
    }
}

/// The value of an answer; or the error that it tells.
fn value(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, String> {
    let mut answer = answer.map_err(|error| error.to_string())?;
    let mut body: Value = answer.body_mut().read_json().map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        Ok(body["value"].take())
    } else {
        Err(body["value"]["message"].to_string())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends Chromium, which would outlive chromedriver.
        self.agent.delete(&self.session).call().ok();
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Element<'_> {
    /// None: it is gone.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.driver.get(&self.command("/text")).ok()?;
        text.as_str().map(str::to_owned)
    }

    pub(super) fn is_displayed(&self) -> bool {
        self.driver.get(&self.command("/displayed")).expect("an element") == true
    }

    pub(super) fn click(&self) {
        self.driver
            .post(&self.command("/click"), &json!({}))
            .expect("it can be clicked");
    }

    pub(super) fn clear(&self) {
        self.driver
            .post(&self.command("/clear"), &json!({}))
            .expect("it is a field");
    }

    pub(super) fn type_in(&self, text: &str) {
        self.driver
            .post(&self.command("/value"), &json!({ "text": text }))
            .expect("it takes keys");
    }

    fn command(&self, name: &str) -> String {
        format!("/element/{}{name}", self.id)
    }
}

/// Starts it on a port that is free. None: it is not installed.
fn chromedriver() -> Option<(Child, u16)> {
    let mut process = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let out = process.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(out).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once(LISTENS)?;
        port.trim_end_matches('.').parse().ok()
    });
    // A pipe that nobody reads would stop it once it is full.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Some((process, port.expect("chromedriver listens")))
}
