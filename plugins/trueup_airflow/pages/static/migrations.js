// All migrations: where each stands, and the way to it.

import { h, mark, replace, value } from "./dom.js";
import { dagPath, get, leave, live, tab, trouble } from "./host.js";
import { KIND, VERBS, moment, number, plural, sentence } from "./words.js";

const view = document.getElementById("view");
const SHOWN = ["add", "change", "remove", "drift", "keep"];
const SWITCH = { legacy: "old shape", dual: "both shapes", new: "new shape" };

function plan(one) {
  if (!one.plan?.totals && one.headline) return value(one.headline);
  if (!one.plan?.totals) return h("span", { class: "soft" }, "no plan yet");
  const totals = one.plan.totals;
  const said = SHOWN.filter((verb) => totals[verb]).map((verb) => h("span", { class: `verb ${verb}` }, h("b", null, number(totals[verb])), ` ${VERBS[verb]}`));
  return [h("span", { class: "verbs" }, said.length ? said : "nothing to do"), h("small", null, moment(one.plan.at))];
}

function proof(one) {
  const rows = one.proof?.rows;
  if (!rows) return h("span", { class: "soft" }, one.proof ? moment(one.proof.at) : "none yet");
  const wrong = rows.missing + rows.different + rows.unverified;
  return [
    mark(wrong ? "bad" : "good", wrong ? `${plural(wrong, "difference")}` : `${plural(rows.compared, "row")} proven`),
    rows.left_alone > 0 && mark("warn", `${plural(rows.left_alone, "row")} left alone`),
    h("small", null, `${wrong ? `in ${number(rows.compared)} rows · ` : "no difference · "}${moment(one.proof.at)}`),
  ];
}

function findings(one) {
  const found = one.findings;
  if (!found) return h("span", { class: "soft" }, "—");
  if (!found.reject && !found.warning) return "none";
  return h("span", { class: "verbs" },
    found.reject > 0 && h("span", { class: "verb bad" }, h("b", null, number(found.reject)), " rejected"),
    found.warning > 0 && h("span", { class: "verb warn" }, h("b", null, number(found.warning)), found.warning === 1 ? " warning" : " warnings"));
}

function actions(one) {
  const last = one.last_run?.run_id;
  const to = (path, words, testid) => leave(path, { class: "button small", "data-testid": testid, "aria-label": `${words}: ${one.title}` }, words);
  return h("div", { class: "actions" },
    last && to(tab(one.dag_id, last), one.state === "waiting for approval" ? "Review" : "Last run", `last-run-${one.dag_id}`),
    to(dagPath(one.dag_id), one.may_run ? "Run …" : "DAG", `dag-${one.dag_id}`),
    one.companions.includes("_rollback") && to(dagPath(`${one.dag_id}_rollback`), "Roll back …", `rollback-${one.dag_id}`),
    one.companions.includes("_cutover") && to(dagPath(`${one.dag_id}_cutover`), "Cut over …", `cutover-${one.dag_id}`));
}

function facts(one) {
  if (one.state === "never run" && !one.plan) return h("p", { class: "soft" }, "Run it in mode plan first: that reads and compares, and writes to no store.");
  const fact = (name, ...said) => h("div", { class: "fact" }, h("dt", null, name), h("dd", null, said));
  return h("dl", { class: "facts-row" },
    fact("Last plan", plan(one)), fact("Last proof", proof(one)), fact("Open findings", findings(one)),
    one.companions.includes("_cutover") && fact("Switch", h("span", null, SWITCH[one.switch] || one.switch), h("small", null, one.switch)));
}

function card(one) {
  return h("li", { class: "card", "data-testid": `migration-${one.dag_id}`, "data-state": one.state },
    h("div", { class: "card-head" },
      h("h2", null, leave(`${dagPath(one.dag_id)}/plugin/migration-history`, {}, value(one.title)), h("code", null, one.dag_id)),
      h("span", { class: "states" }, mark(KIND[one.state] || "note", sentence(one.state), { "data-testid": `state-${one.dag_id}` }), one.paused && h("span", { class: "chip" }, "paused"))),
    facts(one), actions(one));
}

function nothing() {
  return h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "No migration to show"),
    h("p", null, "There is no DAG with the tags trueup and migration that you may read. A migration is a folder in include/migrations and a file in dags; ",
      "if it is there, look under Browse for import errors, or ask for the right to read its runs."));
}

let filter = "";

function list(found) {
  const shown = found.migrations.filter((one) => `${one.title} ${one.dag_id} ${one.state}`.toLowerCase().includes(filter));
  return shown.length ? h("ul", { class: "cards" }, shown.map(card)) : h("p", { class: "soft", role: "status" }, "No migration is called so, or in such a state.");
}

function page(found) {
  const counts = new Map();
  for (const one of found.migrations) counts.set(one.state, (counts.get(one.state) || 0) + 1);
  const all = h("div", { "data-testid": "migrations" }, list(found));
  const narrow = (event) => {
    filter = event.target.value.trim().toLowerCase();
    all.replaceChildren(list(found));
  };
  return [
    h("header", { class: "head" }, h("div", null, h("h1", null, "Migrations"),
      h("p", { class: "soft", role: "status", "aria-live": "polite" }, [...counts].map(([state, n]) => `${n} ${state}`).join(" · "))),
      found.migrations.length > 3 && h("label", { class: "search" }, h("span", { class: "unseen" }, "Filter migrations"), h("input", { id: "filter", type: "search", placeholder: "Filter …", autocomplete: "off", oninput: narrow }))),
    found.migrations.length ? all : nothing(),
    !found.ledger && found.migrations.length > 0 && h("p", { class: "hint", "data-testid": "no-ledger" }, "No migration has run on this installation yet: the ledger is made at the first run. Open a DAG and trigger it in mode plan; that writes to no store."),
  ];
}

let shown = "";
live(async () => {
  try {
    const found = await get("migrations");
    const now = JSON.stringify(found);
    if (now !== shown) {
      replace(view, page(found));
      const input = document.getElementById("filter");
      if (input) input.value = filter;
      shown = now;
    }
    view.setAttribute("aria-busy", "false");
    return found.migrations.some((one) => ["running", "starting", "waiting for approval"].includes(one.state));
  } catch (error) {
    shown = "";
    replace(view, trouble(error));
    return false;
  }
});
