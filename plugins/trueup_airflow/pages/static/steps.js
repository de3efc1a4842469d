// The strip of steps, and how far writing has come.

import { h, icon, section, unseen } from "./dom.js";
import { leave } from "./host.js";
import { KIND, between, duration, number, rate, words } from "./words.js";

function step(run, one) {
  const many = one.total > 1;
  const parts = many ? `${one.done}/${one.total}` : "";
  const seconds = one.started_at && one.state !== "queued" ? duration(between(one.started_at, one.ended_at)) : "";
  const about = [one.title, one.error].filter(Boolean).join("\n");
  return h("li", { class: `step s-${one.state.replace(" ", "-")}`, "data-testid": `step-${one.task_id}`, "data-state": one.state },
    leave(`${run.page}/tasks/${encodeURIComponent(one.task_id)}`, { title: about || null },
      icon(KIND[one.state] || "idle"),
      h("span", { class: "name" }, words(one.name)), unseen(`: ${one.state}`),
      h("span", { class: "figures" }, [parts, one.state === "running" || one.state === "done" || one.state === "failed" ? seconds : one.state === "pending" ? "" : words(one.state), one.tries > 1 && one.state !== "pending" ? `try ${one.tries}` : ""].filter(Boolean).join(" · ")),
      many && one.state === "running" && h("progress", { max: one.total, value: one.done, "aria-label": `${one.name}: parts done` })));
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

export function strip(run) {
  if (!run.steps.length) return section("steps", "Steps", h("p", { class: "soft" }, "Airflow does not know this DAG’s tasks any more; what the run left is below."));
  const done = run.steps.filter((one) => ["done", "skipped"].includes(one.state)).length;
  return section("steps", ["Steps", h("span", { class: "aside" }, `${done} of ${run.steps.length}`)],
    h("div", { class: "strip", role: "group", "aria-label": "Steps of the run" }, groups(run.steps).map((group) =>
      h("div", { class: "group" }, group.name && h("h3", null, words(group.name)), h("ol", null, group.steps.map((one) => step(run, one)))))));
}

function line(phase, ended) {
  const share = phase.total ? Math.floor((100 * phase.rows) / phase.total) : 100;
  const said = [
    `${number(phase.rows)} of ${number(phase.total)} rows`,
    rate(phase.rate),
    phase.eta !== null && !ended ? `${duration(phase.eta)} left` : "",
    phase.conflicts ? `${number(phase.conflicts)} left alone` : "",
    phase.retries ? `${number(phase.retries)} requests sent again` : "",
  ].filter(Boolean);
  return h("li", { "data-testid": `writing-${phase.phase}` },
    h("span", { class: "name" }, phase.title || phase.phase), h("span", { class: "figures" }, `${share} %`),
    h("progress", { max: Math.max(phase.total, 1), value: phase.total ? phase.rows : 1, "aria-label": `${phase.title || phase.phase}: rows written` }),
    h("span", { class: "soft" }, said.join(" · ")));
}

export function writing(run) {
  if (!run.applied.length) return null;
  const rows = run.applied.reduce((sum, phase) => sum + phase.rows, 0);
  const total = run.applied.reduce((sum, phase) => sum + phase.total, 0);
  // phases that have not begun will go about as fast as the one under way, or else the slowest before
  const rates = run.applied.filter((phase) => phase.rate).map((phase) => phase.rate);
  const now = run.applied.find((phase) => phase.eta)?.rate || Math.min(...rates);
  const left = !run.ended && rates.length && rows < total ? `, writing takes about ${duration((total - rows) / now)} more` : "";
  const summary = `${number(rows)} of ${number(total)} rows done${left}`;
  return section("writing", ["Writing", h("span", { class: "aside", "data-testid": "written" }, summary)],
    h("ul", { class: "writing" }, run.applied.filter((phase) => phase.total || phase.rows).map((phase) => line(phase, run.ended))));
}
