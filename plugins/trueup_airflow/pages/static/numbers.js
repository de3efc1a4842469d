// A plan in numbers: what is added green, changed amber, removed red, with its total.

import { h } from "./dom.js";
import { ABOUT, VERBS, DONE, number } from "./words.js";

const ALWAYS = ["add", "change", "remove", "keep", "rejected"];
const ORDER = ["add", "change", "remove", "drift", "keep", "extra", "rejected", "skipped"];
const WRITES = ["add", "change", "remove"];

// `done`: the plan is written, so what it was to do is told as done.
export function numbers(totals, { done = false } = {}) {
  const shown = ORDER.filter((verb) => ALWAYS.includes(verb) || totals[verb]);
  const words = done ? { ...VERBS, ...DONE } : VERBS;
  return h("dl", { class: "tiles", "data-testid": "plan-totals", "aria-label": "The plan in rows" }, shown.map((verb) =>
    h("div", { class: `tile ${verb}${totals[verb] ? "" : " zero"}${done ? " done" : ""}`, title: ABOUT[verb] },
      h("dt", null, words[verb]), h("dd", { "data-testid": `total-${verb}` }, number(totals[verb] || 0)))));
}

export const toWrite = (totals) => WRITES.reduce((sum, verb) => sum + (totals[verb] || 0), 0);
