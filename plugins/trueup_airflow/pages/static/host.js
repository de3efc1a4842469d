// The server, and Airflow's UI around the frame.

import { h } from "./dom.js";

const FAST = 2000;
const SLOW = 15000;

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// What was answered to a question before, with its name: while nothing has changed, the server says so and no more.
const answers = new Map();
const KEPT = 64;

export async function get(path, parameters = {}) {
  const url = new URL(`data/${path}`, location.href);
  for (const [name, value] of Object.entries(parameters)) if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  const before = answers.get(url.href);
  const response = await send(url, before ? { headers: { Accept: "application/json", "If-None-Match": before.name } } : {});
  if (response.status === 304) return before.answer;
  const answer = await read(response);
  answers.delete(url.href);
  const name = response.headers.get("ETag");
  if (name) answers.set(url.href, { name, answer });
  if (answers.size > KEPT) answers.delete(answers.keys().next().value);
  return answer;
}

// Airflow's own public API, as whoever is signed in: what a page does, Airflow allows, does and enters in its log.
export async function ask(method, path, body) {
  const url = new URL(`api/v2/${path}`, root);
  const sent = body === undefined ? {} : { headers: { Accept: "application/json", "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return read(await send(url, { method, ...sent }));
}

async function send(url, options) {
  try {
    return await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" }, ...options });
  } catch {
    throw new Refused(0, "The server did not answer.");
  }
}

async function read(response) {
  if (response.ok) return response.json();
  let detail = null;
  try {
    detail = (await response.json()).detail;
  } catch {
    // the answer is not ours; the status says enough
  }
  if (Array.isArray(detail)) detail = detail.map((one) => one.msg).filter(Boolean).join("; ");
  throw new Refused(response.status, typeof detail === "string" && detail ? detail : `The server answered ${response.status}.`);
}

const ADVICE = {
  0: "Is Airflow running, and this computer online? The page tries again by itself.",
  401: "You are no longer signed in: reload the window and sign in again.",
  403: "Ask for permission to read this DAG’s runs.",
  404: "It may have been deleted.",
  503: "The page tries again by itself.",
};

export const trouble = (error) =>
  h("div", { class: "trouble", role: "alert", "data-testid": "error" },
    h("h2", null, error instanceof Refused ? "This cannot be shown now" : "This page has a fault"),
    h("p", null, error.message), h("p", { class: "soft" }, ADVICE[error.status] ?? "The log of the API server says more. The page tries again by itself."));

// Call `show` now and then again, fast while it returns true; not while nobody can see it.
export function live(show) {
  let timer = null;
  let under = false;
  const round = async () => {
    clearTimeout(timer);
    if (under || document.hidden) return;
    under = true;
    let fast = false;
    try {
      fast = await show();
    } finally {
      under = false;
      timer = setTimeout(round, fast ? FAST : SLOW);
    }
  };
  document.addEventListener("visibilitychange", round);
  round();
  return round;
}

const framed = () => window.parent !== window;

// The root of Airflow's UI: our pages are mounted below it.
const root = new URL("../../", location.href.replace(/[?#].*$/, ""));

// A tab of ours in Airflow's UI as a page of its own: who reads one on its own, for want of room, stays there.
function own(path) {
  const [, dag, run, view] = /^dags\/([^/]+)(?:\/runs\/([^/]+))?\/plugin\/migration(?:-([a-z]+))?$/.exec(path) || [];
  if (path === "plugin/migrations") return ".";
  if (!dag) return null;
  return run && !view ? `run?dag_id=${dag}&run_id=${run}` : !run && view ? `${view}?dag_id=${dag}` : null;
}

const placed = (path) => (!framed() && own(path) ? new URL(own(path), location.href) : new URL(path, root));

// A link to a page of Airflow's UI, which leaves the frame: the UI routes it without loading itself again.
export function leave(path, attributes, ...children) {
  const follow = (event) => {
    if (!framed() || event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0) return;
    event.preventDefault();
    go(path);
  };
  return h("a", { href: placed(path).href, onclick: follow, ...attributes }, ...children);
}

// A link to a page of its own, beside Airflow's: a frame may not open one, so the window around it does.
export function aside(href, attributes, ...children) {
  const target = new URL(href, location.href);
  const go = (event) => {
    if (!framed()) return;
    event.preventDefault();
    const opener = window.parent.document.createElement("a");
    Object.assign(opener, { href: target.href, target: "_blank", rel: "noopener" });
    opener.click();
  };
  return h("a", { href: target.href, target: "_blank", rel: "noopener", onclick: go, ...attributes }, ...children);
}

// This page without Airflow's frame around it; there, the way to all the others.
export const alone = () => (framed() ? aside(location.href, { class: "button small", "data-testid": "open-alone" }, "Open on its own")
  : asked.dag && h("a", { href: ".", class: "button small", "data-testid": "all-migrations" }, "All migrations"));

// Go to a page of Airflow's UI, out of the frame.
export function go(path) {
  const target = placed(path);
  if (!framed()) {
    location.assign(target);
    return;
  }
  window.parent.history.pushState({}, "", target);
  window.parent.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

export const asked = { dag: document.body.dataset.dag, run: document.body.dataset.run, title: document.body.dataset.title };
export const dagPath = (dag = asked.dag) => `dags/${encodeURIComponent(dag)}`;
export const runPath = (dag = asked.dag, run = asked.run) => `${dagPath(dag)}/runs/${encodeURIComponent(run)}`;
// Our own form of a DAG, filled; it stays in the frame.
export const startPage = (dag, conf) => `start?dag_id=${encodeURIComponent(dag)}${Object.keys(conf || {}).length ? `#${encodeURIComponent(JSON.stringify(conf))}` : ""}`;
export const tab = (dag, run) => `${runPath(dag, run)}/plugin/migration`;
