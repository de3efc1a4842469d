// The plan: rows by verb, and a few rows of each.

import { h, mark, replace, table, value } from "./dom.js";
import { get, trouble } from "./host.js";
import { showRows } from "./rows.js";
import { ABOUT, VERBS, moment, number, plural, sentence } from "./words.js";

const ALWAYS = ["add", "change", "keep", "rejected"];
const ORDER = ["add", "change", "remove", "drift", "keep", "extra", "rejected", "skipped"];

const count = (phase, verb) =>
  verb === "rejected" ? phase.rejected : verb === "skipped" ? Object.values(phase.skipped).reduce((a, b) => a + b, 0) : phase.rows[verb] || 0;

// All rows of a verb and phase, on their own tab. What is extra is of a target, not of a phase.
const all = (where, verb, phase, ...children) =>
  h("button", { type: "button", class: `link ${verb}`, title: "Show these rows", "data-testid": `${where}-${phase.phase}-${verb}`, onclick: () => showRows({ verb, phase: verb === "extra" ? "" : phase.phase }) }, children);

function byPhase(phases, shown) {
  const columns = [
    { label: "Phase", head: true, text: (p) => [h("span", null, value(p.title || p.phase)), h("small", null, value(p.source_table), " → ", value(p.target_table))] },
    { label: "Source rows", n: true, text: (p) => number(p.source_rows) },
    ...shown.map((verb) => ({ label: sentence(VERBS[verb]), n: true, text: (p) => (count(p, verb) ? all("all", verb, p, number(count(p, verb))) : h("span", { class: "zero" }, "0")) })),
  ];
  return table(columns, phases, { caption: "Rows by phase", testid: "plan-phases" });
}

function skipped(phases) {
  const rules = phases.flatMap((p) => Object.entries(p.skipped).map(([rule, rows]) => `${p.phase}: ${number(rows)} by the rule ${rule}`));
  return rules.length > 0 && h("p", { class: "soft" }, `Skipped: ${rules.join(", ")}.`);
}

function figures(phases) {
  const said = phases.flatMap((p) => Object.entries(p.figures || {}).map(([name, count]) => `${name}: ${number(count)}`));
  return said.length > 0 && h("p", null, said.join(", "), ".");
}

// What the migration counts of what is there: figures, and lists of lines.
const words = (name) => sentence(name.replaceAll("_", " "));

function audit(found) {
  const each = Object.entries(found || {});
  return each.length > 0 && h("div", { "data-testid": "audit" }, h("h2", null, "What is there"), each.map(([name, counted]) => {
    if (!Array.isArray(counted)) return h("p", null, h("strong", null, words(name)), ": ", Object.entries(counted).map(([column, n]) => `${column.replaceAll("_", " ")} ${number(n || 0)}`).join(", "), ".");
    const columns = Object.keys(counted[0] || {}).map((column) => ({ label: words(column), n: typeof counted[0][column] === "number", text: (line) => (typeof line[column] === "number" ? number(line[column]) : value(line[column] ?? "—")) }));
    return counted.length > 0 && h("details", { id: `audit-${name}` }, h("summary", null, `${words(name)}: ${number(counted.length)}`), table(columns, counted, { caption: words(name), testid: `audit-${name}` }));
  }));
}

const cells = (row, names) => h("dl", { class: "row" }, (names || Object.keys(row)).map((name) => h("div", null, h("dt", null, value(name)), h("dd", null, value(row[name])))));

function changes(example) {
  const { row, before } = example;
  return h("table", { class: "changes" }, h("caption", { class: "unseen" }, "What changes"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Column"), h("th", { scope: "col" }, "Before"), h("th", { scope: "col" }, "After"))),
    h("tbody", null, example.changed.map((name) => h("tr", null, h("th", { scope: "row" }, value(name)),
      h("td", { class: "before" }, name in before ? h("del", null, value(before[name])) : h("span", { class: "soft" }, "nothing")),
      h("td", { class: "after" }, name in row ? h("ins", null, value(row[name])) : h("span", { class: "soft" }, "nothing"))))));
}

function example(verb, one) {
  const changed = one.changed?.length && verb !== "keep";
  return h("li", { class: "example", "data-testid": "example" },
    h("p", { class: "key" }, h("code", null, value(one.key)), one.code && h("span", { class: "chip" }, value(one.code))),
    one.message && h("p", null, value(one.message)), changed ? changes(one) : cells(one.row));
}

function examples(found) {
  return found.outputs.map((output) => {
    const verbs = ORDER.filter((verb) => output.verbs[verb]?.length);
    const phase = found.phases.find((p) => p.phase === output.phase);
    return verbs.length > 0 && h("div", { class: "examples" }, h("h2", null, value(phase?.title || output.phase), h("small", null, value(output.target_table))),
      verbs.map((verb) => h("details", { id: `examples-${output.output}-${verb}`, "data-testid": `examples-${output.output}-${verb}` },
        h("summary", null, h("span", { class: `verb ${verb}` }, sentence(VERBS[verb])), h("span", { class: "soft" }, phase && output.output === output.phase ? `${number(output.verbs[verb].length)} of ${number(count(phase, verb))}` : `${output.verbs[verb].length} rows`)),
        h("p", { class: "soft" }, ABOUT[verb], phase && [" ", all("more", verb, phase, "Show all of them")]), h("ul", null, output.verbs[verb].map((one) => example(verb, one))))));
  });
}

const told = (counts) => Object.entries(counts).map(([what, n]) => `${what} (${plural(n, what.startsWith("table ") ? "row" : "value")})`).join("; ");
const says = (s) => [["breaking", "It breaks what is in use"], ["locks", "It locks"], ["irreversible", "There is no way back"]].filter(([name]) => s[name]).map(([name, words]) => h("p", null, `${words}: `, value(s[name])));

// Each revision with what it was found to do: what goes, locks and seconds of its rehearsal, lint, SQL.
const stepsOf = (steps) => table([
  { label: "Revision", head: true, text: (s) => [value(s.title), h("small", null, value(s.revision))] },
  { label: "Database", text: (s) => value(s.database) }, { label: "Phase", n: true, text: (s) => s.phase }, { label: "Way", text: (s) => s.way },
  { label: "Goes", text: (s) => (Object.keys(s.goes || {}).length ? mark("warn", value(told(s.goes))) : "nothing") },
  { label: "Locks", text: (s) => (s.locked ? value(Object.entries(s.locked).map(([name, mode]) => `${name} (${mode})`).join(", ") || "none") : "not known") },
  { label: "Seconds", n: true, text: (s) => s.seconds ?? "—" },
  { label: "Lint", text: (s) => [s.findings.length ? s.findings.map((f) => h("p", null, value(`${f.level}: ${f.message}`))) : mark("good", "nothing"), says(s)] },
  { label: "SQL", text: (s) => (s.sql ? h("details", { id: `sql-${s.database}-${s.revision}-${s.way}` }, h("summary", null, `SQL of ${s.revision} ${s.way}`), h("pre", { tabindex: 0, dir: "ltr" }, s.sql.trim())) : "—") }],
steps, { caption: "Revisions, in order", testid: "schema-steps" });

const goal = (found) => (found.target_phase === null ? `between phases, ${Object.entries(found.target_revision).map(([database, revision]) => `${database} at ${revision}`).join(", ")}` : `phase ${found.target_phase}`);

function schema(about) {
  const steps = about.steps || [];
  return h("div", { "data-testid": "schema" }, h("p", null, mark("note", value(about.where)), ` · asked for: ${goal(about)}`), steps.length > 0 && stepsOf(steps),
    (about.going || []).length > 0 && h("p", null, mark("warn", "Drops"), " ", value(about.going.join("; "))));
}

// Before its report is there: what a person is asked about.
function revisions(found) {
  const steps = Object.entries(found.databases).flatMap(([database, planned]) => planned.steps.map((step) => ({ ...step, database, way: step.up ? "up" : "down" })));
  return h("div", { "data-testid": "schema" },
    h("p", { class: "soft" }, "Plan ", h("code", null, found.sha256.slice(0, 12)), `, made ${moment(found.created_at)}, to ${goal(found)}. What is approved is exactly this plan.`),
    steps.length > 0 ? stepsOf(steps) : h("p", { class: "soft" }, "No revision is to be run."));
}

export function plan(data) {
  const element = h("div");
  let made;
  return {
    id: "plan", title: "Plan", element, count: () => null,
    async update(run) {
      const now = JSON.stringify([run.made.plan, run.report?.schema]);
      if (made === now) return;
      if (run.report?.schema) replace(element, schema(run.report.schema));
      else if (!run.made.plan) {
        replace(element, h("p", { class: "soft", "data-testid": "no-plan" }, run.ended ? "This run made no plan: it ended before it came to one. The failed step above says why." : "No plan yet. It appears when it is made."));
      } else {
        try {
          const { plan: found, schema: planned } = await get(`${data}/plan`);
          if (planned) {
            replace(element, revisions(planned));
            made = now;
            return;
          }
          const shown = ORDER.filter((verb) => ALWAYS.includes(verb) || found.totals[verb]);
          replace(element, byPhase(found.phases, shown), skipped(found.phases), figures(found.phases), audit(found.audit),
            h("p", { class: "soft" }, "Plan ", h("code", null, found.sha256.slice(0, 12)), `, made ${moment(found.created_at)}. What is approved is exactly this plan.`), examples(found));
        } catch (error) {
          replace(element, trouble(error));
          return;
        }
      }
      made = now;
    },
  };
}
