// What became of a row, by its legacy or its new key, in all runs of its migration.

import { h, icon, mark, replace, value } from "./dom.js";
import { alone, asked, dagPath, get, leave, runPath, tab, trouble } from "./host.js";
import { came, lens, said, verb, whole } from "./row.js";
import { KIND, moment, number, plural, sentence, span, words } from "./words.js";

const view = document.getElementById("view");
const given = new URLSearchParams(location.search);
const migration = asked.dag.replace(/_(rollback|cutover)$/, "");
const FATES = { written: "good", kept: "idle", rejected: "bad", skipped: "skip" };

const results = h("div", { "aria-live": "polite", "data-testid": "lens-results" });
const status = h("p", { class: "soft", role: "status", "data-testid": "lens-status" });
const input = h("input", { id: "lens-key", name: "key", type: "search", "data-testid": "lens-key", required: true, maxlength: "2000", autocomplete: "off", spellcheck: "false", placeholder: "Legacy or new key; of several columns as a JSON array" });
input.value = given.get("key") || "";
let turn = 0;

// A line that opens, where Airflow still knows the run: its row, whole.
function opens(run, at, line) {
  if (!run.run_id || !at) return h("div", { class: "line" }, line);
  const place = h("div");
  const open = async (event) => {
    if (!event.target.open || place.firstChild) return;
    place.replaceChildren(h("p", { class: "soft" }, "Searching …"));
    try {
      place.replaceChildren(whole(await get(`${runPath(run.dag_id, run.run_id)}/rows/one`, { at })));
    } catch (error) {
      place.replaceChildren(trouble(error));
    }
  };
  return h("details", { ontoggle: open }, h("summary", null, line), place);
}

function source(run, one) {
  const why = { planned: "not written", outside_window: "outside the run’s window" }[one.rule] || one.rule;
  const only = one.fate === "written" && one.rule === "planned";
  const line = [mark(only ? "note" : FATES[one.fate] || "warn", only ? "Planned" : one.fate ? sentence(one.fate) : "Not known"), h("span", { class: "from-to" }, h("span", { class: "soft" }, value(one.table), " "), h("code", null, value(one.key))), why && h("span", { class: "chip" }, value(why))];
  return h("li", { "data-testid": "lens-source" }, opens(run, one.at, line), one.message && !one.at && h("small", null, value(one.message)));
}

function target(run, one) {
  const key = run.run_id && one.at ? h("code", null, value(one.key)) : lens(one.key); // what opens holds no link; the open row has it
  return h("li", { "data-testid": "lens-target" }, opens(run, one.at, [verb(one.verb), h("span", { class: "from-to" }, h("span", { class: "soft" }, value(one.table), " "), key), came(one, run)]));
}

function run(one) {
  const undone = one.undone_by && h("p", { "data-testid": "undone" }, mark("skip", "Undone"), " by ", value(one.undone_by), ": what it wrote is as it was before.");
  const mode = one.undoes ? ["undoes ", value(one.undoes)] : one.mode && `mode ${one.mode}`;
  return h("li", { class: "card", "data-testid": "lens-run" },
    h("div", { class: "card-head" }, h("h2", null, one.run_id ? leave(tab(one.dag_id, one.run_id), {}, moment(one.started_at)) : moment(one.started_at), h("code", null, value(one.run_id || one.run))),
      mark(KIND[words(one.status)] || "note", sentence(words(one.status)))),
    h("p", { class: "soft" }, mode, one.window && ` · window ${span(one.window)}`), undone,
    one.sources.length > 0 && h("ul", { class: "planned" }, one.sources.map((each) => source(one, each))),
    one.targets.length > 0 && h("ul", { class: "planned" }, one.targets.map((each) => target(one, each))),
    one.more > 0 && h("p", { class: "soft" }, `and ${number(one.more)} more rows.`), said(one.findings),
    one.not_looked.map((why) => h("p", { class: "soft" }, icon("note"), " ", value(why))));
}

const about = (one) => one.sources.length || one.targets.length || one.findings.length;

function show(runs, page) {
  const found = runs.filter(about);
  const not = runs.filter((one) => !about(one) && one.not_looked.length);
  const pruned = not.filter((one) => one.pruned).length;
  replace(results, h("ul", { class: "cards" }, found.map(run)),
    !found.length && !page.next && h("p", { "data-testid": "lens-nothing" }, not.length ? "No run that could be looked at has a row with this key." : "No run of this migration has a row with this key, as a source row or as a target row."),
    not.length > 0 && h("details", { id: "not-looked", "data-testid": "lens-not-looked" }, h("summary", null, mark("warn", `${plural(not.length, "run")} could not be looked at whole`), pruned > 0 && h("span", { class: "soft" }, `of ${number(pruned)} the files are gone`)),
      h("ul", null, not.map((one) => h("li", null, h("code", null, value(one.run_id || one.run)), `, ${moment(one.started_at)}: `, value(one.not_looked.join("; ")))))));
  const hidden = page.hidden ? ` ${plural(page.hidden, "run")} of other DAGs of this migration you may not read.` : "";
  status.textContent = (page.next ? `Looked at ${number(page.looked)} of ${plural(page.of, "run")} …` : `${plural(found.length, "run")} of ${number(page.of)} made something of this row.`) + hidden;
}

async function look() {
  const mine = ++turn;
  const key = input.value;
  if (!key) return;
  status.textContent = "Searching …";
  replace(results);
  const runs = [];
  let since;
  try {
    do {
      const page = await get(`${dagPath(asked.dag)}/lens`, { key, since });
      if (mine !== turn) return;
      runs.push(...page.runs);
      show(runs, page);
      since = page.next;
    } while (since);
  } catch (error) {
    if (mine !== turn) return;
    status.textContent = "";
    replace(results, trouble(error));
  }
}

function submitted(event) {
  event.preventDefault();
  const at = new URLSearchParams(location.search);
  at.set("key", input.value);
  history.pushState(null, "", `?${at}`);
  look();
}

view.setAttribute("aria-busy", "false");
view.replaceChildren(
  h("header", { class: "head" }, h("div", null, h("h1", null, "What became of a row"), h("p", { class: "soft" }, value(asked.title))),
    h("div", { class: "actions" }, asked.run && h("a", { class: "button small", href: `run?${new URLSearchParams({ dag_id: asked.dag, run_id: asked.run })}#rows`, "data-testid": "back" }, "Back to the run"),
      leave(`${dagPath(migration)}/plugin/migration-history`, { class: "button small" }, "All runs"), alone())),
  h("form", { class: "filters", role: "search", onsubmit: submitted }, h("label", { class: "grow", for: "lens-key" }, h("span", null, "Key"), input), h("button", { class: "primary", type: "submit", "data-testid": "lens-look" }, "Search")),
  status, results);
addEventListener("popstate", () => {
  input.value = new URLSearchParams(location.search).get("key") || "";
  look();
});
look();
document.title = `A row – ${asked.title} – Trueup`;
