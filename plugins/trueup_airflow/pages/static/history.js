// The runs of a migration: rows, duration and findings of each, as a chart and as a table.

import { h, mark, replace, section, svg, table, unseen, value } from "./dom.js";
import { alone, asked, dagPath, get, leave, live, startPage, tab, trouble } from "./host.js";
import { goesOn, range } from "./range.js";
import { KIND, between, duration, moment, number, plural, sentence, span } from "./words.js";

const view = document.getElementById("view");
const CHARTED = 30;
const HEIGHT = 88;

const found = (run) => (run.findings ? run.findings.reject + run.findings.warning : 0);
const ROWS = [
  { name: "Rows written", of: (run) => run.written || 0, say: number },
  { name: "Duration", of: (run) => (run.ended_at ? between(run.started_at, run.ended_at) : 0), say: duration },
  { name: "Findings", of: found, say: number },
];
const colour = (run) => ({ good: "good", bad: "bad", warn: "warn" })[kind(run)] || "note";

// A bar a run, the oldest first. The table beside it says the same in words.
function chart(runs, { name, of, say }) {
  const most = Math.max(...runs.map(of), 0);
  const wide = Math.max(runs.length, 8);
  const width = 320;
  const step = width / wide;
  const bars = runs.map((run, i) => {
    const height = most ? Math.max((of(run) / most) * (HEIGHT - 4), of(run) ? 3 : 1) : 1;
    return svg("rect", { class: colour(run), x: (i * step + step * 0.12).toFixed(1), y: (HEIGHT - height).toFixed(1), width: (step * 0.76).toFixed(1), height: height.toFixed(1), rx: 1.5 },
      svg("title", null, `${moment(run.started_at)}, ${run.kind}, ${run.state}: ${say(of(run))}`));
  });
  const last = runs.at(-1); // of those that have ended: what is under way has no figures yet
  return h("figure", { class: "chart" }, h("figcaption", null, h("span", null, name), h("b", null, say(of(last))), h("small", null, `last run · at most ${say(most)}`)),
    svg("svg", { viewBox: `0 0 ${width} ${HEIGHT + 1}`, role: "img", "aria-label": `${name} of the last ${plural(runs.length, "run")}; the table below has the figures` },
      svg("line", { x1: 0, x2: width, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }), bars));
}

function link(run) {
  const when = moment(run.started_at);
  return run.run_id ? leave(tab(run.dag_id, run.run_id), {}, when) : [when, unseen(" (no longer in Airflow)")];
}

const TOLD = { turned: "good", undone: "good", "nothing undone": "idle" };
const kind = (run) => TOLD[run.state] || KIND[run.state] || "note";
const WHAT = { run: (run) => run.mode || "run", rollback: () => "rollback", cutover: () => "cutover" };

const COLUMNS = [
  { label: "Run", head: true, text: (run) => [link(run), h("small", null, value(run.run_id || run.id))] },
  { label: "State", text: (run) => [mark(kind(run), sentence(run.state)), run.says && h("small", null, value(run.says))] },
  { label: "What", text: (run) => [WHAT[run.kind](run), run.window && h("small", null, span(run.window))] },
  { label: "Planned", n: true, text: (run) => number(run.planned) },
  { label: "Written", n: true, text: (run) => number(run.written) },
  { label: "Deleted", n: true, text: (run) => (run.deleted ? h("span", { class: "remove" }, number(run.deleted)) : number(run.deleted)) },
  { label: "Proven", n: true, text: (run) => number(run.compared) },
  { label: "Rejected", n: true, text: (run) => number(run.findings?.reject) },
  { label: "Warnings", n: true, text: (run) => number(run.findings?.warning) },
  { label: "Took", n: true, text: (run) => (run.over ? duration(between(run.started_at, run.ended_at)) : "under way") },
  { label: "By", text: (run) => value(run.triggered_by) },
];

const TURNS = [
  { label: "When", head: true, text: (turn) => moment(turn.at) },
  { label: "Turn", text: (turn) => `${turn.from_state} → ${turn.to_state}` },
  { label: "By", text: (turn) => value(turn.turned_by) },
  { label: "Why", wide: true, text: (turn) => value(turn.why) },
];

// The policy lets no form be sent, so the page goes there itself.
function seek(event) {
  event.preventDefault();
  location.href = `lens?${new URLSearchParams({ dag_id: asked.dag, key: event.target.elements.key.value })}`;
}

// The newest backfill, as one thing.
function filled(all, days) {
  const [its] = days.backfills;
  if (!its) return null;
  const path = `${dagPath(all.migration_id)}/plugin/migration-backfills`;
  const next = its.retry.length ? "Retry the failed days …" : its.mode === "plan" && its.states.planned === its.days.length ? "Apply these plans …" : "All backfills";
  return h("div", { class: "last-backfill", "data-testid": "backfill-card" }, range(days, its, "Last backfill: ", h("p", { class: "actions" }, leave(path, { class: "button small", id: "go-backfills", "data-testid": "go-backfills" }, next))));
}

function page(all, days) {
  const runs = all.runs;
  if (!all.ours) {
    return [h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "Not a migration"),
      h("p", null, "The DAG ", h("code", null, value(all.dag_id)), " is no migration of Trueup’s, so it has no history here. ", leave("plugin/migrations", {}, "All migrations")))];
  }
  const find = h("form", { class: "find", role: "search", "data-testid": "find-row", onsubmit: seek }, h("label", { for: "find-key" }, "Find a row"),
    h("input", { id: "find-key", name: "key", type: "search", required: true, maxlength: "2000", autocomplete: "off", placeholder: "Legacy or new key …" }), h("button", { class: "small", type: "submit" }, "Search"));
  const head = h("header", { class: "head" }, h("div", null, h("h1", null, value(asked.title), asked.title !== all.migration_id && h("code", { class: "id" }, value(all.migration_id))),
    h("p", { class: "soft" }, `${plural(all.total, "run")}${all.total > runs.length ? `, the newest ${runs.length} shown` : ""} · switch: ${all.switch}`)),
    h("div", { class: "actions" }, all.may_run ? h("a", { class: "button small", href: startPage(all.migration_id, {}), "data-testid": "go-run" }, "Run …") : leave(dagPath(all.migration_id), { class: "button small" }, "DAG"),
      leave(`${dagPath(all.migration_id)}/plugin/migration-rollback`, { class: "button small" }, "Rollbacks"), leave(`${dagPath(all.migration_id)}/plugin/migration-cutover`, { class: "button small" }, "Switch"), runs.length > 0 && find, alone()));
  if (!runs.length) {
    return [head, h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "No run yet"),
      h("p", null, "Trigger the DAG in mode plan: it reads and compares, shows here what would be written, and writes to no store."))];
  }
  const charted = runs.filter((run) => run.over && run.kind !== "cutover").slice(0, CHARTED).reverse();
  return [head, filled(all, days), charted.length > 0 && h("div", { class: "charts", "data-testid": "charts" }, ROWS.map((row) => chart(charted, row))),
    section("runs", "Runs", table(COLUMNS, runs, { caption: "Runs, the newest first", note: true, testid: "history" })),
    all.turns.length > 0 && section("turns", "Turns of the switch", table(TURNS, all.turns, { caption: "Turns of the switch", note: true, testid: "turns" }))];
}

live(async () => {
  try {
    const [all, days] = await Promise.all([get(`${dagPath(asked.dag)}/history`), get(`${dagPath(asked.dag)}/backfills`, { newest: 1 })]);
    replace(view, page(all, days));
    view.setAttribute("aria-busy", "false");
    return all.runs.some((run) => !run.over) || days.backfills.some(goesOn);
  } catch (error) {
    replace(view, trouble(error));
    return false;
  }
});
