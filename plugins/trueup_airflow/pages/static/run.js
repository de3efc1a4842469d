// One run: where it stands, and what it planned, judged and proved.

import { h, icon, mark, replace, value } from "./dom.js";
import { aside, asked, get, leave, live, runPath, trouble } from "./host.js";
import { judged } from "./judged.js";
import { findings } from "./findings.js";
import { plan } from "./plan.js";
import { proof } from "./proof.js";
import { strip, writing } from "./steps.js";
import { tabs } from "./tabs.js";
import { KIND, between, duration, moment, sentence, words } from "./words.js";

const view = document.getElementById("view");
const data = runPath();
const file = (name) => `data/${data}/files/${name}`;

function facts(run) {
  const options = run.options || {};
  const window = options.window;
  const said = [
    ["mode", options.mode && sentence(options.mode)],
    ["window", window && [moment(window.start), " – ", moment(window.end)]],
    ["started", moment(run.started_at)],
    [run.ended ? "took" : "running for", duration(between(run.started_at, run.ended_at))],
    ["by", run.triggered_by && value(run.triggered_by)],
    ["undoes", run.undoes && value(run.undoes)],
  ];
  return h("p", { class: "meta" }, said.filter(([, what]) => what).map(([name, what]) => h("span", null, h("span", { class: "soft" }, `${name} `), what)));
}

function actions(run) {
  const reports = run.made.reports;
  const save = (name, label) => reports.includes(name) && h("a", { class: "button small", href: file(name) + (name.endsWith("html") ? "?download=true" : ""), download: "", "data-testid": `download-${name}` }, label);
  const may = run.may_run && run.ended && run.state !== "rolled back";
  const own = run.dag_id === run.migration_id;
  return h("div", { class: "actions" },
    reports.includes("report.html") && aside(file("report.html"), { class: "button primary", "data-testid": "open-report" }, "Open report"),
    save("report.html", "HTML"), save("report.json", "JSON"), save("report.md", "Markdown"),
    may && own && run.companions.includes("_rollback") && leave(`dags/${encodeURIComponent(`${run.migration_id}_rollback`)}`, { class: "button small" }, "Roll back …"));
}

function verdict(run) {
  const found = run.report?.verdict;
  if (!found || !run.ended) return null;
  const passed = found.status === "passed" && run.state !== "failed";
  const undone = run.state === "rolled back";
  return h("div", { class: `verdict ${undone ? "undone" : passed ? "passed" : "failed"}`, "data-testid": "verdict" }, icon(undone ? "skip" : !passed ? "bad" : found.exceptions ? "warn" : "good"),
    h("div", null, undone && h("p", { class: "headline" }, "Rolled back: what this run wrote was undone. What follows is of the time before."),
      h("p", { class: undone ? null : "headline" }, value(found.headline)), found.next && !undone && h("p", { class: "soft" }, value(found.next)),
      run.report.failed && h("p", null, "Failed at ", h("b", null, value(run.report.failed.step)), run.report.failed.error && [": ", value(run.report.failed.error)])));
}

function waits(run) {
  return run.waits.map((wait) =>
    h("div", { class: `notice ${wait.kind}`, "data-testid": `wait-${wait.kind}` }, icon(wait.kind === "approval" ? "wait" : wait.kind === "retry" ? "warn" : "idle"),
      h("div", null, h("p", { class: "headline" }, wait.words), h("p", null, value(wait.why))),
      wait.link && leave(wait.link, { class: wait.kind === "approval" ? "button primary" : "button small", "data-testid": `go-${wait.kind}` }, wait.kind === "approval" ? "Approve or reject" : "Show")));
}

function decision(run) {
  const found = run.approval;
  const turn = run.turn;
  const said = [];
  if (found) {
    const kinds = { approved: "good", rejected: "bad", waived: "note" };
    said.push(h("p", { class: "decision", "data-testid": "approval" }, mark(kinds[found.decision] || "note", sentence(found.decision)),
      found.decided_by && [" by ", h("b", null, value(found.decided_by))], `, ${moment(found.decided_at)}`,
      found.decision === "waived" && " (the run asked for no approval)",
      " · plan ", h("code", null, found.plan_sha256.slice(0, 12)), found.comment && h("q", null, value(found.comment))));
  }
  if (turn) said.push(h("p", { class: "decision", "data-testid": "turn" }, mark("good", `Switch turned from ${turn.from_state} to ${turn.to_state}`), turn.turned_by && [" by ", h("b", null, value(turn.turned_by))], `, ${moment(turn.at)}`, h("q", null, value(turn.why))));
  return said;
}

const head = h("header", { class: "head" });
const standing = h("div", { "aria-live": "polite", "data-testid": "standing" });
const steps = h("div");
const panels = tabs([plan(data), judged(data), proof(data), findings(data, file)]);
let shown = "";

function show(run) {
  replace(head, h("div", null, h("h1", null, value(run.migration_id), run.dag_id !== run.migration_id && h("span", { class: "chip" }, words(run.dag_id.slice(run.migration_id.length + 1)))),
    h("p", { class: "states" }, mark(KIND[run.state] || "note", sentence(run.state), { "data-testid": "run-state", "data-state": run.state })), facts(run)), actions(run));
  replace(standing, waits(run), verdict(run), decision(run));
  replace(steps, strip(run), writing(run));
}

function foreign(run) {
  return h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "Not a migration"),
    h("p", null, "The DAG ", h("code", null, value(run.dag_id)), " is not one of Trueup’s, so there is no plan and no proof to show here. ", leave("plugin/migrations", {}, "All migrations")));
}

live(async () => {
  try {
    const run = await get(data);
    view.setAttribute("aria-busy", "false");
    if (!run.ours) {
      replace(view, foreign(run));
      return false;
    }
    if (!view.contains(head)) view.replaceChildren(head, standing, steps, panels.element);
    const now = JSON.stringify(run);
    if (now !== shown || !run.ended) show(run);
    shown = now;
    await panels.update(run);
    return !run.ended;
  } catch (error) {
    if (view.contains(head)) replace(standing, trouble(error));
    else replace(view, trouble(error));
    shown = "";
    return true;
  }
});
document.title = `${asked.dag} · ${asked.run}`;
