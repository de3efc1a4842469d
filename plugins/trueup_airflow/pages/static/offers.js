// What may be done next: a form to open filled, or tasks to be done again. The server says which; Airflow does it.

import { h, replace } from "./dom.js";
import { ask, dagPath, startPage, trouble } from "./host.js";

const LOOK = { apply: "primary", retry: "primary", run: "primary", roll_back: "danger", cut_over: "" };

function again(offer, said, done) {
  return async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      const asked = { dry_run: false, task_ids: offer.clears, only_failed: false, include_downstream: true, reset_dag_runs: true };
      await ask("POST", `${dagPath()}/clearTaskInstances`, { ...asked, dag_run_id: document.body.dataset.run });
      replace(said, h("p", { role: "status" }, "Retrying, with every step after it."));
      said.focus(); // the button goes
      done?.();
    } catch (error) {
      replace(said, trouble(error));
    } finally {
      button.disabled = false;
    }
  };
}

// `named`: what a button is about, for who cannot see where it stands; `done`: called when something was begun.
export function offers(list, { named = "", said = h("div"), done = null, id = (kind) => `offer-${kind}` } = {}) {
  return list.map((offer, at) => {
    const look = `button small ${at === 0 || offer.kind === "roll_back" ? LOOK[offer.kind] : ""}`;
    const attributes = { class: look, id: id(offer.kind), "data-testid": id(offer.kind), "aria-label": named ? `${offer.title} ${named}` : null };
    if (offer.form) return h("a", { ...attributes, href: startPage(offer.form.dag_id, offer.form.conf) }, offer.title);
    return h("button", { ...attributes, type: "button", onclick: again(offer, said, done) }, offer.title);
  });
}

