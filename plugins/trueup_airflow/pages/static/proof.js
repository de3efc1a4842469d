// The proof: every row, both ways, and what was found otherwise.

import { h, mark, replace, table, value } from "./dom.js";
import { get, trouble } from "./host.js";
import { lens } from "./row.js";
import { number, words } from "./words.js";

const WRONG = { missing: "Missing", different: "Different", unverified: "Unverified" };

function difference(one) {
  if (!one.differs.length) return h("li", null, h("code", null, lens(one.key)), " ", value(one.kind));
  return h("li", { class: "example" }, h("p", { class: "key" }, h("code", null, lens(one.key)), h("span", { class: "chip" }, value(words(one.kind))), value(one.reason || "")),
    h("table", { class: "changes" }, h("thead", null, h("tr", null, ["Column", "Planned", "Found"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, one.differs.map(([name, planned, found]) => h("tr", null, h("th", { scope: "row" }, value(name)), h("td", null, h("ins", null, value(planned))), h("td", null, h("del", null, value(found))))))));
}

function proofs(found) {
  const columns = [
    { label: "Phase", head: true, text: (p) => [mark(p.passed ? "good" : "bad", value(p.phase)), h("small", null, value(p.target_table))] },
    { label: "Rows compared", n: true, text: (p) => number(p.compared) },
    ...Object.entries(WRONG).map(([name, label]) => ({ label, n: true, text: (p) => h("span", { class: p[name] ? "bad" : "zero" }, number(p[name])) })),
    { label: "Left alone", n: true, text: (p) => h("span", { class: p.left_alone ? "warn" : "zero" }, number(p.left_alone || 0)) },
    { label: "Moved on", n: true, text: (p) => h("span", { class: p.moved_on ? "" : "zero" }, number(p.moved_on || 0)) },
    { label: "Extra", n: true, text: (p) => h("span", { class: p.extra ? "" : "zero" }, number(p.extra)) },
    { label: "Read again", n: true, text: (p) => h("span", { class: p.reread ? "" : "zero" }, number(p.reread)) },
  ];
  return [table(columns, found, { caption: "Rows of the target, read back and compared with the plan, both ways. A later phase’s proof includes the earlier phases’ rows of the same target.", testid: "proof-phases" }),
    found.filter((p) => p.examples.length).map((p) => h("div", { class: "examples" }, h("h2", null, value(p.phase)), h("ul", null, p.examples.map(difference))))];
}

const statements = (report) => (report?.statements || []).length > 0 && [h("h2", { class: "statements" }, "Statements about the whole"),
  h("ul", { class: "expectations" }, report.statements.map((s) => h("li", { class: "expectation" }, mark(s.holds ? "good" : s.informative ? "warn" : "bad", s.holds ? "Holds" : "Does not hold"), h("p", null, value(s.title)), h("span", { class: "figures" }, value(s.answer)))))];

export function proof(data) {
  const element = h("div");
  let made;
  return {
    id: "proof", title: "Proof", element, count: () => null,
    async update(run) {
      const now = JSON.stringify([run.made.proof, run.ended, run.report?.statements]);
      if (made === now) return;
      if (!run.made.proof.length) {
        const plan = run.options?.mode === "plan";
        replace(element, h("p", { class: "soft", "data-testid": "no-proof" }, plan ? "A run in mode plan writes nothing, so there is nothing to prove. Trigger the DAG in mode apply or verify." : run.ended ? "Nothing was proven by this run." : "No proof yet. Each phase is read back and compared after it is written."), statements(run.report));
      } else {
        try {
          const { proofs: found } = await get(`${data}/proof`);
          replace(element, proofs(found), statements(run.report));
        } catch (error) {
          replace(element, trouble(error));
          return;
        }
      }
      made = now;
    },
  };
}
