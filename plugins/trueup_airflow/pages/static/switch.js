// A migration's switch: where it stands, its last proof, and its journal. For the pages that show one.

import { h, mark, section, table, value } from "./dom.js";
import { leave, tab } from "./host.js";
import { duration, moment, number, sentence } from "./words.js";

export const SHAPES = { legacy: "the old shape counts", dual: "both shapes are written", new: "only the new shape counts" };
export const STATES = { "waiting for approval": "wait", running: "busy", turned: "good", refused: "bad", failed: "bad" };

// The states in their order; the one that it is in is marked in words, too.
export function rail(found) {
  return h("ol", { class: "rail", "data-testid": "switch", "data-state": found.state, "aria-label": `The switch is ${found.state}` },
    found.order.map((state) => h("li", { class: state === found.state ? "here" : null, "aria-current": state === found.state ? "step" : null },
      h("b", null, sentence(state)), h("small", null, SHAPES[state]), state === found.state && h("small", { class: "here-now" }, "it is here now"))));
}

const link = (migration, id, run) => (run ? leave(tab(migration, run), {}, value(run)) : h("code", null, value(id)));

export function proof(found) {
  const last = found.proof;
  if (!last) return h("p", { "data-testid": "proof" }, mark("warn", "No run of it is proven"), " Trigger the migration over whole tables; its proof is what a turn forward stands on.");
  const not = !last.stands ? "The last proof holds no more" : !last.whole ? "Proven of a window only" : last.hours > found.proof_max_age ? "The last proof is old" : null;
  return h("p", { "data-testid": "proof" }, mark(not ? "warn" : "good", not || "Proven"), " ",
    last.compared !== null && [h("b", null, number(last.compared)), " rows compared, "], `${moment(last.at)}, `, h("b", null, `${duration(last.hours * 3600)} ago`),
    ` (a turn forward takes one of ${found.proof_max_age} hours at most), by run `, link(found.migration_id, last.id, last.run_id));
}

const LISTED = 5;
const few = (keys, all) => [keys.slice(0, LISTED).map((key, at) => [at > 0 && ", ", h("code", null, value(key))]), all > LISTED && ` and ${number(all - LISTED)} more`];

// What the last shadow comparison found, of a migration that has one.
export function comparison(found) {
  const it = found.comparison;
  if (!it) return null;
  const again = leave(`dags/${encodeURIComponent(it.dag_id)}`, {}, value(it.dag_id));
  const last = it.last;
  if (it.trouble) return h("p", { "data-testid": "comparison", "data-state": "unreadable" }, mark("bad", "The comparison cannot be read"), " ", value(sentence(it.trouble)));
  if (!last) return h("p", { "data-testid": "comparison", "data-state": "none" }, mark("warn", "No shadow comparison yet"), " A turn forward asks for one that is younger than the proof: ", again);
  const state = last.unknown_keys ? "differs" : last.whole ? "agrees" : "share";
  const kind = { differs: "bad", share: "warn", agrees: "good" }[state];
  const said = { differs: "The shadow comparison found differences", share: "The shadow comparison looked at a share", agrees: "Old and new agree" }[state];
  const run = it.run_id ? leave(tab(it.dag_id, it.run_id), {}, value(it.run_id)) : h("code", null, value(last.run_id));
  return h("div", { "data-testid": "comparison", "data-state": state }, h("p", null, mark(kind, said), " ", h("b", null, number(last.compared)), ` compared, ${moment(last.begun_at)}, by run `, run, ". Again: ", again),
    last.unknown_keys > 0 && h("p", null, h("b", null, number(last.unknown_keys)), " differ: ", few(last.unknown, last.unknown_keys)),
    last.known_keys > 0 && h("p", null, h("b", null, number(last.known_keys)), " differ as the proven run reported: ", few(last.known, last.known_keys)));
}

const COLUMNS = (migration) => [
  { label: "When", head: true, text: (turn) => moment(turn.at) },
  { label: "Turn", text: (turn) => (turn.run_id ? leave(tab(`${migration}_cutover`, turn.run_id), {}, `${turn.from_state} → ${turn.to_state}`) : `${turn.from_state} → ${turn.to_state}`) },
  { label: "By", text: (turn) => value(turn.by) },
  { label: "Why", wide: true, text: (turn) => value(turn.why) },
  { label: "On the proof of", text: (turn) => (turn.proof_id ? link(migration, turn.proof_id, turn.proof_run_id) : "none: the way back") },
];

export const journal = (found) =>
  section("journal", "Journal", found.turns.length ? table(COLUMNS(found.migration_id), found.turns, { caption: "Every turn, the newest first", note: true, testid: "turns" }) : h("p", { class: "soft" }, "The switch was never turned: applications use the old shape."));
