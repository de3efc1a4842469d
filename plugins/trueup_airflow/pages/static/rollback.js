// What can be undone of a migration, why it may not be, and what was undone.

import { h, mark, replace, section, table, value } from "./dom.js";
import { alone, asked, dagPath, get, leave, live, startPage, tab, trouble } from "./host.js";
import { KIND, moment, number, plural, sentence } from "./words.js";

const view = document.getElementById("view");
const BACK = { undone: "good", "nothing undone": "idle" };

function candidate(found) {
  const one = found.candidate;
  if (!one) return h("p", { class: "soft" }, found.next);
  const wrote = [one.add && `${plural(one.add, "row")} added`, one.change && `${plural(one.change, "row")} changed`, one.remove && `${plural(one.remove, "row")} removed`].filter(Boolean).join(", ");
  return [h("p", { "data-testid": "candidate" }, mark(one.refusal ? "bad" : "warn", one.refusal ? "It may not be undone now" : "This run would be undone next"), " ", one.run_id ? leave(tab(found.migration_id, one.run_id), {}, value(one.run_id)) : h("code", null, value(one.id)), `, ${moment(one.started_at)}`, one.triggered_by && [", by ", value(one.triggered_by)]),
    h("p", null, `Its plan: ${wrote || "nothing"}; ${plural(one.written, "row")} written. `, one.add > 0 && h("b", { class: "remove" }, `Undoing it deletes up to ${plural(one.add, "row")}.`)),
    one.refusal && h("p", { "data-testid": "refusal" }, value(sentence(one.refusal)))];
}

const COLUMNS = [
  { label: "Rollback", head: true, text: (run) => (run.run_id ? leave(tab(run.dag_id, run.run_id), {}, moment(run.started_at)) : moment(run.started_at)) },
  { label: "State", text: (run) => mark(BACK[run.state] || KIND[run.state] || "note", sentence(run.state)) },
  { label: "What it did", wide: true, text: (run) => value(run.says) },
  { label: "Deleted", n: true, text: (run) => number(run.deleted) },
  { label: "Put back", n: true, text: (run) => number(run.written) },
  { label: "By", text: (run) => value(run.triggered_by) },
];

function page(found) {
  if (!found.there) {
    return [h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "Nothing to roll back"), h("p", null, "The DAG ", h("code", null, value(asked.dag)), " belongs to no migration that can be rolled back. ", leave("plugin/migrations", {}, "All migrations")))];
  }
  const may = found.may_run && found.candidate && !found.candidate.refusal;
  return [h("header", { class: "head" }, h("div", null, h("h1", null, value(asked.title), h("span", { class: "chip" }, "rollback")), h("p", { class: "soft" }, `switch: ${found.switch} · the last run is undone first`)), h("div", { class: "actions" }, alone())),
    section("candidate", "What can be undone", candidate(found), may && h("p", { class: "actions" }, h("a", { class: "button danger", id: "go-rollback", href: startPage(`${found.migration_id}_rollback`, { run: found.candidate.run_id || found.candidate.id }), "data-testid": "go-rollback" }, "Roll back this run …"))),
    (found.candidate || found.rollbacks.some((run) => !run.over)) && section("next", "What comes next", h("p", null, value(sentence(found.next)))),
    section("rollbacks", "Rollbacks", found.rollbacks.length ? table(COLUMNS, found.rollbacks, { caption: "The newest first", note: true, testid: "rollbacks" }) : h("p", { class: "soft" }, "Nothing of it was ever rolled back."))];
}

live(async () => {
  try {
    const found = await get(`${dagPath(asked.dag)}/undoing`);
    view.setAttribute("aria-busy", "false");
    replace(view, page(found));
    return found.rollbacks.some((run) => !run.over);
  } catch (error) {
    replace(view, trouble(error));
    return false;
  }
});
document.title = `${asked.title} – Rollback – Trueup`;
