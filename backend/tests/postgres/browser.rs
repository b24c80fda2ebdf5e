//! The pages in a real browser: looked at, clicked, followed, in light and dark, on a telephone, and without scripts.

mod driver;
mod window;

use backend::{access::Anonymous, analysis};
use proto::v1::{
    Batch, Fingerprint, FingerprintLevel, Heartbeat, HookState, Host, KernelReport, ProgramCrash, Record,
    Severity, record::Payload,
};
use tokio_util::sync::CancellationToken;

use self::window::Window;
use crate::hardware::failing;
use crate::population::runs;
use crate::statistics::fleet;
use crate::support::{Collector, Database, encoded, get, host, record, sender};

/// What strangers write who mean harm: markup, and a character that turns what follows it around.
const HOSTILE: &str =
    "\"'><img src=x onerror=\"hostile=true\"><script>hostile=true</script>\u{202e}</td></table>";
/// The issue of which everything is hostile.
const ISSUE: &str = "00112233445566778899aabbccddeeff";

/// A fleet with something on every page, much of it hostile.
struct World {
    db: Database,
    collector: Collector,
}

impl World {
    async fn new(test: &str) -> Option<Self> {
        let db = Database::new(test).await?;
        fleet(&db).await;
        failing(&db).await;
        hostile(&db).await;
        let mover = sender();
        for build in ["41", HOSTILE, "41"] {
            runs(&db, &mover, build).await;
        }
        db.store.score_parts(analysis::score).await.unwrap();
        db.store.count_population().await.unwrap();
        db.counted().await;
        let now = std::time::Duration::from_hours(1);
        let store = &db.store;
        store.create_token(&[7; 32], None, 3, now, HOSTILE).await.unwrap();
        store.audit(HOSTILE, "test", HOSTILE).await.unwrap();
        store
            .silence("rule", HOSTILE, now, HOSTILE, HOSTILE)
            .await
            .unwrap();
        let collector = Collector::start(&db).await;
        Some(Self { db, collector })
    }

    fn origin(&self) -> String {
        format!("http://{}", self.collector.http)
    }

    /// The address of the first link on `page` that begins with `start`.
    async fn link(&self, page: &str, start: &str) -> String {
        let router = self.db.router(Anonymous::Admin, &CancellationToken::new());
        let text = get(&router, page).await;
        let begins = text.find(&format!("href=\"{start}")).expect(start) + 6;
        let end = text[begins..].find('"').expect("the end of an address");
        text[begins..begins + end].to_owned()
    }

    /// Every page, by the name of its screenshot.
    async fn pages(&self) -> Vec<(&'static str, String)> {
        let fixed = [
            ("overview", "/"),
            ("faults", "/faults"),
            ("faults-of-nobody", "/faults?host=nobody"),
            ("issues", "/issues"),
            ("issue", "/issues/00112233445566778899aabbccddeeff"),
            ("crashes", "/crashes"),
            ("hosts", "/hosts"),
            ("hardware", "/hardware"),
            ("probes", "/probes"),
            ("builds", "/builds?by=build&from=41&to=42"),
            ("updates", "/updates"),
            ("population", "/population"),
            ("admin", "/admin"),
            ("login", "/login"),
        ];
        let mut pages: Vec<(&str, String)> = fixed
            .into_iter()
            .map(|(name, path)| (name, path.to_owned()))
            .collect();
        let fault = self.link("/faults?class=kernel.oops", "/faults/").await;
        let part = self.link("/hardware", "/hardware/").await;
        let host = self.link(&fault, "/hosts/").await;
        pages.extend([("fault", fault), ("part", part), ("host", host)]);
        pages
    }
}

fn hostile_record(class: &str, title: &str, payload: Payload) -> Record {
    Record {
        class: class.to_owned(),
        severity: Severity::High.into(),
        title: title.to_owned(),
        kernel_release: HOSTILE.to_owned(),
        boot_id: "a boot".to_owned(),
        payload: Some(payload),
        ..record("")
    }
}

fn fingerprint(value: &str) -> Vec<Fingerprint> {
    vec![Fingerprint {
        version: 1,
        level: FingerprintLevel::Title.into(),
        value: value.to_owned(),
    }]
}

/// A host whose every text is hostile, with records of each kind that pages tell of.
async fn hostile(db: &Database) {
    let sender = sender();
    let told = Host {
        hostname: HOSTILE.to_owned(),
        os_id: HOSTILE.to_owned(),
        kernel_release: HOSTILE.to_owned(),
        product: HOSTILE.to_owned(),
        cpu_model: HOSTILE.to_owned(),
        bios: HOSTILE.to_owned(),
        command_line: HOSTILE.to_owned(),
        ..host()
    };
    db.store.hello(&sender, &told, HOSTILE).await.unwrap();
    let report = Payload::KernelReport(KernelReport {
        text: format!("{HOSTILE}\n{}", HOSTILE.repeat(50)),
        function: HOSTILE.to_owned(),
        comm: "x".to_owned(),
        ..KernelReport::default()
    });
    let crash = Payload::ProgramCrash(ProgramCrash {
        signal: 11,
        executable: format!("/usr/bin/{HOSTILE}"),
        build_id: "0123456789abcdef".to_owned(),
        ..ProgramCrash::default()
    });
    let beat = Payload::Heartbeat(Heartbeat {
        hooks: vec![HookState {
            name: "<script>hostile=true</script>".to_owned(),
            reason: HOSTILE.to_owned(),
            ..HookState::default()
        }],
        ..Heartbeat::default()
    });
    let records = [
        Record {
            fingerprints: fingerprint(ISSUE),
            ..hostile_record("kernel.oops", HOSTILE, report)
        },
        Record {
            fingerprints: fingerprint("00112233445566778899aabbccddee00"),
            ..hostile_record("program.crash", HOSTILE, crash)
        },
        hostile_record("telemetry.heartbeat", "heartbeat", beat),
    ];
    let batch = Batch {
        first_seq: 1,
        records: records.iter().map(encoded).collect(),
    };
    db.store.deliver(&sender, batch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_sound_and_accessible_in_light_and_dark_and_on_a_telephone() {
    let test = "every_page_is_sound_and_accessible_in_light_and_dark_and_on_a_telephone";
    let Some(world) = World::new(test).await else {
        return;
    };
    let Some(window) = Window::open(test, world.origin()) else {
        return;
    };
    let mut wrong = Vec::new();
    let mut note = |page: String, found: Vec<String>| {
        wrong.extend(found.into_iter().map(|one| format!("{page}: {one}")));
    };
    for (name, path) in world.pages().await {
        window.wide();
        window.dark(false);
        window.go(&path);
        note(path.clone(), window.unsound());
        note(path.clone(), window.inaccessible());
        window.screenshot(name);
        window.dark(true);
        note(format!("{path} in the dark"), window.inaccessible());
        window.screenshot(&format!("{name}-dark"));
        window.narrow();
        window.dark(false);
        note(format!("{path} on a telephone"), window.unsound());
        window.screenshot(&format!("{name}-narrow"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    drop(window);
    world.collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_filtered_followed_and_decided_about_in_a_browser() {
    let test = "faults_are_filtered_followed_and_decided_about_in_a_browser";
    let Some(world) = World::new(test).await else {
        return;
    };
    let Some(window) = Window::open(test, world.origin()) else {
        return;
    };

    // A choice filters by itself, and the address keeps it without what is empty.
    window.go("/faults");
    window.click("#f-class option[value='kernel.oops']");
    window.says(".pager", "1 fault,");
    assert!(
        window.address().ends_with("/faults?class=kernel.oops"),
        "{}",
        window.address()
    );

    // What is stored now appears by itself.
    window.says(".live", "Live");
    let sender = sender();
    world.db.store.hello(&sender, &host(), "1").await.unwrap();
    let oops = Record {
        class: "kernel.oops".to_owned(),
        title: "BUG: it happened while somebody looked".to_owned(),
        ..record("")
    };
    let batch = Batch {
        first_seq: 1,
        records: vec![encoded(&oops)],
    };
    world.db.store.deliver(&sender, batch).await.unwrap();
    window.says("tr.fresh .title", "while somebody looked");
    window.says("[data-new]", "1 new");
    window.click(".live");
    window.says(".live", "Paused");

    // To an issue by its link, and a decision by its form.
    window.go("/issues?class=kernel.");
    window.click(&format!(".faults a[href='/issues/{ISSUE}']"));
    window.write(".decide input[name=who]", "ann");
    window.click(".decide select[name=state] option[value=resolved]");
    window.write(".decide textarea[name=note]", "seen in a browser");
    window.click(".decide button");
    window.says(".history", "seen in a browser");
    window.says(".fault-head", "resolved");

    // The keyboard goes from one to the next.
    window.go("/issues");
    window.find("body").type_in("j");
    window.find(".faults .title:focus");
    drop(window);
    world.collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_work_in_a_browser_without_scripts() {
    let test = "pages_work_in_a_browser_without_scripts";
    let Some(world) = World::new(test).await else {
        return;
    };
    let Some(window) = Window::open(test, world.origin()) else {
        return;
    };
    window.without_scripts();
    window.go("/faults");
    assert!(
        !window.find(".live").is_displayed(),
        "nothing is live without a script"
    );
    window.click("#f-class option[value='kernel.oops']");
    window.click(".filters button[type=submit]");
    window.says(".pager", "1 fault,");
    window.click(".faults .title");
    window.says("h1", "hostile=true");
    window.go("/hardware");
    window.click("#f-kind option[value=disk]");
    window.click(".filters button[type=submit]");
    window.says("main", "No part matches");

    // Administration is done by forms: a token is made, shown once, and withdrawn.
    window.go("/admin");
    window.write("#tokens input[name=expires]", "2h");
    window.write("#tokens input[name=note]", "made by a test");
    window.click("#tokens .inline button");
    window.says(".made", "tlm_");
    window.says("#tokens", "made by a test");
    window.click("#tokens tbody tr:first-child button");
    window.says("#tokens tbody tr:first-child", "revoked");
    drop(window);
    world.collector.stop().await;
}
