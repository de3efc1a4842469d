// Every row of the run: filtered, searched and paged by the server; opened one by one.

import { h, replace, value } from "./dom.js";
import { get, trouble } from "./host.js";
import { lens, verb, whole } from "./row.js";
import { VERBS, number, plural, sentence } from "./words.js";

const SIZES = [10, 25, 50, 100];
const PAUSE = 350;
const ORDER = ["add", "change", "remove", "drift", "keep", "extra", "rejected", "skipped"];
const NONE = { verb: "", phase: "", code: "", key: "", text: "" };

// Shows the rows that are so, from anywhere on the page; `orText`: where none has the key, those with this text in a value
// (a finding may be about an attribute, which is no row's key).
export function showRows(which) {
  document.dispatchEvent(new CustomEvent("trueup:rows", { detail: which }));
  document.getElementById("tab-rows")?.click();
}

function fanned(one) {
  const each = one.each.filter((n) => n.rows > 1).map((n) => `${number(n.sources)} make ${number(n.rows)}`);
  const single = one.each.find((n) => n.rows === 1)?.sources || 0;
  const rest = one.several - one.each.filter((n) => n.rows > 1).reduce((sum, n) => sum + n.sources, 0);
  return h("li", { "data-testid": `fan-out-${one.phase}` }, h("b", null, `${plural(one.sources, "legacy row")} → ${plural(one.rows, "row")}`), " (", value(one.source_table), " → ", value(one.table), "): ",
    one.several ? `${plural(one.several, "legacy row makes", "legacy rows make")} more than one row, at most ${number(one.most)} (${[single && `${number(single)} make 1`, ...each, rest > 0 && `${number(rest)} make more`].filter(Boolean).join(", ")}).` : "each makes one.");
}

export function rows(data) {
  const asked = { ...NONE, size: 25, ...Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] || "")) };
  const about = h("div");
  const total = h("p", { class: "soft", role: "status", "data-testid": "rows-total" });
  const list = h("ul", { class: "planned", "data-testid": "rows", "aria-label": "Rows" });
  const foot = h("div", { class: "pager", "data-testid": "rows-pager" });
  const choices = {};
  const inputs = {};
  let before = []; // where each page so far began
  let kinds = null;
  let made;
  let turn = 0;
  let orText = null;

  const choice = (name, label) => h("label", null, h("span", null, label), (choices[name] = h("select", { id: `rows-${name}`, "data-testid": `rows-${name}`, onchange: (event) => ask({ [name]: event.target.value }) })));
  let pause = null;
  const typed = (name) => (event) => {
    clearTimeout(pause);
    pause = setTimeout(() => ask({ [name]: event.target.value }), PAUSE);
  };
  const input = (name, label, hint, attributes) => h("label", { class: "grow" }, h("span", null, label), (inputs[name] = h("input", { id: `rows-${name}`, "data-testid": `rows-${name}`, type: "search", placeholder: hint, autocomplete: "off", spellcheck: "false", oninput: typed(name), ...attributes })));
  const bar = h("form", { class: "filters", role: "search", "aria-label": "Filter rows", onsubmit: (event) => event.preventDefault() },
    choice("verb", "What is done"), choice("phase", "Phase"), choice("code", "Finding"),
    input("key", "Key", "Whole key, legacy or new …", { maxlength: "2000" }), input("text", "Text", "In any value …", { maxlength: "500" }));
  const element = h("div", null, about, bar, total, list, foot);

  function select(name, totals, label = (text) => text) {
    if (asked[name] && !totals.has(asked[name])) totals.set(asked[name], 0);
    const all = h("option", { value: "" }, "all");
    choices[name].replaceChildren(all, ...[...totals].map(([text, n]) => h("option", { value: text }, `${label(text)} (${number(n)})`)));
    choices[name].value = asked[name];
  }

  function counts(name, of, fits) {
    const found = new Map();
    for (const one of of) if (fits(one)) found.set(one[name], (found.get(one[name]) || 0) + one.rows);
    return found;
  }

  function options() {
    const verbs = counts("verb", kinds.kinds, (one) => !asked.phase || one.phase === asked.phase);
    select("verb", new Map(ORDER.filter((name) => verbs.has(name)).map((name) => [name, verbs.get(name)])), (name) => sentence(VERBS[name]));
    select("phase", counts("phase", kinds.kinds, (one) => one.phase && (!asked.verb || one.verb === asked.verb)));
    select("code", counts("code", kinds.codes, (one) => !asked.phase || !one.phase || one.phase === asked.phase));
    for (const name of Object.keys(inputs)) if (document.activeElement !== inputs[name]) inputs[name].value = asked[name];
  }

  async function describe() {
    kinds = await get(`${data}/rows/summary`);
    const several = kinds.fan_out.filter((one) => one.several);
    replace(about, several.length > 0 && h("ul", { class: "fans", "data-testid": "fans" }, kinds.fan_out.map(fanned)), kinds.unlisted.map((why) => h("p", { class: "soft" }, value(why))));
    options();
  }

  async function open(one, place) {
    if (place.firstChild) return;
    replace(place, h("p", { class: "soft", role: "status" }, "Looking …"));
    try {
      place.replaceChildren(whole(await get(`${data}/rows/one`, { at: one.at })));
    } catch (error) {
      place.replaceChildren(trouble(error));
    }
  }

  const brief = (one) => one.cells.map((cell) =>
    h("span", { class: "brief" }, h("span", { class: "soft" }, value(cell.name), " "), cell.before !== null || one.verb === "change" ? [h("del", null, value(cell.before ?? "nothing")), " → ", h("ins", null, value(cell.value ?? "nothing"))] : value(cell.value)));

  function line(one) {
    const place = h("div");
    return h("li", { "data-testid": "row" }, h("details", { ontoggle: (event) => event.target.open && open(one, place) },
      h("summary", null, verb(one.verb),
        h("span", { class: "from-to" }, one.source !== null && h("span", null, h("span", { class: "soft" }, value(one.source_table), " "), h("code", null, value(one.source))),
          one.source !== null && one.key !== null && h("span", { class: "soft" }, " → "),
          one.key !== null && h("span", null, h("span", { class: "soft" }, value(one.table), " "), h("code", null, value(one.key))),
          one.code && h("span", { class: "chip" }, value(one.code))),
        h("span", { class: "briefs" }, one.message ? value(one.message) : brief(one))), place));
  }

  function pager(page) {
    const size = h("select", { id: "rows-size", "aria-label": "Rows a page", onchange: (event) => ask({ size: Number(event.target.value) }) }, SIZES.map((n) => h("option", { value: n }, `${n} a page`)));
    size.value = String(asked.size);
    replace(foot,
      h("button", { type: "button", class: "small", "data-testid": "rows-previous", disabled: before.length < 2, onclick: () => look(before.slice(0, -2), before.at(-2)) }, "Previous"),
      h("span", null, `page ${number(before.length)}`),
      h("button", { type: "button", class: "small", "data-testid": "rows-next", disabled: !page.next, onclick: () => look(before, page.next) }, "Next"), size);
  }

  const narrowed = () => Object.keys(NONE).some((name) => asked[name]);

  // The rows of a page as they come: a search that needs longer goes on where it stopped, until the page is full.
  async function look(pages, after) {
    const mine = ++turn;
    before = [...pages, after];
    list.setAttribute("aria-busy", "true");
    const found = [];
    let at = after;
    try {
      for (;;) {
        const page = await get(`${data}/rows`, { ...asked, size: asked.size - found.length, after: at });
        if (mine !== turn) return null; // a later question is under way
        found.push(...page.rows);
        const looking = !page.full && page.next && found.length < asked.size;
        list.replaceChildren(...found.map(line));
        if (!found.length && !looking) list.append(h("li", { class: "soft", "data-testid": "no-rows" }, narrowed() ? ["No row of this run matches. ", asked.key && lens(asked.key, "Look for the key in all runs of this migration."), asked.code && "A finding may be about an attribute, and names no row then: its message is in the tab Findings."] : "The run has no rows."));
        if (looking) total.textContent = `Searching: ${number(page.looked)} of ${number(page.of)} rows so far …`;
        pager(page);
        if (!looking) return page;
        at = page.next;
      }
    } catch (error) {
      if (mine === turn) list.replaceChildren(h("li", null, trouble(error)));
      made = undefined;
      return null;
    } finally {
      if (mine === turn) list.removeAttribute("aria-busy");
    }
  }

  async function ask(changed) {
    Object.assign(asked, changed);
    if (kinds) options();
    total.textContent = "";
    if (!(await look([], undefined))) return;
    if (orText !== null && !list.querySelector("[data-testid=row]")) {
      const text = orText;
      orText = null;
      await ask({ key: "", text });
      return;
    }
    orText = null;
    const mine = turn;
    total.textContent = "Counting …";
    try {
      const found = await get(`${data}/rows/total`, { ...NONE, ...Object.fromEntries(Object.keys(NONE).map((name) => [name, asked[name]])) });
      if (mine === turn) total.textContent = `${found.whole ? "" : "More than "}${plural(found.rows, "row")}`;
    } catch (error) {
      if (mine === turn) total.textContent = `Not counted: ${error.message}`;
    }
  }

  document.addEventListener("trueup:rows", (event) => {
    const { orText: text = null, ...which } = event.detail;
    Object.assign(asked, NONE, which);
    orText = text;
    if (made) ask({});
  });

  return {
    id: "rows", title: "Rows", element, count: () => null,
    async update(run) {
      const now = JSON.stringify([run.made.plan, run.ended]);
      if (made === now) return;
      bar.hidden = !run.made.plan;
      if (!run.made.plan || run.report?.schema) {
        replace(list, h("li", { class: "soft" }, run.report?.schema ? "A run on schemas has no rows." : "No rows yet: they can be looked at when the plan has been counted."));
        made = now;
        return;
      }
      made = now;
      try {
        await describe();
      } catch (error) {
        made = undefined;
        replace(about, trouble(error));
        return;
      }
      await ask({});
    },
  };
}
