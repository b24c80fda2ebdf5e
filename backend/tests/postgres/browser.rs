//! The pages in a real browser: looked at, clicked, followed, in light and dark, on a telephone, and without scripts.

mod driver;
mod explorer;
mod hostile;
mod lifelike;
mod window;

use backend::access::Anonymous;
use proto::v1::Record;
use tokio_util::sync::CancellationToken;

use self::hostile::ISSUE;
use self::window::Window;
use crate::support::{Collector, Database, get, of_issue, record};

/// A collector on a database with a fleet.
struct World {
    db: Database,
    collector: Collector,
}

impl World {
    async fn hostile(test: &str) -> Option<Self> {
        let db = Database::new(test).await?;
        hostile::fill(&db).await;
        Some(Self::of(db).await)
    }

    async fn lifelike(test: &str) -> Option<Self> {
        let db = Database::new(test).await?;
        lifelike::fill(&db).await;
        Some(Self::of(db).await)
    }

    async fn of(db: Database) -> Self {
        let collector = Collector::start(&db).await;
        Self { db, collector }
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

    /// Every page, by the name of its picture: of this issue, and with these builds compared.
    async fn pages(&self, issue: &str, [from, to]: [&str; 2]) -> Vec<(&'static str, String)> {
        let fault = self.link("/faults?class=kernel.oops", "/faults/").await;
        let host = self.link(&fault, "/hosts/").await;
        let fixed = [
            ("overview", "/"),
            ("faults", "/faults"),
            ("faults-of-nobody", "/faults?host=nobody"),
            ("issues", "/issues"),
            ("crashes", "/crashes"),
            ("hosts", "/hosts"),
            ("hardware", "/hardware"),
            ("hardware-events", "/hardware/events"),
            ("probes", "/probes"),
            ("updates", "/updates"),
            ("population", "/population"),
            ("admin", "/admin"),
            ("login", "/login"),
        ];
        let mut pages = vec![
            ("issue", format!("/issues/{issue}")),
            ("newest-issue", self.link("/issues", "/issues/").await),
            ("builds", format!("/builds?by=build&from={from}&to={to}")),
            ("part", self.link("/hardware", "/hardware/").await),
            ("fault", fault),
            ("host", host),
        ];
        pages.extend(fixed.map(|(name, path)| (name, path.to_owned())));
        pages
    }
}

/// Everything that is wrong with pages in light, in the dark and on a telephone; `pictures` of them are taken.
fn wrong_with(window: &Window, pages: &[(&str, String)], pictures: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut note = |page: String, found: Vec<String>| {
        wrong.extend(found.into_iter().map(|one| format!("{page}: {one}")));
    };
    let picture = |name: String| {
        if pictures {
            window.screenshot(&name);
        }
    };
    for (name, path) in pages {
        for (narrow, size) in [(false, ""), (true, "-narrow")] {
            if narrow {
                window.narrow();
            } else {
                window.wide();
            }
            window.go(path);
            note(format!("{path}{size}"), window.unsound());
            for (dark, light) in [(false, ""), (true, "-dark")] {
                window.dark(dark);
                note(format!("{path}{size}{light}"), window.inaccessible());
                picture(format!("{name}{size}{light}"));
            }
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_sound_and_accessible_whatever_strangers_write() {
    let test = "every_page_is_sound_and_accessible_whatever_strangers_write";
    let Some(world) = World::hostile(test).await else {
        return;
    };
    let Some(window) = Window::open(test, world.origin()) else {
        return;
    };
    let pages = world.pages(ISSUE, ["41", "42"]).await;
    let wrong = wrong_with(&window, &pages, false);
    assert!(wrong.is_empty(), "{wrong:#?}");
    drop(window);
    world.collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_a_usual_fleet_is_sound_and_accessible_and_has_its_picture_taken() {
    let test = "every_page_of_a_usual_fleet_is_sound_and_accessible_and_has_its_picture_taken";
    let Some(world) = World::lifelike(test).await else {
        return;
    };
    let Some(window) = Window::open(test, world.origin()) else {
        return;
    };
    let pages = world.pages(&lifelike::issue(), ["A", "B"]).await;
    let wrong = wrong_with(&window, &pages, true);
    assert!(wrong.is_empty(), "{wrong:#?}");
    drop(window);
    world.collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_filtered_followed_and_decided_about_in_a_browser() {
    let test = "faults_are_filtered_followed_and_decided_about_in_a_browser";
    let Some(world) = World::hostile(test).await else {
        return;
    };
    let Some(window) = Window::open(test, world.origin()) else {
        return;
    };

    // The address keeps what is chosen, without what is empty.
    window.go("/faults");
    window.click("#f-class option[value='kernel.oops']");
    window.click(".filters button[type=submit]");
    window.says(".pager", "1 fault,");
    assert!(
        window.address().ends_with("/faults?class=kernel.oops"),
        "{}",
        window.address()
    );

    // What is stored now appears by itself.
    window.says(".live", "Live");
    let oops = Record {
        class: "kernel.oops".to_owned(),
        title: "BUG: it happened while somebody looked".to_owned(),
        ..record("")
    };
    world.db.tell(&[oops]).await;
    window.says("tr.fresh .title", "while somebody looked");
    window.says("[data-new]", "1 new");
    window.click(".live");
    window.says(".live", "Paused");

    // To an issue by its link, and a decision by its form.
    window.go("/issues?q=class:kernel.*");
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
    window.find(".faults .title:focus").type_in("x");
    window.says("#triage output", "1 of ");
    window.find(".faults input[name=issue]:checked").type_in("j");
    window.find(".faults .title:focus");
    window.click("#triage [data-choose-all]");
    window.says("#triage [data-choose-all]", "Choose none");
    window.without(".faults input[name=issue]:not(:checked)");

    // Builds that were chosen are not looked for among kernels.
    window.go("/builds?by=build&from=41&to=42");
    window.click("#f-by option[value=kernel]");
    window.click(".filters button[type=submit]");
    window.says("thead", "Kernel");
    assert!(!window.address().contains("from="), "{}", window.address());
    drop(window);
    world.collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_merged_taken_apart_ignored_and_split_by_forms_without_scripts() {
    let test = "an_issue_is_merged_taken_apart_ignored_and_split_by_forms_without_scripts";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (one, other) = (format!("{:032x}", 1), format!("{:032x}", 2));
    for issue in [&one, &other] {
        let oops = Record {
            title: format!("oops {issue}"),
            fingerprints: of_issue(issue),
            ..record("")
        };
        db.tell(&[oops]).await;
    }
    db.counted().await;
    let world = World::of(db).await;
    let Some(window) = Window::open(test, world.origin()) else {
        return;
    };
    let save = |fields: &[(&str, &str)], choice: &str| {
        window.write(".decide input[name=who]", "ann");
        for details in [1, 2] {
            window.click(&format!(".decide details:nth-of-type({details}) summary"));
        }
        for (name, value) in fields {
            window.write(&format!(".decide input[name={name}]"), value);
        }
        if !choice.is_empty() {
            window.click(&format!(".decide option[value={choice}]"));
        }
        window.click(".decide button");
    };
    window.scripts(false);
    window.go(&format!("/issues/{one}"));
    let address = format!("{}/issues/{other}", world.origin());
    save(&[("merged_into", &address)], "");
    window.says("#merged", &one);
    assert_eq!(window.address(), address);
    window.scripts(true);
    window.go(&format!("/issues/{one}"));
    assert_eq!(window.address(), address, "it leads there");
    assert_eq!((window.unsound(), window.inaccessible()), (vec![], vec![]));
    window.narrow();
    assert_eq!(window.unsound(), Vec::<String>::new());
    window.wide();
    window.scripts(false);
    window.go(&format!("/issues/{other}"));
    window.write("#merged input[name=who]", "ann");
    window.click("#merged button");
    window.says(".history", &format!("taken apart: {one}"));
    window.says("h1", &other);

    save(&[("ignore_hosts", "5")], "ignored");
    window.says(".fault-head", "ignored until 5 hosts have it");
    save(&[], "true");
    window.says(".history", "split: true");
    save(&[], "false");
    window.says(".history", "split: false");
    drop(window);
    world.collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_work_in_a_browser_without_scripts() {
    let test = "pages_work_in_a_browser_without_scripts";
    let Some(world) = World::hostile(test).await else {
        return;
    };
    let Some(window) = Window::open(test, world.origin()) else {
        return;
    };
    window.scripts(false);
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
    window.click("#tokens tbody tr:first-child summary");
    window.click("#tokens tbody tr:first-child button");
    window.says("#tokens tbody tr:first-child", "revoked");
    drop(window);
    world.collector.stop().await;
}
