// How far a run is: what it is doing now, and its steps in one line that opens.

import { h, icon, mark, section, unseen, value } from "./dom.js";
import { leave } from "./host.js";
import { KIND, ago, between, duration, number, plural, rate, words } from "./words.js";

const STALLED = 15; // seconds without a batch after which writing is said to stand still
const said = (...parts) => parts.filter(Boolean).join(" · ");
const nameOf = (one) => (one.group ? `${words(one.group)}: ${words(one.name)}` : words(one.name));

function figures(one) {
  const parts = one.total > 1 ? `${one.done}/${one.total}` : "";
  const timed = ["running", "done", "failed"].includes(one.state) && one.started_at;
  const time = timed ? duration(between(one.started_at, one.ended_at)) : one.state === "pending" ? "" : words(one.state);
  return said(parts, time, one.tries > 1 && one.state !== "pending" ? `try ${one.tries}` : "");
}

function step(one) {
  return h("li", { class: `step s-${one.state.replace(" ", "-")}`, "data-testid": `step-${one.task_id}`, "data-state": one.state },
    leave(one.link, { id: `step-${one.task_id}`, title: [one.title, one.error].filter(Boolean).join("\n") || null }, icon(KIND[one.state] || "idle"),
      h("span", { class: "name" }, one.group && unseen(`${words(one.group)}: `), words(one.name)), unseen(`: ${one.state}`), h("span", { class: "figures" }, figures(one))));
}

// Steps of one group together, groups in order; a phase is a group.
function groups(steps) {
  const found = [];
  for (const one of steps) {
    const name = one.group || "";
    if (!found.length || found.at(-1).name !== name) found.push({ name, steps: [] });
    found.at(-1).steps.push(one);
  }
  return found;
}

// The steps in a sentence: what failed, what is going on, how many are done; those that were skipped are not done.
function summary(steps) {
  const of = (...states) => steps.filter((one) => states.includes(one.state));
  const failed = of("failed").filter((one) => !["report", "verdict"].includes(one.name));
  const now = of("running", "retrying", "queued", "waiting");
  const skipped = of("skipped").length;
  return said(`${of("done").length} of ${steps.length - skipped} done`, skipped && `${skipped} skipped`,
    failed.length && `failed: ${failed.map(nameOf).join(", ")}`, now.length && `now: ${now.map(nameOf).join(", ")}`);
}

export function strip(run) {
  if (!run.steps.length) return section("steps", "Steps", h("p", { class: "soft" }, "Airflow does not know this DAG’s tasks any more; what the run left is below."));
  return h("details", { class: "steps", id: "steps", "data-testid": "steps" },
    h("summary", { id: "steps-summary" }, h("b", null, "Steps"), h("span", { "data-testid": "steps-summary" }, summary(run.steps))),
    h("div", { class: "strip", role: "group", "aria-label": "Steps of the run" }, groups(run.steps).map((group) =>
      h("div", { class: "group" }, group.name && h("h2", null, words(group.name)), h("ol", null, group.steps.map(step))))));
}

// ── what it is doing now ─────────────────────────────────────────────────────────────────────────────────────────────

const bar = (done, total, label) => h("progress", { max: Math.max(total, 1), value: total ? done : 1, "aria-label": label });

// A step that reads, plans or verifies: rows and parts of it done, and how long the rest takes at the pace of the last minute.
function doing(one) {
  const name = nameOf(one);
  const since = one.started_at ? ago(one.started_at) : 0;
  const waits = one.state === "queued" ? "waits for a worker" : one.state === "retrying" ? `is tried again: try ${one.tries} of ${one.max_tries} failed` : "";
  const told = said(waits, one.rows !== null && plural(one.rows, "row"), rate(one.rate), one.total > 1 && `${one.done} of ${plural(one.total, "part")} done`, `for ${duration(since)}`,
    one.left !== null && one.left > 0 ? `about ${duration(one.left)} left` : one.total > 1 && !one.done && "no part done yet");
  return h("li", { "data-testid": `doing-${one.task_id}` }, h("span", { class: "name" }, one.title ? one.title.split("\n")[0] : name), h("span", { class: "figures" }, one.total > 1 ? `${Math.floor((100 * one.done) / one.total)} %` : ""),
    bar(one.total > 1 ? one.done : 0, one.total, `${name}: parts done`), h("span", { class: "soft" }, told));
}

// Why writing goes no faster, as far as it is known.
function held(run, phase, still) {
  const step = run.steps.find((one) => one.group === phase.phase && one.name === "apply");
  if (step?.state === "queued") return "it waits for a worker";
  if (step?.state === "retrying") return `it is tried again: ${step.error || "its log in Airflow says why"}`;
  const wait = run.waits.find((one) => one.kind !== "queue");
  if (wait) return wait.words.toLowerCase();
  if (phase.limit && !still) return `held to ${number(phase.limit)} rows/s, as the run was asked`;
  if (phase.retries) return `the store throttles: ${plural(phase.retries, "request")} sent again`;
  return still ? "its task runs, and has entered no batch since: the store may hold it up, or somebody’s lock" : "";
}

function line(run, phase) {
  const share = phase.total ? Math.floor((100 * phase.rows) / phase.total) : 100;
  const rows = phase.total - phase.rows;
  const quiet = phase.last_at ? ago(phase.last_at) : 0;
  const still = !run.ended && rows > 0 && quiet > STALLED;
  const going = !run.ended && rows > 0;
  const told = said(`${number(phase.rows)} of ${number(phase.total)} rows`, phase.removes > 0 && `${number(phase.removes)} of them removed`,
    going && !still && rate(phase.rate), going && !still && phase.left !== null && `about ${duration(phase.left)} left`,
    phase.conflicts && `${number(phase.conflicts)} left alone`, !going && phase.retries && `${number(phase.retries)} requests sent again`);
  const why = going ? held(run, phase, still) : "";
  return h("li", { "data-testid": `writing-${phase.phase}`, class: still ? "still" : null },
    h("span", { class: "name" }, phase.title || phase.phase), h("span", { class: "figures" }, `${share} %`),
    bar(phase.rows, phase.total, `${phase.title || phase.phase}: rows written`), h("span", { class: "soft" }, told),
    (still || why) && h("span", { class: still ? "warn" : "soft", "data-testid": still ? "stalled" : null }, said(still && `stalled for ${duration(quiet)}`, why)));
}

function left(run, rows, total) {
  if (run.ended || rows >= total) return "";
  const now = run.applied.find((phase) => phase.rate);
  const quiet = Math.min(...run.applied.filter((phase) => phase.last_at).map((phase) => ago(phase.last_at)));
  return now && quiet <= STALLED ? `about ${duration((total - rows) / now.rate)} of writing left` : "";
}

const REVISION = { done: "done", running: "runs now", retrying: "is tried again", failed: "failed, and was undone", pending: "to come", "left out": "not run" };

// The revisions of a run on schemas: each is a transaction of its own.
function revisions(run) {
  const done = run.revisions.filter((one) => one.state === "done").length;
  return [h("p", { "data-testid": "revisions-done" }, `${number(done)} of ${plural(run.revisions.length, "revision")} done`), bar(done, run.revisions.length, "Revisions done"),
    h("ol", { class: "revisions" }, run.revisions.map((one) => h("li", { "data-testid": `revision-${one.database}-${one.revision}`, "data-state": one.state },
      mark(KIND[one.state] || "idle", REVISION[one.state]), h("span", null, h("b", null, value(one.title)), h("span", { class: "soft" }, ` ${one.database}, phase ${one.phase}, ${one.up ? "up" : "down"}`)))))];
}

export function progress(run) {
  const writes = run.applied.filter((phase) => phase.total || phase.rows);
  const now = run.ended ? [] : run.steps.filter((one) => (["running", "retrying"].includes(one.state) || (one.state === "queued" && one.done > 0)) && !(one.name === "apply" && writes.some((phase) => phase.phase === one.group)));
  const schemas = run.revisions.length > 0 && run.steps.some((one) => one.name === "apply" && one.state !== "pending");
  if (!now.length && !writes.length && !schemas) return null;
  const rows = writes.reduce((sum, phase) => sum + phase.rows, 0);
  const total = writes.reduce((sum, phase) => sum + phase.total, 0);
  const lines = [...now.map(doing), ...writes.map((phase) => line(run, phase))];
  return section("progress", ["Progress", total > 0 && h("span", { class: "aside", "data-testid": "written" }, said(`${number(rows)} of ${number(total)} rows done`, left(run, rows, total)))],
    lines.length > 0 && h("ul", { class: "writing" }, lines), schemas && revisions(run));
}
