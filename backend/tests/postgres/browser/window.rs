//! Chromium without a screen, driven by chromedriver.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testing::skip;

use super::driver::{Driver, Element};
use crate::support::PATIENCE;

/// Between two looks at a page that changes.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a page, as it is before it is compressed.
const PAGE_BYTES: f64 = 200_000.0;
/// What must not be in a page, by how it would get there.
const SOUND: &str = "
    const inline = document.querySelectorAll('[style], style, script:not([src]), [onclick], [onerror], [onload]');
    const loaded = performance.getEntriesByType('resource').map(entry => new URL(entry.name).origin);
    return {
        inline: [...inline].map(element => element.outerHTML.slice(0, 200)),
        elsewhere: loaded.filter(origin => origin !== location.origin),
        hostile: window.hostile === true || document.querySelector('img') !== null,
        wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        bytes: performance.getEntriesByType('navigation')[0].decodedBodySize,
    };";
/// Everything that axe-core finds but what it cannot decide.
const AXE: &str = "
    const [source, done] = arguments;
    (0, eval)(source);
    axe.run(document, { resultTypes: ['violations'] }).then(
        found => done(found.violations.map(rule => `${rule.id}: ${rule.nodes.slice(0, 3).map(node => node.html).join(' ')}`)),
        error => done([String(error)]));";

/// A window of a browser of its own.
pub(super) struct Window {
    driver: Driver,
    origin: String,
    /// axe-core; None: it is not here.
    axe: Option<String>,
    /// Goes after the browser that writes into it.
    _profile: TempDir,
}

impl Window {
    /// On the server at `origin`. None: there is no browser, and the test was skipped visibly.
    pub(super) fn open(test: &str, origin: String) -> Option<Self> {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let data = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless=new",
            // The sandbox refuses to run as root; the only pages here are our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            &data,
        ];
        let Some(driver) = Driver::start(&arguments.map(str::to_owned)) else {
            skip(
                test,
                "chromedriver is missing: apt-get install chromium chromium-driver",
            );
            return None;
        };
        let window = Self {
            driver,
            origin,
            axe: std::fs::read_to_string(axe_file()).ok(),
            _profile: profile,
        };
        if window.axe.is_none() {
            let why = "only what axe-core checks: it is missing (cargo xtask test fetches it)";
            skip(test, why);
        }
        window.wide();
        Some(window)
    }

    pub(super) fn go(&self, path: &str) {
        let address = format!("{}{path}", self.origin);
        self.driver.goto(&address);
    }

    fn size(&self, width: u32, height: u32, mobile: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.driver.tool("Emulation.setDeviceMetricsOverride", &size);
    }

    pub(super) fn wide(&self) {
        self.size(1440, 900, false);
    }

    /// The narrowest telephone that is still sold.
    pub(super) fn narrow(&self) {
        self.size(360, 740, true);
    }

    pub(super) fn dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.driver.tool("Emulation.setEmulatedMedia", &feature);
    }

    /// Whether pages may run scripts, from the next one on.
    pub(super) fn scripts(&self, run: bool) {
        self.driver
            .tool("Emulation.setScriptExecutionDisabled", &json!({ "value": !run }));
    }

    /// Waits until there is an element; gives it.
    pub(super) fn find(&self, css: &str) -> Element<'_> {
        let found = looks().find_map(|()| self.driver.find(css));
        found.unwrap_or_else(|| panic!("{css} does not appear"))
    }

    /// Waits until there is no such element.
    pub(super) fn without(&self, css: &str) {
        let gone = looks().any(|()| self.driver.find(css).is_none());
        assert!(gone, "{css} does not go");
    }

    /// Waits until the text of an element has these words.
    pub(super) fn says(&self, css: &str, words: &str) {
        let mut last = String::new();
        let said = looks().any(|()| {
            // An element that was replaced meanwhile is looked for again.
            if let Some(text) = self.driver.find(css).and_then(|element| element.text()) {
                last = text;
            }
            last.contains(words)
        });
        assert!(said, "{css} does not say {words:?}, it says {last:?}");
    }

    pub(super) fn click(&self, css: &str) {
        self.find(css).click();
    }

    pub(super) fn write(&self, css: &str, text: &str) {
        let field = self.find(css);
        field.clear();
        field.type_in(text);
    }

    pub(super) fn address(&self) -> String {
        self.driver.address()
    }

    pub(super) fn screenshot(&self, name: &str) {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = target.with_file_name("screenshots");
        std::fs::create_dir_all(&folder).expect("a folder for screenshots");
        let file = folder.join(format!("{name}.png"));
        std::fs::write(file, self.driver.screenshot()).expect("a file");
    }

    /// What is wrong with the page: it is to be of a bounded size and no wider than the window, with nothing in it that strangers
    /// wrote as markup, no style or script of its own and nothing of another server; the browser is to have nothing to say.
    pub(super) fn unsound(&self) -> Vec<String> {
        let found = self.driver.execute(SOUND);
        let mut wrong = Vec::new();
        for (what, right) in [
            ("inline", json!([])),
            ("elsewhere", json!([])),
            ("hostile", json!(false)),
            ("wider", json!(0)),
        ] {
            if found[what] != right {
                wrong.push(format!("{what}: {}", found[what]));
            }
        }
        let bytes = found["bytes"].as_f64().expect("a number");
        if bytes > PAGE_BYTES {
            wrong.push(format!("{bytes} bytes"));
        }
        wrong.extend(self.driver.console());
        wrong
    }

    /// What axe-core finds.
    pub(super) fn inaccessible(&self) -> Vec<String> {
        let Some(axe) = &self.axe else {
            return Vec::new();
        };
        let found = self.driver.execute_async(AXE, axe);
        let found = found.as_array().expect("its findings").iter();
        found.map(Value::to_string).collect()
    }
}

/// As often as something is looked for.
fn looks() -> impl Iterator<Item = ()> {
    let times = PATIENCE.as_millis() / PAUSE.as_millis();
    (0..times).map(|look| {
        if look > 0 {
            std::thread::sleep(PAUSE);
        }
    })
}

/// Where `cargo xtask test` puts axe-core.
fn axe_file() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("axe.min.js")
}
