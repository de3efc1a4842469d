// One expectation of a migration's gates, over its runs: when, whether it held, and what was observed.

import { h, mark, replace, table, unseen, value } from "./dom.js";
import { alone, dagPath, get, leave, live, tab, trouble } from "./host.js";
import { moment, number, plural, sentence, words } from "./words.js";

const view = document.getElementById("view");
const given = new URLSearchParams(location.search);
const sought = Object.fromEntries(["gate", "result", "output", "rule", "description"].map((name) => [name, given.get(name) || ""]));
const KINDS = { held: "good", broken: "bad", "not judged": "bad", "not in the suite": "note", "not reached": "idle" };
const mild = (run) => run.severity === "warning" || run.severity === "info";
const kind = (run) => (run.outcome === "broken" && mild(run) ? "warn" : KINDS[run.outcome]);

function link(run) {
  const when = moment(run.at);
  return run.run_id ? leave(tab(run.dag_id, run.run_id), {}, when) : [when, unseen(" (no longer in Airflow)")];
}

function observed(run) {
  if (run.error) return value(run.error);
  if (run.rows === null) return "—";
  return run.unexpected !== null ? `${number(run.unexpected)} of ${plural(run.rows, "row")} broke it` : value(run.observed);
}

const COLUMNS = [
  { label: "Run", head: true, text: (run) => [link(run), h("small", null, value(run.run_id || run.id))] },
  { label: "Outcome", text: (run) => [mark(kind(run), sentence(run.outcome), { "data-testid": "outcome" }), mild(run) && h("small", null, run.severity)] },
  { label: "Observed", wide: true, text: observed },
];

function page(found) {
  const judged = found.runs.filter((run) => run.rows !== null);
  const held = judged.filter((run) => run.outcome === "held").length;
  const gate = words(found.gate).replace("-", " ");
  return [h("header", { class: "head" }, h("div", null, h("h1", null, value(found.description)),
    h("p", { class: "meta" }, [["migration", found.migration_id], ["gate", gate], ["judged", found.result], ["of", found.output], ["rule", found.rule]].filter(([, what]) => what)
      .map(([name, what]) => h("span", null, h("span", { class: "soft" }, `${name} `), value(what)))),
    h("p", { "data-testid": "held" }, `It held in ${number(held)} of the ${plural(judged.length, "run")} that judged it`, found.total > found.runs.length && `, of the newest ${number(found.runs.length)} of ${plural(found.total, "run")}`, ".")), h("div", { class: "actions" }, alone())),
  table(COLUMNS, found.runs, { caption: "The runs, the newest first", testid: "judgements", note: true })];
}

async function show() {
  try {
    const found = await get(`${dagPath()}/expectation`, sought);
    document.title = `${found.rule} – ${found.migration_id} – Trueup`;
    replace(view, page(found));
  } catch (error) {
    replace(view, trouble(error));
  }
  view.setAttribute("aria-busy", "false");
  return false;
}

live(show);
