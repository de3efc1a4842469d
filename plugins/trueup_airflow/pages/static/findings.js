// Findings: filtered, searched and paged by the server.

import { h, icon, mark, replace, value } from "./dom.js";
import { get, trouble } from "./host.js";
import { lens } from "./row.js";
import { showRows } from "./rows.js";
import { number, plural } from "./words.js";

const SIZES = [10, 25, 50, 100];
const PAUSE = 250;

export function findings(data, file) {
  const asked = { severity: "", code: "", phase: "", search: "", page: 1, size: 25 };
  const results = h("div", { "aria-live": "polite" });
  const choices = {};
  let made;
  let turn = 0;

  const choice = (name, label) =>
    h("label", null, h("span", null, label), (choices[name] = h("select", { id: `filter-${name}`, "data-testid": `filter-${name}`, onchange: (event) => ask({ [name]: event.target.value }) })));
  let pause = null;
  const typed = (event) => {
    clearTimeout(pause);
    pause = setTimeout(() => ask({ search: event.target.value }), PAUSE);
  };
  const search = h("input", { id: "findings-search", "data-testid": "findings-search", type: "search", placeholder: "Key or message …", autocomplete: "off", maxlength: "500", oninput: typed });
  const downloads = h("div", { class: "actions" });
  const bar = h("form", { class: "filters", role: "search", "aria-label": "Filter findings", onsubmit: (event) => event.preventDefault() },
    choice("severity", "Severity"), choice("code", "Code"), choice("phase", "Phase"), h("label", { class: "grow" }, h("span", null, "Search"), search));
  const element = h("div", null, bar, downloads, results);

  function options(counts) {
    for (const name of Object.keys(choices)) {
      const totals = new Map();
      for (const one of counts) {
        const others = Object.keys(choices).filter((other) => other !== name);
        if (others.every((other) => !asked[other] || one[other] === asked[other])) totals.set(one[name], (totals.get(one[name]) || 0) + one.count);
      }
      if (asked[name] && !totals.has(asked[name])) totals.set(asked[name], 0);
      const list = [h("option", { value: "" }, "all"), [...totals].map(([text, n]) => h("option", { value: text }, `${text} (${number(n)})`))].flat();
      choices[name].replaceChildren(...list);
      choices[name].value = asked[name];
    }
  }

  async function whole(number, cell) {
    try {
      const found = await get(`${data}/findings/${number}`);
      replace(cell, h("div", { class: "whole", tabindex: "0" }, value(found.message ?? "")), found.key?.length > 100 && h("p", null, "Key: ", value(found.key)));
    } catch (error) {
      replace(cell, trouble(error));
    }
  }

  function line(one) {
    const message = h("td", { class: "wide", "data-label": "Message" }, value(one.message));
    if (one.cut) message.append(" … ", h("button", { type: "button", class: "link", onclick: () => whole(one.number, message) }, "Show the whole"));
    return h("tr", { "data-testid": "finding" },
      h("td", { "data-label": "Severity" }, mark(one.severity === "reject" ? "bad" : "warn", one.severity)),
      h("th", { scope: "row", "data-label": "Code" }, h("code", null, value(one.code))),
      h("td", { "data-label": "Phase" }, value(one.phase)),
      h("td", { class: "key", "data-label": "Key" }, h("code", null, lens(one.key)),
        h("button", { type: "button", class: "link small", "data-testid": "open-row", onclick: () => showRows({ key: one.key, phase: one.phase || "", ...(one.severity === "reject" ? { verb: "rejected" } : { orText: one.key }) }) }, one.severity === "reject" ? "Open the rejected row" : "Open its rows")), message);
  }

  function pager(found) {
    const pages = Math.max(Math.ceil(found.total / asked.size), 1);
    const to = (page, label, id) => h("button", { type: "button", class: "small", id, "data-testid": id, disabled: page < 1 || page > pages, onclick: () => ask({ page }) }, label);
    const sizes = h("select", { id: "page-size", "aria-label": "Findings a page", onchange: (event) => ask({ size: Number(event.target.value) }) }, SIZES.map((n) => h("option", { value: n }, `${n} a page`)));
    sizes.value = String(asked.size);
    return h("div", { class: "pager", "data-testid": "pager" }, to(asked.page - 1, "Previous", "page-previous"), h("span", null, `page ${number(asked.page)} of ${number(pages)}`), to(asked.page + 1, "Next", "page-next"), sizes);
  }

  function show(found) {
    if (!found.there) return h("p", { class: "soft" }, "No findings yet: they are published when the plan has been counted.");
    const narrowed = asked.severity || asked.code || asked.phase || asked.search;
    if (!found.total) return h("p", { class: "soft", "data-testid": "no-findings" }, narrowed ? ["No finding matches. Choose “all”, or a shorter search. ", asked.search && [lens(asked.search, "Look for it as a key in all runs"), ", or ", h("button", { type: "button", class: "link", onclick: () => showRows({ text: asked.search }) }, "as text in all rows of this run"), "."]] : [icon("good"), " No finding: every source row could be carried over as it is."]);
    const head = ["Severity", "Code", "Phase", "Key", "Message"];
    return [h("p", { class: "soft", "data-testid": "findings-total" }, plural(found.total, "finding")),
      h("div", { class: "scroll" }, h("table", { class: "findings stack", "data-testid": "findings-table" }, h("caption", { class: "unseen" }, "Findings"),
        h("thead", null, h("tr", null, head.map((name) => h("th", { scope: "col" }, name)))), h("tbody", null, found.rows.map(line)))), pager(found)];
  }

  async function ask(changed) {
    Object.assign(asked, { page: 1 }, changed);
    const mine = ++turn;
    results.setAttribute("aria-busy", "true");
    try {
      const found = await get(`${data}/findings`, asked);
      if (mine !== turn) return; // a later question is under way
      options(found.counts);
      replace(results, show(found));
    } catch (error) {
      if (mine === turn) replace(results, trouble(error));
      made = undefined;
    } finally {
      if (mine === turn) results.removeAttribute("aria-busy");
    }
  }

  return {
    id: "findings", title: "Findings", element,
    count: (run) => {
      const found = (run.report?.findings || []).reduce((sum, one) => sum + one.count, 0);
      return found ? number(found) : null;
    },
    async update(run) {
      const now = JSON.stringify([run.made.plan, run.made.findings, run.applied.reduce((sum, phase) => sum + phase.conflicts, 0), run.ended]);
      if (made === now) return;
      made = now;
      bar.hidden = !run.made.findings;
      const save = (name, label, there) => there && h("a", { class: "button small", href: file(name), download: "", "data-testid": `download-${name}` }, label);
      replace(downloads, save("rejects.csv", "Rejected rows, CSV", run.made.rejects), save("rejects.jsonl", "Rejected rows, JSONL", run.made.rejects), save("findings.csv", "All findings, CSV", run.made.findings));
      await ask({ page: asked.page });
    },
  };
}
