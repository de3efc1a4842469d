// One row, whole: the source row beside the new one, what changes marked, what else comes of it, and what came of it.

import { h, icon, mark, value } from "./dom.js";
import { asked } from "./host.js";
import { VERBS, moment, number, plural, sentence } from "./words.js";

// A link to what became of a key in all runs.
export function lens(key, ...children) {
  const at = new URLSearchParams({ dag_id: asked.dag, key, ...(asked.run && { run_id: asked.run }) });
  return h("a", { href: `lens?${at}`, "data-testid": "lens" }, children.length ? children : value(key));
}

export const verb = (name) => h("span", { class: `kind ${name}` }, sentence(VERBS[name] || name));

const nothing = () => h("span", { class: "soft" }, "—");
const cell = (label, attributes, content) => h("td", { ...attributes, "data-label": label }, content);

function now(found, name) {
  const there = name in found.row;
  if (found.changed.includes(name)) return there ? h("ins", null, value(found.row[name])) : h("ins", null, "nothing");
  return there ? value(found.row[name]) : nothing();
}

// Of a row with one source row: a line a column. `made` says that it is not carried as it is under the same name.
function beside(found, legacy) {
  const names = [...new Set([...Object.keys(found.row), ...Object.keys(found.before || {}), ...(legacy ? Object.keys(legacy.row) : [])])];
  const own = (name) => name in found.row || (found.before && name in found.before);
  const line = (name) => {
    const changed = found.changed.includes(name);
    const same = legacy && legacy.row[name] === found.row[name];
    const how = changed ? "changes" : !legacy ? "" : same ? "carried" : !own(name) ? "not by this name" : name in legacy.row ? "other than before" : "made by a rule";
    return h("tr", { class: changed ? "changed" : how === "carried" ? "carried" : null, "data-testid": `field-${name}` },
      h("th", { scope: "row", "data-label": "Column" }, value(name)),
      legacy && cell("Legacy row", null, name in legacy.row ? value(legacy.row[name]) : nothing()),
      found.before && cell("In the target now", { class: "before" }, name in found.before ? (changed ? h("del", null, value(found.before[name])) : value(found.before[name])) : nothing()),
      cell(found.before ? "As planned" : "New row", { class: "after" }, now(found, name)),
      cell("", { class: "soft how" }, how));
  };
  return h("div", { class: "scroll" }, h("table", { class: "beside", "data-testid": "beside" }, h("caption", { class: "unseen" }, "The row, column by column"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Column"), legacy && h("th", { scope: "col" }, "Legacy row", h("small", null, value(legacy.table), " ", value(legacy.key))),
      found.before && h("th", { scope: "col" }, "In the target now"), h("th", { scope: "col" }, found.before ? "As planned" : "New row", found.key !== null && h("small", null, value(found.table), " ", value(found.key))), h("th", { scope: "col" }, h("span", { class: "unseen" }, "How it came"))))
    , h("tbody", null, names.map(line))));
}

const cells = (row) => h("dl", { class: "row" }, Object.keys(row).map((name) => h("div", null, h("dt", null, value(name)), h("dd", null, value(row[name])))));

function source(one) {
  return h("div", { class: "example", "data-testid": "legacy" }, h("p", { class: "key" }, value(one.table), " ", h("code", null, value(one.key))), cells(one.row));
}

// What came of a planned row, in words.
export function came(one, run) {
  const said = [];
  if (one.not_written) said.push(mark("warn", "Not written"), " ", value(one.not_written));
  else if (one.written_at) said.push(mark("good", "Written"), ` ${moment(one.written_at)}`);
  else if (["add", "change", "remove"].includes(one.verb)) said.push(mark("idle", run && run.mode === "plan" ? "Planned only: the run writes nothing" : "Not written"));
  else said.push(mark("idle", "Nothing to write"));
  const proof = one.proof;
  if (proof) said.push(" · ", proof.kind === "as planned" ? mark("good", "Read back as planned") : mark("bad", `Read back: ${proof.kind.replaceAll("_", " ")}`), ` ${moment(proof.at)}`, proof.reason && [": ", value(proof.reason)]);
  else if (one.written_at) said.push(" · ", mark("idle", "not read back yet"));
  return h("span", { class: "came" }, said);
}

function others(found) {
  const rows = found.made.targets.filter((one) => one.at !== found.at);
  const all = found.made.targets.length + found.made.more;
  const mine = found.made.targets.find((one) => one.at === found.at);
  return [
    mine && h("p", { "data-testid": "came" }, came(mine)),
    rows.length > 0 && h("div", { "data-testid": "fan-out" }, h("p", null, `This legacy row makes ${plural(all, "row")}: ${mine ? "this one, and" : ""}`),
      h("ul", { class: "others" }, rows.map((one) => h("li", null, verb(one.verb), " ", value(one.table), " ", lens(one.key), " ", came(one)))),
      found.made.more > 0 && h("p", { class: "soft" }, `and ${number(found.made.more)} more.`)),
  ];
}

export const said = (list) => list.length > 0 && h("ul", { class: "said", "data-testid": "row-findings" }, list.map((one) =>
  h("li", null, mark(one.severity === "reject" ? "bad" : "warn", value(one.code)), " ", value(one.message))));

export function whole(found) {
  const alone = found.legacy.length === 1 ? found.legacy[0] : null;
  const planned = found.key !== null;
  return h("div", { class: "whole-row", "data-testid": "whole-row" },
    found.message && !found.findings.some((one) => one.message === found.message) && h("p", null, value(found.message)),
    said(found.findings),
    planned && beside(found, alone),
    (!planned || !alone) && found.legacy.map(source),
    others(found),
    found.not_looked.map((why) => h("p", { class: "soft", "data-testid": "not-looked" }, icon("note"), " ", value(why))),
    h("p", { class: "actions" }, found.source !== null && lens(found.source, "What became of the legacy row, in all runs"),
      found.key !== null && found.key !== found.source && lens(found.key, "… and of the new row")));
}
