// All migrations: what is the case with each now, and what may be done. What waits for somebody comes first.

import { h, mark, replace, value } from "./dom.js";
import { alone, dagPath, get, leave, live, tab, trouble } from "./host.js";
import { offers } from "./offers.js";
import { where } from "./where.js";
import { DONE, KIND, VERBS, dayOf, moment, number, plural, sentence, span } from "./words.js";

const view = document.getElementById("view");
const SHOWN = ["add", "change", "remove", "drift", "keep"];
const SWITCH = { legacy: "old shape", dual: "both shapes", new: "new shape" };
const BUSY = ["running", "starting", "waiting for approval", "rolling back", "turning"];
const DAY = { proven: "good", failed: "bad", rejected: "bad", running: "busy", waiting: "wait", planned: "note", "rolled back": "skip", "not begun": "idle", "not started": "skip", gone: "skip" };

const ofWindow = (found) => found.window && ` · of ${span(found.window)}`;
const side = (found) => [found.tables.map((name, at) => [at > 0 && ", ", h("code", null, value(name))]), h("span", { class: "soft" }, ` (${found.connections.join(", ")})`)];

function about(one) {
  if (!one.about) return null;
  const { purpose, owner, source, target } = one.about;
  return h("div", { class: "about" }, purpose && h("p", null, value(purpose)),
    h("p", { class: "way", "data-testid": `way-${one.dag_id}` }, source ? [side(source), " → ", side(target)] : ["Schemas of ", side(target)], h("span", { class: "soft" }, " · owner "), value(owner)));
}

function plan(one) {
  if (!one.plan?.totals) return one.headline ? value(one.headline) : h("span", { class: "soft" }, one.state === "waiting for approval" ? "it waits for approval" : "no plan yet");
  const { totals, open, at } = one.plan;
  const words = open ? VERBS : { ...VERBS, ...DONE };
  const told = SHOWN.filter((verb) => totals[verb]).map((verb) => h("span", { class: `verb ${open ? verb : ""}` }, h("b", null, number(totals[verb])), ` ${words[verb]}`));
  return [h("span", { class: "verbs" }, told.length ? told : "nothing to do"), h("small", null, moment(at), ofWindow(one.plan))];
}

function proof(one) {
  const found = one.proof;
  if (!found?.rows) return h("span", { class: "soft" }, found ? moment(found.at) : "none yet");
  const rows = found.rows;
  const wrong = rows.missing + rows.different + rows.unverified;
  if (!found.stands) return [h("span", { class: "soft" }, "none that still holds"), h("small", null, `${plural(rows.compared, "row")} were proven ${moment(found.at)}; written, undone or found otherwise since`)];
  return [mark(wrong ? "bad" : "good", wrong ? plural(wrong, "difference") : `${plural(rows.compared, "row")} proven`),
    rows.left_alone > 0 && mark("warn", `${plural(rows.left_alone, "row")} left alone`),
    h("small", null, `${wrong ? `in ${number(rows.compared)} rows · ` : ""}${moment(found.at)}`, ofWindow(found))];
}

function findings(one) {
  const found = one.findings;
  if (!found) return h("span", { class: "soft" }, "—");
  const when = h("small", null, found.window ? ofWindow(found).slice(3) : `of the whole table, ${moment(found.at)}`);
  if (!found.reject && !found.warning) return ["none", when];
  return [h("span", { class: "verbs" }, found.reject > 0 && h("span", { class: "verb bad" }, h("b", null, number(found.reject)), " rejected"),
    found.warning > 0 && h("span", { class: "verb warn" }, h("b", null, number(found.warning)), found.warning === 1 ? " warning" : " warnings")), when];
}

function actions(one) {
  const to = (path, words, testid, first) => leave(path, { class: `button small${first ? " primary" : ""}`, id: testid, "data-testid": testid, "aria-label": `${words}: ${one.title}` }, words);
  const waits = one.state === "waiting for approval";
  return h("div", { class: "actions" },
    one.run && to(tab(one.run.dag_id, one.run.run_id), waits ? "Review and decide" : BUSY.includes(one.state) ? "Watch" : "Last run", `last-run-${one.dag_id}`, waits),
    one.plan && one.about?.source && h("a", { class: "button small", href: `lens?${new URLSearchParams({ dag_id: one.dag_id })}`, id: `lens-${one.dag_id}`, "data-testid": `lens-${one.dag_id}`, "aria-label": `Find a row: ${one.title}` }, "Find a row"),
    one.about && !one.about.source && h("a", { class: "button small", href: `schemas?dag_id=${encodeURIComponent(one.dag_id)}`, id: `schemas-${one.dag_id}`, "data-testid": `schemas-${one.dag_id}`, "aria-label": `Where the databases are: ${one.title}` }, "Databases"),
    offers(one.offers, { named: one.title, id: (kind) => `${kind.replace("_", "")}-${one.dag_id}` }),
    to(`${dagPath(one.dag_id)}/plugin/migration-history`, "History", `history-${one.dag_id}`), to(dagPath(one.dag_id), "DAG", `dag-${one.dag_id}`));
}

function facts(one) {
  if (one.state === "never run" && !one.plan) return h("p", { class: "soft" }, "Plan it first: that reads and compares, and writes to no store.");
  const fact = (name, ...said) => h("div", { class: "fact" }, h("dt", null, name), h("dd", null, said));
  return h("dl", { class: "facts-row" },
    fact(one.plan && !one.plan.open ? "Last plan, applied" : "Last plan", plan(one)), fact("Last proof", proof(one)), (!one.about || one.about.source) && fact("Open findings", findings(one)),
    one.about?.cuts_over && one.companions.includes("_cutover") && fact("Switch", h("span", null, SWITCH[one.switch] || one.switch), h("small", null, one.switch)));
}

function now(one) {
  const doing = one.doing && [` Step ${one.doing.step}`, one.doing.of ? `: ${number(one.doing.rows)} of ${number(one.doing.of)} rows` : one.doing.total > 1 ? `: ${one.doing.done} of ${one.doing.total} parts` : "", "."];
  const day = (at) => (at ? dayOf(at) : "");
  return h("div", { class: "now" }, h("p", { "data-testid": `words-${one.dag_id}` }, value(one.words), BUSY.includes(one.state) && one.state !== "waiting for approval" && doing),
    one.backfill.length > 0 && h("ol", { class: "daylist", "aria-label": "Days of the backfill" }, one.backfill.map((each) => h("li", { class: `daychip ${DAY[each.state] || "idle"}`, title: each.state },
      each.run_id ? leave(tab(one.dag_id, each.run_id), {}, mark(DAY[each.state] || "idle", `${day(each.start)}: ${each.state}`)) : mark("idle", `${day(each.start)}: ${each.state}`)))));
}

function card(one) {
  return h("li", { class: "card", id: `card-${one.dag_id}`, "data-testid": `migration-${one.dag_id}`, "data-state": one.state },
    h("div", { class: "card-head" },
      h("h2", null, leave(`${dagPath(one.dag_id)}/plugin/migration-history`, { id: `title-${one.dag_id}` }, value(one.title)), h("code", null, one.dag_id)),
      h("span", { class: "states" }, mark(KIND[one.state] || "note", sentence(one.state), { "data-testid": `state-${one.dag_id}` }), one.paused && h("span", { class: "chip" }, "paused"))),
    about(one), where(one.where), now(one), facts(one), actions(one));
}

function nothing() {
  return h("div", { class: "empty", "data-testid": "empty" }, h("h2", null, "No migration to show"),
    h("p", null, "There is no DAG with the tags trueup and migration that you may read. A migration is a folder in include/migrations and a file in dags; ",
      "if it is there, look under Browse for import errors, or ask for the right to read its runs."));
}

let filter = "";
let last = null;

function list(found) {
  const shown = found.migrations.filter((one) => `${one.title} ${one.dag_id} ${one.state} ${one.about?.purpose} ${one.about?.owner}`.toLowerCase().includes(filter));
  return shown.length ? h("ul", { class: "cards" }, shown.map(card)) : h("p", { class: "soft", role: "status" }, "No migration matches.");
}

function page(found) {
  const counts = new Map();
  for (const one of found.migrations) counts.set(one.state, (counts.get(one.state) || 0) + 1);
  const narrow = (event) => {
    filter = event.target.value.trim().toLowerCase();
    replace(view, page(last));
  };
  return [
    h("header", { class: "head" }, h("div", null, h("h1", null, "Migrations"),
      h("p", { class: "soft", role: "status", "aria-live": "polite" }, [...counts].map(([state, n]) => `${n} ${state}`).join(" · "))),
      h("div", { class: "actions" }, found.migrations.length > 3 && h("label", { class: "search" }, h("span", { class: "unseen" }, "Filter migrations"), h("input", { id: "filter", type: "search", placeholder: "Filter …", autocomplete: "off", oninput: narrow })), alone())),
    found.migrations.length ? h("div", { "data-testid": "migrations" }, list(found)) : nothing(),
    !found.ledger && found.migrations.length > 0 && h("p", { class: "hint", "data-testid": "no-ledger" }, "No migration has run on this installation yet: the ledger is made at the first run. Plan one; that writes to no store."),
  ];
}

live(async () => {
  try {
    last = await get("migrations");
    replace(view, page(last));
    view.setAttribute("aria-busy", "false");
    return last.migrations.some((one) => BUSY.includes(one.state) || !one.where.places.length); // a server that has not said yet where it is
  } catch (error) {
    replace(view, trouble(error));
    return false;
  }
});
