// Without this script every page works; with it ages stay true, new faults appear, and keys go from row to row.
"use strict";

const MAX_ROWS = 500;
const AGE_EVERY_MS = 15000;
const RETRY_MS = 5000;
const CHOICE = "input[name=issue]";

// The same words as the server's `Moment`.
function age(seconds) {
  if (seconds < 5) return "just now";
  for (const [unit, size, until] of [["s", 1, 60], ["min", 60, 3600], ["h", 3600, 172800]]) {
    if (seconds < until) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
  return `${Math.floor(seconds / 86400)} d ago`;
}

function refreshAges() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    // What is ahead stays as the server said it: this clock may be behind.
    if (seconds >= 0) time.textContent = age(seconds);
  }
}

function live(list) {
  const button = document.querySelector(".live");
  const word = button.querySelector("span");
  const counter = document.querySelector("[data-new]");
  const url = new URL(list.dataset.live, location.href);
  let source = null;
  let wanted = true;
  let seen = 0;

  function show(state, text) {
    button.dataset.state = state;
    button.setAttribute("aria-pressed", String(wanted));
    word.textContent = text;
  }

  function add(event) {
    if (document.getElementById(`fault-${event.lastEventId}`)) return;
    const holder = document.createElement("template");
    holder.innerHTML = event.data; // a row rendered and escaped by the server
    const row = holder.content.querySelector("tr");
    if (!row) return;
    document.querySelector("[data-empty]")?.setAttribute("hidden", "");
    document.querySelector("[data-table]").hidden = false;
    row.classList.add("fresh");
    list.prepend(row);
    while (list.rows.length > MAX_ROWS) list.lastElementChild.remove();
    seen += 1;
    counter.textContent = `${seen} new since this page was opened`;
    counter.hidden = false;
    url.searchParams.set("after", event.lastEventId);
  }

  function stop() {
    source?.close();
    source = null;
  }

  // Browsers allow few connections to a server, and a page that nobody sees needs none: it catches up when seen.
  function follow() {
    stop();
    if (!wanted) return show("paused", "Paused");
    if (document.hidden) return;
    source = new EventSource(url);
    show("waiting", "Connecting");
    source.onopen = () => show("live", "Live");
    source.onerror = () => {
      show("waiting", "Reconnecting");
      // After a refusal (503) the browser does not try again by itself.
      if (source?.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
    };
    source.addEventListener("fault", add);
    source.addEventListener("reload", () => location.reload());
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    wanted = !wanted;
    follow();
  });
  document.addEventListener("visibilitychange", follow);
  follow();
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]), select, textarea")) return;
  const step = { j: 1, k: -1 }[event.key];
  const row = document.activeElement.closest("main tbody tr");
  if (event.key === "/") {
    const field = document.getElementById("f-query");
    if (field) { event.preventDefault(); field.focus(); }
  } else if (event.key === "x") {
    row?.querySelector(CHOICE)?.click();
  } else if (step) {
    const links = [...document.querySelectorAll("main tbody tr")].map((row) => row.querySelector("a")).filter(Boolean);
    const at = links.findIndex((link) => row?.contains(link));
    links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
  }
}

// Issues that are decided about together.
function choose(form) {
  const boxes = [...document.querySelectorAll(CHOICE)];
  const all = form.querySelector("[data-choose-all]");
  const told = form.querySelector("[data-chosen]");
  const left = () => boxes.filter((box) => !box.checked);
  function tell() {
    told.textContent = `${boxes.length - left().length} of ${boxes.length} chosen`;
    all.textContent = left().length ? "Choose all" : "Choose none";
  }
  all.hidden = false;
  all.addEventListener("click", () => {
    const checked = left().length > 0;
    for (const box of boxes) box.checked = checked;
    tell();
  });
  document.addEventListener("change", (event) => event.target.matches(CHOICE) && tell());
  tell();
}

// What may come next in a filter, as whole texts: the browser offers those that have what is written in them or in their label.
function complete(field) {
  let asked = 0;
  field.addEventListener("input", async () => {
    const written = field.value;
    if (field.selectionStart !== written.length) return;
    const turn = (asked += 1);
    const url = `/api/v1/filter/complete?${new URLSearchParams({ q: written, of: field.dataset.complete })}`;
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok || turn !== asked) return;
    const { from, candidates } = await answer.json();
    const kept = new TextDecoder().decode(new TextEncoder().encode(written).slice(0, from));
    const options = candidates.map(({ text, help }) => {
      const option = document.createElement("option");
      option.value = kept + text;
      // A value in quotes as it is written before anybody knows that it takes quotes.
      option.label = help || kept + text.replace(/^"|"$|\\(?=.)/g, "");
      return option;
    });
    field.list.replaceChildren(...options);
  });
}

// Files and lines take seconds to be read: the page does not wait for them.
async function showLines(stack) {
  const answer = await fetch(stack.dataset.stack).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const resolved = page.getElementById("resolved");
  if (!resolved) return;
  stack.replaceChildren(...resolved.children);
  watchWidths(stack);
}

// A table that is wider than its place is moved by keys, too: it can be focused, and has a name.
function reachable(region) {
  const name = region.querySelector("caption") ?? region.closest(".panel")?.querySelector("h2");
  const wide = region.scrollWidth > region.clientWidth;
  for (const [key, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", name?.textContent ?? "Table"]]) {
    if (wide) region.setAttribute(key, value);
    else region.removeAttribute(key);
  }
}
const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => reachable(target)));

function watchWidths(root) {
  for (const region of root.querySelectorAll(".scroll")) {
    reachable(region);
    sizes.observe(region);
  }
}

refreshAges();
setInterval(refreshAges, AGE_EVERY_MS);
document.addEventListener("keydown", keys);
// What is compared is of the kind that it was chosen among.
document.getElementById("f-by")?.addEventListener("change", (event) => {
  for (const name of ["from", "to"]) {
    const side = event.target.form.elements[name];
    if (side) side.value = "";
  }
});
// An empty field is no filter: keep it out of the address.
document.querySelector(".filters")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = [...new FormData(event.target)].filter(([, value]) => value !== "");
  location.assign(`${event.target.action}?${new URLSearchParams(given)}`);
});
for (const field of document.querySelectorAll("[data-complete]")) complete(field);
const triage = document.getElementById("triage");
if (triage) choose(triage);
// Numbers take a telephone's whole screen: they are shown there when they are asked for.
if (matchMedia("(max-width: 760px)").matches) document.querySelector(".counts")?.removeAttribute("open");
// The navigation is wider than a telephone.
document.querySelector(".bar nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
watchWidths(document);
for (const stack of document.querySelectorAll("[data-stack]")) showLines(stack);
const list = document.querySelector("[data-live]");
if (list) live(list);
