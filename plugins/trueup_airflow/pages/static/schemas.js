// Where the databases of a migration of schemas are: phase and revisions of each, between phases, or not to be reached.

import { h, mark, replace, section, table, value } from "./dom.js";
import { alone, asked, dagPath, get, leave, live, startPage, trouble } from "./host.js";

const view = document.getElementById("view");
const phase = (number) => (number < 0 ? "no phase yet" : `phase ${number}`);

function standing(one) {
  if (one.error) return mark("bad", "Not known");
  if (one.between) return mark("warn", `Between ${one.between[0] < 0 ? "nothing" : phase(one.between[0])} and ${phase(one.between[1])}`);
  return mark("good", `At ${phase(one.phase)}`);
}

const COLUMNS = [
  { label: "Database", head: true, text: (one) => [value(one.id), h("small", null, value(one.connection))] },
  { label: "Where it is", text: (one) => h("span", { "data-testid": `at-${one.id}` }, standing(one)) },
  { label: "Revision", text: (one) => (one.error ? "—" : h("code", null, value(one.heads.join(", ") || "none"))) },
  { label: "Its server says", wide: true, text: (one) => (one.error ? h("p", { class: "bad" }, value(one.error)) : h("code", null, value(one.place))) },
];

function phases(found) {
  const of = (number) => (one) => {
    const steps = one.steps.filter((step) => step.phase === number);
    if (one.error) return "not known";
    if (!steps.length) return h("span", { class: "soft" }, "nothing");
    return steps.map((step) => h("p", null, mark(step.done ? "good" : "idle", step.done ? "has run" : "has not run"), " ", h("code", null, value(step.revision)), " ", value(step.title)));
  };
  const columns = [
    { label: "Phase", head: true, text: (one) => [String(one.number), h("small", null, value(one.title))] },
    ...found.databases.map((database) => ({ label: database.id, wide: true, text: (one) => of(one.number)(database) })),
  ];
  return table(columns, found.phases, { caption: "Phases and their revisions", testid: "phases" });
}

function said(found) {
  if (!found.known) return mark("bad", "Not every database can be looked at now");
  if (found.phase === null) return [mark("warn", "The databases are not at one phase"), " A run from here needs realign, which brings each to the target from where it is."];
  return mark("good", found.phase < 0 ? "No database has a phase yet" : `Every database is at phase ${found.phase}`);
}

function page(found) {
  if (!found.there) {
    return [h("div", { class: "empty", "data-testid": "empty" }, h("h1", null, "No schemas"), h("p", null, "The DAG ", h("code", null, value(asked.dag)), " changes no schemas, so there is no phase to show."))];
  }
  return [
    h("header", { class: "head" }, h("div", null, h("h1", null, value(found.title), h("span", { class: "chip" }, "databases"))),
    h("div", { class: "actions" }, h("a", { class: "button small", href: startPage(asked.dag) }, "Start a run …"), leave(`${dagPath(asked.dag)}/plugin/migration-history`, { class: "button small" }, "History"), alone())),
    h("p", { class: found.live ? "where live" : "where" }, h("span", { class: "environment" }, value(found.environment))),
    section("standing", "Where the databases are", h("p", { "data-testid": "phase", role: "status" }, said(found)), table(COLUMNS, found.databases, { caption: "Databases", note: true, testid: "databases" })),
    section("all-phases", "Phases", phases(found)),
  ];
}

live(async () => {
  try {
    const found = await get(`${dagPath(asked.dag)}/schemas`);
    replace(view, page(found));
  } catch (error) {
    replace(view, trouble(error));
  }
  view.setAttribute("aria-busy", "false");
  return false;
});
document.title = `${asked.title} – Databases – Trueup`;
