// A run that turns a switch: whether it waits, was refused, or has turned it, and why; and what comes next.

import { h, icon, mark, replace, section, value } from "./dom.js";
import { decide } from "./decide.js";
import { alone, asked, get, leave, live, runPath, trouble } from "./host.js";
import { STATES, comparison, journal, proof, rail } from "./switch.js";
import { moment, sentence } from "./words.js";

const view = document.getElementById("view");
const said = h("div", { "aria-live": "polite", id: "said", tabindex: "-1" });
let again = () => {};
let stood = null;
const AT = { preflight: "before anybody was asked", approve: "by a person", turn: "when it was to be turned" };

const way = (found) => found.switch.ways.find((one) => one.to_state === found.run.to) || (found.run.to === "next" && found.switch.ways.find((one) => !one.back)) || null;
const notice = (kind, mark, headline, ...more) =>
  h("div", { class: `verdict ${kind}`, "data-testid": "verdict", role: "status" }, icon(mark), h("div", null, h("p", { class: "headline" }, headline), more.map((line) => line && h("p", null, line))));

function says(found) {
  const run = found.run;
  if (run.state === "turned") {
    const turn = run.turn;
    const back = found.switch.order.indexOf(turn.to_state) < found.switch.order.indexOf(turn.from_state);
    return notice("passed", "good", `The switch was turned from ${turn.from_state} to ${turn.to_state}`,
      [turn.by && ["By ", h("b", null, value(turn.by)), ", "], moment(turn.at), ": ", value(turn.why)],
      back && !turn.proof_id ? "It was the way back, which needs no proof." : ["On the proof of run ", h("code", null, value(turn.proof_run_id || turn.proof_id)), "."],
      `To undo it, cut over to ${turn.from_state}.`);
  }
  if (run.state === "refused") {
    const refusal = run.refusal;
    return notice("failed", "bad", "The switch was not turned", [`Refused ${AT[refusal.step] || refusal.step}`, refusal.by && [", by ", h("b", null, value(refusal.by))], `, ${moment(refusal.at)}.`], value(sentence(refusal.reason)),
      run.why && ["It was asked for because: ", value(run.why)]);
  }
  if (run.state === "waiting for approval") {
    const next = way(found);
    const more = [h("p", null, next ? `Turn the switch from ${next.from_state} to ${next.to_state}?` : "Turn the switch?"), h("p", null, "Why: ", value(run.why || "no reason is given"))];
    return [found.question && decide(found.question, { link: `${runPath()}/tasks/approve/required_actions`, said, done: () => again(), until: "The switch stays as it is until somebody approves.", more }),
      next?.refusal && h("p", { "data-testid": "refusal" }, mark("bad", "It would be refused now"), " ", value(sentence(next.refusal)))];
  }
  if (run.state === "running") return notice("", "busy", "Checking whether the switch may be turned", run.why && ["Why: ", value(run.why)]);
  return notice("failed", "bad", "The run failed, and the switch was not turned by it", ["It did not come to a refusal: ", leave(`${runPath(asked.dag, asked.run)}`, {}, "the log of the task that failed"), " says why."]);
}

function next(found) {
  const ways = found.switch.ways;
  return section("next", "What comes next", ways.length === 0 && h("p", { class: "soft" }, "There is no further turn."),
    h("ul", { class: "ways" }, ways.map((one) => h("li", null, mark(one.refusal ? "bad" : "good", `${one.from_state} → ${one.to_state}${one.back ? " (the way back)" : ""}`), " ", one.refusal ? value(sentence(one.refusal)) : one.back ? "It may be turned back now." : "It may be turned now."))),
    h("p", null, leave(`dags/${encodeURIComponent(found.switch.migration_id)}/plugin/migration-cutover`, { class: "button small" }, "The switch of this migration")));
}

function page(found) {
  if (!found.run) return h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "No turn of a switch"), h("p", null, "This run turns no switch of a migration of Trueup’s. ", leave("plugin/migrations", {}, "All migrations")));
  const run = found.run;
  return [h("header", { class: "head" }, h("div", null, h("h1", null, value(asked.title), h("span", { class: "chip" }, "cutover")),
    h("p", { class: "states" }, mark(STATES[run.state], sentence(run.state), { "data-testid": "run-state", "data-state": run.state }), h("span", { class: "soft" }, `started ${moment(run.started_at)}`))), h("div", { class: "actions" }, alone())),
    said, says(found), section("standing", "Where the switch stands", rail(found.switch), proof(found.switch), comparison(found.switch)), next(found), journal(found.switch)];
}

again = live(async () => {
  try {
    const found = await get(`${runPath()}/turn`);
    view.setAttribute("aria-busy", "false");
    if (stood !== found.run?.state) replace(said); // what was said of an answer is over when the run has gone on
    stood = found.run?.state;
    replace(view, page(found));
    return Boolean(found.run) && ["running", "waiting for approval"].includes(found.run.state);
  } catch (error) {
    replace(view, trouble(error));
    return true;
  }
});
document.title = `${asked.title} – Cutover – Trueup`;
