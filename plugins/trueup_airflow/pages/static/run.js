// One run: first what one must decide on, then how far it is, then what it planned, judged and proved.

import { h, icon, mark, replace, value } from "./dom.js";
import { decide } from "./decide.js";
import { alone, aside, get, leave, live, runPath, tab, trouble } from "./host.js";
import { judged } from "./judged.js";
import { findings } from "./findings.js";
import { numbers, toWrite } from "./numbers.js";
import { offers } from "./offers.js";
import { plan } from "./plan.js";
import { proof } from "./proof.js";
import { rows } from "./rows.js";
import { progress, strip } from "./steps.js";
import { tabs } from "./tabs.js";
import { where } from "./where.js";
import { KIND, between, duration, moment, number, plural, sentence, span, words } from "./words.js";

const view = document.getElementById("view");
const data = runPath();
const file = (name) => `data/${data}/files/${name}`;
const said = h("div", { "aria-live": "polite", id: "said", tabindex: "-1" });
let again = () => {};

const other = (run) => (run.run_id ? leave(tab(run.dag_id, run.run_id), {}, value(run.run_id)) : value(run.id));

function facts(run) {
  const { mode, window } = run.options || {};
  const told = [
    ["mode", mode && sentence(mode)],
    ["window", window && span(window)],
    ["started", run.started_at && moment(run.started_at)],
    [run.ended ? "took" : "running for", run.started_at && duration(between(run.started_at, run.ended_at))],
    ["by", run.triggered_by && value(run.triggered_by)],
    ["undoes", run.undoes && other(run.undoes)],
  ];
  return h("p", { class: "meta" }, told.filter(([, what]) => what).map(([name, what]) => h("span", null, h("span", { class: "soft" }, `${name} `), what)));
}

function actions(run) {
  const reports = run.made.reports;
  const save = (name, label) => reports.includes(name) && h("a", { class: "button small", href: file(name) + (name.endsWith("html") ? "?download=true" : ""), download: "", "data-testid": `download-${name}` }, label);
  return h("div", { class: "actions" }, offers(run.offers, { said, done: again }),
    reports.includes("report.html") && aside(file("report.html"), { class: "button small", "data-testid": "open-report" }, "Open report"),
    run.made.docs && aside(`data/${data}/docs/index.html`, { class: "button small", "data-testid": "open-data-docs" }, "Data Docs"),
    save("report.html", "HTML"), save("report.json", "JSON"), save("report.md", "Markdown"), alone());
}

function head(run) {
  const kind = run.dag_id !== run.migration_id && words(run.dag_id.slice(run.migration_id.length + 1));
  return [h("div", null, h("h1", null, value(run.title), kind && h("span", { class: "chip" }, kind)),
    h("p", { class: "states" }, mark(KIND[run.state] || "note", sentence(run.state), { "data-testid": "run-state", "data-state": run.state })), facts(run)), actions(run)];
}

function verdict(run) {
  if (run.undone) {
    return h("div", { class: "verdict undone", "data-testid": "verdict" }, icon("skip"), h("div", null,
      h("p", { class: "headline" }, "Rolled back: what this run wrote was undone. What follows is of the time before."),
      run.undone.run_id && h("p", { class: "soft" }, "By ", other(run.undone), run.undone.at && `, ${moment(run.undone.at)}`),
      run.report?.verdict && h("p", { class: "soft" }, value(run.report.verdict.headline))));
  }
  const found = run.report?.verdict;
  if (!found || !run.ended) return failure(run);
  const passed = found.status === "passed" && run.state !== "failed";
  const failed = run.report.failed;
  return h("div", { class: `verdict ${passed ? "passed" : "failed"}`, "data-testid": "verdict" }, icon(!passed ? "bad" : found.exceptions ? "warn" : "good"),
    h("div", null, h("p", { class: "headline" }, value(found.headline)),
      failed && h("p", null, "Failed at ", h("b", null, value(failed.step)), failed.error && [": ", value(failed.error)]),
      found.next && h("p", { class: "soft" }, value(found.next))));
}

// Of a run that failed and left no report: the error of its step.
function failure(run) {
  const failed = run.ended && run.steps.find((one) => one.state === "failed" && one.name !== "verdict");
  if (!failed) return null;
  return h("div", { class: "verdict failed", "data-testid": "verdict" }, icon("bad"), h("div", null, h("p", { class: "headline" }, "Failed at ", h("b", null, words(failed.task_id))),
    h("p", null, failed.error ? value(failed.error) : "Its log in Airflow says why."), leave(failed.link, { class: "button small" }, "Show the task")));
}

function waits(run) {
  return run.waits.map((wait) => {
    if (wait.kind === "approval" && run.question) return decide(run.question, { link: wait.link, said, done: again, cost: run.question.task_id === "approve_cost" ? run.cost : null });
    return h("div", { class: `notice ${wait.kind}`, "data-testid": `wait-${wait.kind}` }, icon(wait.kind === "approval" ? "wait" : wait.kind === "retry" ? "warn" : "idle"),
      h("div", null, h("p", { class: "headline" }, wait.words), h("p", null, value(wait.why))),
      wait.link && leave(wait.link, { class: "button small", "data-testid": `go-${wait.kind}` }, "Show"));
  });
}

function decision(run) {
  const found = run.approval;
  if (!found) return null;
  const kinds = { approved: "good", rejected: "bad", waived: "note" };
  return h("p", { class: "decision", "data-testid": "approval" }, mark(kinds[found.decision] || "note", sentence(found.decision)),
    found.decided_by && [" by ", h("b", null, value(found.decided_by))], `, ${moment(found.decided_at)}`,
    found.decision === "waived" && " (the run asked for no approval)",
    " · plan ", h("code", null, found.plan_sha256.slice(0, 12)), found.comment && h("q", null, value(found.comment)));
}

// A plan in numbers, with the row of what is deleted said once more in words: that is the one which cannot be seen again.
function counts(run) {
  if (!run.totals) return null;
  const done = run.ended && ["proven", "proven with exceptions", "rolled back"].includes(run.state) && run.options?.mode === "apply";
  const removed = run.totals.remove || 0;
  return [numbers(run.totals, { done }),
    removed > 0 && !done && h("p", { class: "removes", "data-testid": "removes" }, icon("warn"), ` ${plural(removed, "row")} ${run.ended ? "were to be" : "will be"} deleted from the target.`),
    run.question && !toWrite(run.totals) && h("p", { class: "soft" }, `There is nothing to write: ${number(run.totals.keep || 0)} rows are as they should be.`)];
}

const parts = { head: h("header", { class: "head" }), where: h("div"), standing: h("div", { "aria-live": "polite", "data-testid": "standing" }), counts: h("div"), progress: h("div"), steps: h("div") };
const ofRows = (part) => ({ ...part, there: (run) => !run.schemas });
const panels = tabs([plan(data), ofRows(rows(data)), judged(data), ofRows(proof(data)), ofRows(findings(data, file))]);

// What was said of a button that was pressed is over when the run has gone on.
let stood = "";

function show(run) {
  const stands = JSON.stringify([run.ended, run.approval?.decided_at]);
  if (stood && stood !== stands) replace(said);
  stood = stands;
  document.title = `${run.title} – ${sentence(run.state)} – Trueup`;
  replace(parts.head, head(run));
  replace(parts.where, where(run.where));
  replace(parts.standing, said, waits(run), verdict(run), decision(run), run.withheld.map((why) => h("p", { class: "soft", "data-testid": "withheld" }, value(why))));
  replace(parts.counts, counts(run));
  replace(parts.progress, progress(run));
  replace(parts.steps, strip(run));
  panels.element.hidden = run.kind === "cutover";
}

function foreign(run) {
  return h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "Not a migration"),
    h("p", null, "The DAG ", h("code", null, value(run.dag_id)), " is not one of Trueup’s, so there is no plan and no proof to show here. ", leave("plugin/migrations", {}, "All migrations")));
}

again = live(async () => {
  try {
    const run = await get(data);
    view.setAttribute("aria-busy", "false");
    if (!run.ours) {
      replace(view, foreign(run));
      return false;
    }
    if (!view.contains(parts.head)) view.replaceChildren(...Object.values(parts), panels.element);
    show(run);
    if (run.kind !== "cutover") await panels.update(run);
    return !run.ended;
  } catch (error) {
    if (view.contains(parts.head)) replace(parts.standing, trouble(error));
    else replace(view, trouble(error));
    return true;
  }
});
