// The form of a DAG, filled: its fields are the DAG's params, as Airflow says them; Airflow starts the run, and refuses what
// does not fit.

import { h, replace, value } from "./dom.js";
import { alone, ask, dagPath, get, go, leave, tab, trouble } from "./host.js";
import { where } from "./where.js";
import { sentence, words } from "./words.js";

const view = document.getElementById("view");
const given = (() => {
  try {
    return JSON.parse(decodeURIComponent(location.hash.slice(1))) || {};
  } catch {
    return {};
  }
})();
const said = h("div", { "aria-live": "assertive" });

const types = (schema) => [schema.type ?? []].flat();
const kind = (schema) => {
  if (schema.enum) return "choice";
  if (types(schema).includes("boolean")) return "switch";
  if (types(schema).includes("integer") || types(schema).includes("number")) return "number";
  return types(schema).includes("array") && !types(schema).includes("string") ? "lines" : "text";
};

function control(name, schema, now) {
  const id = `field-${name}`;
  const about = { id, name, "data-testid": id, "aria-describedby": schema.description ? `about-${name}` : null };
  switch (kind(schema)) {
    case "choice": {
      const made = h("select", about, schema.enum.map((one) => h("option", { value: JSON.stringify(one), selected: one === now }, value(schema.values_display?.[one] ?? (one === null ? "none" : one)))));
      return made;
    }
    case "switch":
      return h("input", { ...about, type: "checkbox", checked: now === true });
    case "number":
      return h("input", { ...about, type: "number", step: types(schema).includes("integer") ? 1 : "any", min: schema.minimum, max: schema.maximum, value: now });
    case "lines":
      return h("textarea", { ...about, rows: 2 }, (now || []).join("\n"));
    default:
      return h("input", { ...about, type: "text", maxlength: schema.maxLength, minlength: schema.minLength, pattern: schema.pattern, required: !types(schema).includes("null") && schema.minLength > 0, value: now });
  }
}

function read(form, name, schema) {
  const field = form.elements[name];
  const text = field.value.trim();
  switch (kind(schema)) {
    case "choice":
      return JSON.parse(field.value);
    case "switch":
      return field.checked;
    case "number":
      return text === "" ? null : Number(text);
    case "lines":
      return text.split("\n").map((one) => one.trim()).filter(Boolean);
    default:
      return text === "" ? null : text;
  }
}

function field(name, param) {
  const schema = param.schema || {};
  const now = name in given ? given[name] : param.value;
  const filled = name in given && JSON.stringify(given[name]) !== JSON.stringify(param.value);
  return h("div", { class: `field ${kind(schema)}${filled ? " filled" : ""}` }, h("label", { for: `field-${name}` }, value(schema.title || sentence(words(name))), filled && h("span", { class: "chip" }, "filled in")),
    control(name, schema, now), (schema.description || param.description) && h("small", { id: `about-${name}` }, value(schema.description || param.description)));
}

function send(params) {
  return async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try {
      const conf = Object.fromEntries(Object.entries(params).map(([name, param]) => [name, read(form, name, param.schema || {})]));
      const run = await ask("POST", `${dagPath()}/dagRuns`, { logical_date: null, conf });
      replace(said, h("p", { role: "status" }, "Started."));
      go(tab(run.dag_id, run.dag_run_id));
    } catch (error) {
      replace(said, trouble(error));
      button.disabled = false;
    }
  };
}

function sections(params) {
  const found = new Map([["", []]]);
  for (const [name, param] of Object.entries(params)) {
    const section = param.schema?.section || "";
    found.set(section, [...(found.get(section) || []), field(name, param)]);
  }
  return [...found].map(([name, fields]) => {
    if (!name) return h("div", { class: "fields" }, fields);
    return h("details", { id: `section-${name}`, open: fields.some((one) => one.classList.contains("filled")) }, h("summary", null, h("b", null, value(name))), h("div", { class: "fields" }, fields));
  });
}

function doing(start) {
  if (start.dag_id.endsWith("_rollback")) return ["Roll back", "Plan the rollback", "danger"];
  if (start.dag_id.endsWith("_cutover")) return ["Cut over", "Start the cutover", "primary"];
  return given.plan ? ["Apply this plan", "Apply this plan", "primary"] : ["Run", "Start the run", "primary"];
}

try {
  const [start, dag] = await Promise.all([get(`${dagPath()}/start`), ask("GET", `${dagPath()}/details`)]);
  const [title, button, look] = doing(start);
  const params = dag.params || {};
  document.title = `${title}: ${start.title} – Trueup`;
  replace(view, h("header", { class: "head" }, h("div", null, h("h1", null, `${title}: `, value(start.title)), start.purpose && h("p", { class: "soft" }, value(start.purpose))),
    h("div", { class: "actions" }, leave(dagPath(), { class: "button small" }, "Airflow’s own form"), alone())), where(start.where),
    given.plan && h("p", { class: "notice", "data-testid": "only-this-plan" }, h("span", null, "It plans again, and goes on only if its plan is ", h("code", null, value(String(given.plan).slice(0, 12))), " once more. If it differs, nothing is written, and both hashes are named.")),
    start.may_run ? h("form", { class: "start", "data-testid": "start-form", onsubmit: send(params) }, sections(params), h("div", { class: "actions" }, h("button", { type: "submit", class: look, "data-testid": "start" }, button)), said)
      : h("p", { class: "notice", "data-testid": "may-not-start" }, "You can see this DAG’s runs, but may not start one."));
} catch (error) {
  replace(view, trouble(error));
}
view.setAttribute("aria-busy", "false");
