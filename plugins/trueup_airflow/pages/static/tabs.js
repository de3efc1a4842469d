// Tabs as the keyboard knows them: arrows move, Home and End jump, the panel follows.

import { h } from "./dom.js";

// `parts`: {id, title, element, count(run) → text or null, update(run), there(run): whether runs of its kind have it}. Only what is open is asked for.
export function tabs(parts) {
  const [wanted] = location.hash.split("?"); // a tab may be told more behind it
  let open = parts.find((part) => `#${part.id}` === wanted) || parts[0];
  let last = null;
  const buttons = parts.map((part) =>
    h("button", { type: "button", role: "tab", id: `tab-${part.id}`, "aria-controls": `panel-${part.id}`, "data-testid": `tab-${part.id}`, onclick: () => choose(part), onkeydown: key },
      part.title, h("span", { class: "count" })));
  const panels = parts.map((part) => h("div", { role: "tabpanel", id: `panel-${part.id}`, "aria-labelledby": `tab-${part.id}`, tabindex: "0", "data-testid": `panel-${part.id}` }, part.element));

  function mark() {
    parts.forEach((part, i) => {
      const chosen = part === open;
      buttons[i].setAttribute("aria-selected", String(chosen));
      buttons[i].tabIndex = chosen ? 0 : -1;
      panels[i].hidden = !chosen;
    });
  }

  function choose(part) {
    open = part;
    history.replaceState(null, "", `#${part.id}`);
    mark();
    if (last) part.update(last);
  }

  function key(event) {
    const shown = parts.filter((_, i) => !buttons[i].hidden);
    const at = shown.indexOf(open);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(shown[(to + shown.length) % shown.length]);
    buttons[parts.indexOf(open)].focus();
  }

  mark();
  return {
    element: h("div", { class: "tabs" }, h("div", { role: "tablist", "aria-label": "Evidence of the run" }, buttons), panels),
    async update(run) {
      last = run;
      parts.forEach((part, i) => (buttons[i].hidden = Boolean(part.there && !part.there(run))));
      if (buttons[parts.indexOf(open)].hidden) choose(parts[0]);
      parts.forEach((part, i) => (buttons[i].querySelector(".count").textContent = part.count(run) || ""));
      await open.update(run);
    },
  };
}
