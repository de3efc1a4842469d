// A backfill's range: a strip of its days, and what is true of all of them together.

import { h, mark, section, table, value } from "./dom.js";
import { leave, tab } from "./host.js";
import { KIND, dayOf, moment, number, plural, sentence } from "./words.js";

const STATES = { ...KIND, rejected: "bad", queued: "idle", "not started": "skip", planned: "note" };
const ORDER = ["waiting for approval", "failed", "rejected", "interrupted", "running", "starting", "queued", "planned", "proven with exceptions", "proven", "rolled back", "not started"];
const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "—");

function one(found, its) {
  const figures = its.source_rows === null ? its.why : `${plural(its.source_rows, "row")}${its.rejected ? `, ${number(its.rejected)} rejected (${percent(its.rejected, its.source_rows)})` : ""}`;
  const inside = [h("b", null, dayOf(its.start)), mark(STATES[its.state] || "note", sentence(its.state)), h("small", null, figures || ""),
    its.to_write !== null && h("small", null, `${number(its.to_write)} to write`), its.removed > 0 && h("small", { class: "remove" }, `${number(its.removed)} removed`)];
  const title = its.why || its.state;
  return h("li", { class: "day", "data-testid": `day-${its.start.slice(0, 10)}`, "data-state": its.state },
    its.run_id ? leave(tab(found.migration_id, its.run_id), { title }, inside) : h("span", { title }, inside));
}

const FOUND = (found) => [
  { label: "Severity", text: (one) => mark(one.severity === "reject" ? "bad" : "warn", one.severity) },
  { label: "Code", head: true, text: (one) => h("code", null, value(one.code)) },
  { label: "Phase", text: (one) => value(one.phase) },
  { label: "Findings", n: true, text: (one) => number(one.count) },
  { label: "Days", n: true, text: (one) => number(one.days) },
  { label: "Most of them", text: (one) => leave(`${tab(found.migration_id, one.run_id)}`, {}, "the day’s run") },
];

// What was found over the days, by code: open where something was rejected.
function findings(found, its) {
  if (!its.codes.length) return null;
  const told = Object.entries(its.findings).filter(([, n]) => n).map(([severity, n]) => plural(n, severity === "reject" ? "reject" : severity)).join(", ");
  return h("details", { id: `found-${its.id}`, "data-testid": `found-${its.id}`, open: its.findings.reject > 0 }, h("summary", null, `Findings of the range: ${told}`),
    table(FOUND(found), its.codes, { caption: "Findings of the range", note: true }));
}

// How many more may be rejected, where the range is judged as one.
function budget(its, over) {
  const share = `budget ${percent(its.max_reject_share, 1)}`;
  if (!its.over_range) return `${share}, judged for each day`;
  const most = Math.floor(its.max_reject_share * its.source_rows);
  return `${share} of the range: ${over ? `${plural(its.rejected - most, "row")} over it` : `${plural(most - its.rejected, "row")} of it left`}`;
}

// `called`: what stands before its days in the heading.
export function range(found, its, called, ...more) {
  const states = ORDER.filter((state) => its.states[state]).map((state) => mark(STATES[state] || "note", `${number(its.states[state])} ${state}`));
  const over = its.source_rows > 0 && its.rejected / its.source_rows > its.max_reject_share;
  const planned = its.days.filter((each) => each.source_rows !== null).length;
  const fact = (name, ...what) => h("div", { class: "fact" }, h("dt", null, name), h("dd", null, what));
  return section(`backfill-${its.id}`, `${called}${dayOf(its.start)} – ${dayOf(new Date(new Date(its.end) - 1))}`,
    h("p", { class: "states" }, states, its.paused && h("span", { class: "chip" }, "paused"), h("span", { class: "soft" }, `mode ${its.mode} · requested ${moment(its.created_at)}`, its.by && [" by ", value(its.by)])),
    h("ol", { class: "days", "data-testid": `days-${its.id}`, "aria-label": "Days" }, its.days.map((each) => one(found, each))),
    h("dl", { class: "facts-row" },
      fact("Rejected, over the range", mark(over ? "bad" : its.rejected ? "warn" : "good", `${number(its.rejected)} of ${number(its.source_rows)} (${percent(its.rejected, its.source_rows)})`),
        h("small", null, budget(its, over), planned < its.days.length && ` · ${number(planned)} of ${plural(its.days.length, "day")} planned so far`)),
      fact("To write", number(its.to_write), its.removed > 0 && h("small", { class: "remove" }, `${number(its.removed)} of them removals`)),
      fact("Approval", its.one_approval ? "one for the range" : "each day")),
    findings(found, its), more);
}

const GOES_ON = ["queued", "starting", "running", "waiting for approval"];
export const goesOn = (its) => !its.completed_at || GOES_ON.some((state) => its.states[state]);
