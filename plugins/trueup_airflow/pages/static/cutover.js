// The switch of a migration: where it stands, whether it may be turned, what was asked of it, and its journal.

import { h, mark, replace, section, table, value } from "./dom.js";
import { alone, asked, dagPath, get, leave, live, startPage, tab, trouble } from "./host.js";
import { STATES, comparison, journal, proof, rail } from "./switch.js";
import { moment, sentence } from "./words.js";

const view = document.getElementById("view");
const words = (one) => `${one.back ? "Cut back" : "Cut over"} to ${one.to_state} …`;

function ways(found) {
  const say = (one) => (one.refusal ? sentence(one.refusal) : one.back ? one.compared === null ? "The way back needs no proof, and is open." : "The way back is open: what it needs is proven." : "The last proof allows it. The form asks for the reason, and a person approves.");
  return section("ways", "What may be done now",
    found.running && h("p", null, mark("busy", "A run is under way"), " ", value(found.running)),
    h("ul", { class: "ways" }, found.ways.map((one) => h("li", { "data-testid": `way-${one.to_state}`, "data-refused": one.refusal ? "yes" : "no" },
      mark(one.refusal ? "bad" : "good", `${sentence(one.from_state)} → ${one.to_state}`), h("p", null, value(say(one))),
      !one.refusal && one.counts.length > 0 && h("p", { class: "soft" }, "Counted in the database when it is turned: ", one.counts.map((each, at) => [at > 0 && "; ", value(each)])),
      found.may_run && !one.refusal && h("a", { class: `button small${one.back ? "" : " primary"}`, id: `go-${one.to_state}`, href: startPage(`${found.migration_id}_cutover`, { to: one.to_state }), "data-testid": `go-${one.to_state}` }, words(one))))));
}

const RUNS = (found) => [
  { label: "Run", head: true, text: (run) => leave(tab(`${found.migration_id}_cutover`, run.run_id), {}, moment(run.started_at || run.ended_at) === "—" ? value(run.run_id) : moment(run.started_at || run.ended_at)) },
  { label: "State", text: (run) => mark(STATES[run.state], sentence(run.state)) },
  { label: "Requested", text: (run) => (run.turn ? `${run.turn.from_state} → ${run.turn.to_state}` : run.to === "next" ? "one step on" : run.to) },
  { label: "Why", wide: true, text: (run) => value(run.turn?.why || run.why) },
  { label: "Refused", wide: true, text: (run) => value(run.refusal ? sentence(run.refusal.reason) : "—") },
];

function page(found) {
  if (!found.there) {
    return [h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "No switch"), h("p", null, "The DAG ", h("code", null, value(asked.dag)), " belongs to no migration with a switch: it declares no settings that an application reads. ", leave("plugin/migrations", {}, "All migrations")))];
  }
  return [h("header", { class: "head" }, h("div", null, h("h1", null, value(asked.title), h("span", { class: "chip" }, "cutover")), h("p", { class: "soft" }, "The switch tells applications which shape counts. Nothing but a cutover turns it.")), h("div", { class: "actions" }, alone())),
    section("standing", "Where the switch stands", rail(found), proof(found), comparison(found)), ways(found),
    found.asked.length > 0 && section("asked", "Requested cutovers", table(RUNS(found), found.asked, { caption: "The newest first", note: true, testid: "cutovers" })),
    journal(found)];
}

live(async () => {
  try {
    const found = await get(`${dagPath(asked.dag)}/switch`);
    view.setAttribute("aria-busy", "false");
    replace(view, page(found));
    return found.asked.some((run) => ["running", "waiting for approval"].includes(run.state));
  } catch (error) {
    replace(view, trouble(error));
    return false;
  }
});
document.title = `${asked.title} – Cutover – Trueup`;
