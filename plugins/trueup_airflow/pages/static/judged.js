// Gates: each expectation in words, with its figures; what did not pass comes first and is open.

import { h, mark, replace, unseen, value } from "./dom.js";
import { asked, get, trouble } from "./host.js";
import { plural, words } from "./words.js";

const mild = (expected) => expected.severity === "warning" || expected.severity === "info";

function kind(expected) {
  if (expected.passed) return ["good", "Passed"];
  if (expected.error) return ["bad", "Not judged"];
  return mild(expected) ? ["warn", "Warning"] : ["bad", "Failed"];
}

// What became of it in the other runs.
function overRuns(file, one, expected) {
  const at = new URLSearchParams({ dag_id: asked.dag, gate: file, result: one.gate, output: one.phase || "", rule: expected.rule, description: expected.description.slice(0, 5000) });
  return h("a", { href: `expectation?${at}`, "data-testid": "over-runs" }, "over runs", unseen(`: ${expected.description}`));
}

function expectation(file, one, expected) {
  const [mk, word] = kind(expected);
  const figures = expected.passed && !expected.unexpected ? expected.observed : expected.unexpected !== null ? plural(expected.unexpected, "row") : expected.observed;
  return h("li", { class: "expectation", "data-testid": "expectation" }, mark(mk, word),
    h("div", null, h("p", null, value(expected.description)), h("small", null, h("code", null, value(expected.rule)), expected.severity !== "critical" && ` · ${expected.severity}`, " · ", overRuns(file, one, expected)),
      expected.error && h("p", { class: "bad" }, value(expected.error)),
      !expected.passed && expected.examples.length > 0 && h("ul", { class: "rows" }, expected.examples.slice(0, 5).map((row) => h("li", null, Object.entries(row).map(([name, text]) => [h("span", { class: "soft" }, value(name), " "), value(text), " "]))))),
    h("span", { class: "figures" }, value(figures ?? "")));
}

function result(file, one, at) {
  const passed = one.expectations.filter((e) => e.passed).length;
  const warnings = one.expectations.filter((e) => !e.passed && !e.error && mild(e)).length;
  const sorted = [...one.expectations].sort((a, b) => a.passed - b.passed || mild(a) - mild(b));
  return h("details", { id: `gate-${file}-${at}`, open: !one.passed, "data-testid": `gate-${file}-${one.gate}` },
    h("summary", null, mark(one.passed ? "good" : "bad", one.passed ? "Passed" : "Failed"), h("b", null, words(one.gate)), one.phase && h("span", { class: "chip" }, value(one.phase)), warnings > 0 && mark("warn", plural(warnings, "warning")),
      h("span", { class: "soft" }, `${passed} of ${plural(one.expectations.length, "expectation")} hold · ${plural(one.rows, "row")}`)),
    one.errors.map((error) => h("p", { class: "bad" }, value(error))), h("ul", { class: "expectations" }, sorted.map((expected) => expectation(file, one, expected))));
}

const TITLES = { plan: "Of the plan, before anything is written", validate: "Of the whole, after writing", whole: "Of the whole" };

export function judged(data) {
  const element = h("div");
  let made;
  return {
    id: "gates", title: "Gates", element,
    count: (run) => run.made.gates.length || null,
    async update(run) {
      const now = JSON.stringify([run.made.gates, run.made.docs, run.ended, run.made.plan]);
      if (made === now) return;
      if (!run.made.gates.length) {
        replace(element, h("p", { class: "soft" }, run.ended ? "No gate was reached." : "No gate yet. The first one judges the plan."));
      } else {
        try {
          const { gates } = await get(`${data}/gates`);
          replace(element, gates.map((gate) => h("div", { class: "gate" }, h("h2", null, TITLES[gate.file] || words(gate.file).replace("-", " ")), gate.results.map((one, i) => result(gate.file, one, i)))),
            !run.made.docs && h("p", { class: "soft", "data-testid": "no-data-docs" }, "Great Expectations’ own pages of these gates: ", h("code", null, `make data-docs RUN=${run.id}`)));
        } catch (error) {
          replace(element, trouble(error));
          return;
        }
      }
      made = now;
    },
  };
}
