// Backfills, each as one thing: a strip of its days, what is true of the whole range, one retry, one approval.

import { h, mark, replace, value } from "./dom.js";
import { alone, ask, asked, dagPath, get, leave, live, trouble } from "./host.js";
import { goesOn, range } from "./range.js";
import { number, plural } from "./words.js";

const view = document.getElementById("view");
const said = new Map(); // what became of what a person has pressed, by backfill
let again = () => {};

async function press(id, work) {
  said.set(id, { kind: "busy", words: "Asking Airflow …" });
  await again();
  try {
    said.set(id, { kind: "good", words: await work() });
  } catch (error) {
    said.set(id, { kind: "bad", words: error.message });
  }
  await again();
}

// Each day is cleared as a whole: it plans again, and asks again unless it is approved with its range.
const retry = (found, its) => press(its.id, async () => {
  for (const run of its.retry) await ask("POST", `${dagPath(found.migration_id)}/dagRuns/${encodeURIComponent(run)}/clear`, { dry_run: false, only_failed: false });
  return `${plural(its.retry.length, "day")} cleared: they plan again.`;
});

const apply = (found, its, form) => press(its.id, async () => {
  const chosen = new FormData(form);
  const conf = { ...its.conf, mode: "apply", approval: true, range_start: its.start, range_end: its.end, range_approval: chosen.has("approval"), range_budget: chosen.has("budget") };
  const last = new Date(new Date(its.end) - 86_400_000).toISOString();
  // one day after the other: they write the same tables, and of several at once any might be the first that asks
  await ask("POST", "backfills", { dag_id: found.migration_id, from_date: its.start, to_date: last, dag_run_conf: conf, reprocess_behavior: "completed", max_active_runs: 1 });
  return "The backfill is under way: its first day asks for approval.";
});

function applying(found, its) {
  if (!found.may_run || its.mode !== "plan" || !its.days.length || its.days.some((each) => each.state !== "planned")) return null;
  const check = (name, words, on) => h("label", null, h("input", { type: "checkbox", name, checked: on }), " ", words);
  const form = h("form", { class: "apply", onsubmit: (event) => { event.preventDefault(); apply(found, its, event.target); } },
    check("approval", "One approval for the whole range: a day goes on unasked only under the hash that is listed", true),
    check("budget", "One reject budget for the whole range, instead of one for each day", its.over_range),
    h("button", { class: "primary", id: `apply-${its.id}`, "data-testid": `apply-${its.id}`, disabled: !its.completed_at }, `Apply these ${plural(its.days.length, "day")} …`),
    !its.completed_at && h("small", null, "Airflow counts the backfill as under way for about half a minute after its last day."));
  return h("details", { id: `applying-${its.id}` }, h("summary", null, "Apply these plans"), form);
}

function backfill(found, its) {
  const last = said.get(its.id);
  return range(found, its, "",
    last && h("p", { role: "status", "data-testid": `said-${its.id}` }, mark(last.kind, last.words)),
    found.may_run && its.retry.length > 0 && h("p", { class: "actions" }, h("button", { type: "button", id: `retry-${its.id}`, "data-testid": `retry-${its.id}`, onclick: () => retry(found, its) }, its.retry.length === 1 ? "Retry the failed day" : `Retry the ${number(its.retry.length)} failed days`)),
    applying(found, its));
}

function page(found) {
  if (!found.ours) return h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "Not a migration"), h("p", null, "The DAG ", h("code", null, value(asked.dag)), " is no migration of Trueup’s. ", leave("plugin/migrations", {}, "All migrations")));
  return [h("header", { class: "head" }, h("div", null, h("h1", null, value(asked.title), h("span", { class: "chip" }, "backfills")),
    h("p", { class: "soft" }, "Plan a range in mode plan first: then all its days can be read, and approved, together.")),
    h("div", { class: "actions" }, leave(dagPath(found.migration_id), { class: "button small" }, found.may_run ? "Backfill …" : "DAG"), alone())),
    found.backfills.length ? found.backfills.map((its) => backfill(found, its)) : h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "No backfill yet"), h("p", null, "Ask for one in the DAG’s form: Trigger, then Backfill."))];
}

again = live(async () => {
  try {
    const found = await get(`${dagPath(asked.dag)}/backfills`);
    view.setAttribute("aria-busy", "false");
    replace(view, page(found));
    return found.backfills.some(goesOn);
  } catch (error) {
    replace(view, trouble(error));
    return false;
  }
});
document.title = `${asked.title} – Backfills – Trueup`;
