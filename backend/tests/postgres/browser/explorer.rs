//! What people do with the list of faults and with issues, by clicks and keys: with scripts, and without where pages work without.

use proto::v1::Record;

use super::window::Window;
use crate::explorer::oopses;
use crate::support::{Collector, Database, of_issue, record};
use crate::symbols::Stacks;

/// A collector on a database, and a browser that looks at it.
struct Site {
    window: Window,
    collector: Collector,
}

impl Site {
    async fn open(test: &str, db: &Database) -> Option<Self> {
        db.counted().await;
        let collector = Collector::start(db).await;
        let window = Window::open(test, format!("http://{}", collector.http))?;
        Some(Self { window, collector })
    }

    async fn close(self) {
        drop(self.window);
        self.collector.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_beside_the_faults_narrows_the_list_and_widens_it_again() {
    let test = "a_count_beside_the_faults_narrows_the_list_and_widens_it_again";
    let Some(db) = Database::new(test).await else {
        return;
    };
    oopses(&db, "web-1", "12", 5).await;
    oopses(&db, "web-2", "13", 2).await;
    let Some(site) = Site::open(test, &db).await else {
        return;
    };
    let window = &site.window;
    for scripts in [true, false] {
        window.scripts(scripts);
        window.go("/faults");
        window.says(".pager", "9 faults,");
        window.says(
            ".counts section[aria-label=Class] li:first-child",
            "kernel.oops\n7",
        );
        window.click(".counts section[aria-label=Class] li:first-child a");
        window.says(".pager", "7 faults,");
        window.click(".counts section[aria-label=Build] li:nth-child(2) a");
        window.says(".pager", "2 faults,");
        let address = window.address();
        assert!(
            address.contains("class=kernel.oops") && address.contains("q=build%3A13"),
            "{address}"
        );
        window.says(".counts section[aria-label=Build] a[aria-current=true]", "13");
        window.click(".counts section[aria-label=Build] a[aria-current=true]");
        window.says(".pager", "7 faults,");
    }
    // A telephone shows the faults first, and their numbers when they are asked for.
    window.scripts(true);
    window.narrow();
    window.go("/faults");
    window.says(".pager", "9 faults,");
    let numbers = window.find(".counts section[aria-label=Severity] a");
    assert!(!numbers.is_displayed(), "they take the whole screen");
    window.click(".counts summary");
    numbers.click();
    window.says(".pager", "7 faults,");
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_saved_opened_and_deleted_by_clicks() {
    let test = "a_search_is_saved_opened_and_deleted_by_clicks";
    let Some(db) = Database::new(test).await else {
        return;
    };
    oopses(&db, "web-1", "12", 3).await;
    db.tell(&[oops(7, "Oops in nvme_queue_rq")]).await;
    let Some(site) = Site::open(test, &db).await else {
        return;
    };
    let window = &site.window;
    let lists = [
        ("/faults", "/faults?class=kernel.oops", ".pager", "4 faults,"),
        ("/issues", "/issues?state=new&q=nvme", ".issues", "Oops in nvme"),
        ("/hosts", "/hosts?q=web", ".cards", "web-1"),
    ];
    for ((list, sought, place, found), scripts) in lists.into_iter().zip([true, false, true]) {
        window.scripts(scripts);
        window.go(sought);
        window.says(place, found);
        window.says(".searches summary", "Saved searches");
        window.click(".searches summary");
        window.says(".searches", "None is kept yet.");
        window.write(".searches .keep input[name=name]", "our own");
        window.click(".searches .keep button");
        window.says(".searches summary", "Saved searches 1");
        assert!(window.address().ends_with(sought), "{}", window.address());

        window.go(list);
        window.click(".searches summary");
        window.says(".searches li a", "our own");
        window.click(".searches li a");
        window.says(place, found);
        assert!(window.address().ends_with(sought), "{}", window.address());

        window.click(".searches summary");
        window.says(".searches li a[aria-current=true]", "our own");
        window.click(".searches li button");
        window.without(".searches li");
        window.says(place, found);
    }
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_completed_while_it_is_written() {
    let test = "a_filter_is_completed_while_it_is_written";
    let Some(db) = Database::new(test).await else {
        return;
    };
    oopses(&db, "web-1", "12", 3).await;
    let Some(site) = Site::open(test, &db).await else {
        return;
    };
    let window = &site.window;
    let field = "#f-query";
    window.go("/faults");
    window.write(field, "bui");
    window.find("#candidates option[value='build:']");
    // Values are those that are stored, behind what is written already.
    window.write(field, "severity>=high build:");
    window.find("#candidates option[value='severity>=high build:12']");
    window.without("#candidates option[value='build:']");
    // One that takes quotes is offered to who does not know that, and to who does.
    window.write(field, "-model:Ex");
    window.find("#candidates option[label='-model:Example \"Server\"'][value^='-model:\"Example']");
    window.write(field, "-model:\"Ex");
    window.find("#candidates option[value^='-model:\"Example']");
    // What was chosen is written, and asks for what it says.
    window.write(field, "severity>=high build:12\n");
    window.says(".pager", "3 faults,");

    // Without scripts people write it themselves.
    window.scripts(false);
    window.go("/faults");
    window.write(field, "class:custom\n");
    window.says(".pager", "1 fault,");
    window.without("#candidates option");
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_comes_with_files_and_lines_by_itself_or_by_its_link() {
    let test = "a_stack_comes_with_files_and_lines_by_itself_or_by_its_link";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let Some(stacks) = Stacks::new(test, &db).await else {
        return;
    };
    let Some(window) = Window::open(test, format!("http://{}", stacks.collector.http)) else {
        return;
    };
    stacks.upload().await;
    for title in ["oops", "crash"] {
        let page = format!("/faults/{}", stacks.id(title));
        window.scripts(true);
        window.go(&page);
        window.says("[data-stack] .trace", "source.c:3");
        window.says("[data-stack] .trace", "inner");
        window.says("[data-stack]", "Frames without a line");

        window.scripts(false);
        window.go(&page);
        let unread = window.find("[data-stack]").text().expect("the page stays");
        assert!(!unread.contains("source.c"), "{unread}");
        window.click("main a[href$='/stack']");
        window.says("#resolved .trace", "source.c:3");
        window.click(".crumbs a[href^='/faults/']");
        window.says("h1", title);
    }
    drop(window);
    stacks.collector.stop().await;
}

/// A record of an issue.
fn oops(issue: u8, title: &str) -> Record {
    Record {
        class: "kernel.oops".to_owned(),
        title: title.to_owned(),
        fingerprints: of_issue(&format!("{issue:032x}")),
        ..record("")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn similar_issues_lead_to_each_other() {
    let test = "similar_issues_lead_to_each_other";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let titles = [
        "KASAN: use-after-free Read in of_both",
        "general protection fault in of_both",
        "general protection fault in of_another",
    ];
    let records: Vec<_> = (1..)
        .zip(titles)
        .map(|(issue, title)| oops(issue, title))
        .collect();
    db.tell(&records).await;
    let Some(site) = Site::open(test, &db).await else {
        return;
    };
    let window = &site.window;
    let similar = "table.cards td[data-label=Issue] a";
    for scripts in [true, false] {
        window.scripts(scripts);
        window.go("/issues");
        window.click(&format!(".faults a[href='/issues/{:032x}']", 1));
        window.says("h1", titles[0]);
        window.says(similar, titles[1]);
        window.click(similar);
        window.says("h1", titles[1]);
        window.says(similar, titles[0]);
        window.go(&format!("/issues/{:032x}", 3));
        window.says("h1", titles[2]);
        window.without(similar);
    }
    site.close().await;
}
