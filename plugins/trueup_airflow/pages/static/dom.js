// Elements from data. Text is only ever set as text: nothing that comes from a row is parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

// What an element does is kept beside it, so that one that is patched does what its newest picture does.
const HEARD = Symbol("heard");

function hear(element, type, action) {
  if (!element[HEARD]) element[HEARD] = {};
  if (!(type in element[HEARD])) element.addEventListener(type, (event) => element[HEARD][type]?.(event));
  element[HEARD][type] = action;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) hear(element, name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// A value from a row: isolated, so that right-to-left marks in it turn nothing around it.
export const value = (text, attributes) => h("bdi", { class: "value", ...attributes }, text === null || text === undefined ? "—" : text);

export const unseen = (text) => h("span", { class: "unseen" }, text);

const SHAPES = {
  good: "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm3.9 5.7-4.7 5.6a.8.8 0 0 1-1.2.1L3.9 9.2l1.1-1.1 1.5 1.5 4.2-5Z",
  bad: "M4.7 0h6.6L16 4.7v6.6L11.3 16H4.7L0 11.3V4.7Zm.6 4.2L4.2 5.3 6.9 8l-2.7 2.7 1.1 1.1L8 9.1l2.7 2.7 1.1-1.1L9.1 8l2.7-2.7-1.1-1.1L8 6.9Z",
  warn: "M8 .8 16 15H0Zm-.8 5v4.6h1.6V5.8Zm0 5.9v1.6h1.6v-1.6Z",
  note: "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm-.8 3.5h1.6v1.6H7.2Zm0 3.2h1.6v5.8H7.2Z",
  busy: "M8 0a8 8 0 1 0 8 8h-2.2A5.8 5.8 0 1 1 8 2.2Z",
  wait: "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm-.9 3.4h1.8v4.3l3 1.8-.9 1.5-3.9-2.4Z",
  idle: "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm0 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Z",
  skip: "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0ZM4 7.1h8v1.8H4Z",
};

export const icon = (kind) =>
  svg("svg", { class: `icon ${kind}`, viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, svg("path", { d: SHAPES[kind], "fill-rule": "evenodd" }));

// A state in words, with a mark that needs no colour to be told from the others.
export const mark = (kind, words, attributes) => h("span", { class: `mark ${kind}`, ...attributes }, icon(kind), words);

export const section = (id, title, ...children) =>
  h("section", { class: "part", id, "data-testid": id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), children);

// A table with headers. `columns`: {label, n (a number), text(row) → node or text, head (names the row)}.
export function table(columns, rows, { caption, testid, note } = {}) {
  const cell = (column, row) => {
    const attributes = { class: column.n ? "n" : column.wide ? "wide" : null, "data-label": column.label };
    const tag = column.head ? "th" : "td";
    return h(tag, column.head ? { ...attributes, scope: "row" } : attributes, column.text(row));
  };
  return h("div", { class: "scroll" },
    h("table", { "data-testid": testid },
      caption && h("caption", { class: note ? "unseen" : null }, caption),
      h("thead", null, h("tr", null, columns.map((c) => h("th", { scope: "col", class: c.n ? "n" : null }, c.label)))),
      h("tbody", null, rows.map((row) => h("tr", null, columns.map((c) => cell(c, row)))))));
}

// ── patching ─────────────────────────────────────────────────────────────────────────────────────────────────────────
// New children are brought in by changing what is there: what has focus keeps it, what is open, selected, typed or scrolled
// stays. An element is the same as an earlier one by its id, its data-testid, or its tag and place.

const named = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset?.testid || "" : "");
const alike = (old, now) => old.nodeType === now.nodeType && old.nodeName === now.nodeName && named(old) === named(now);
// what a person may have changed
const THEIRS = { DETAILS: ["open"], INPUT: ["value", "checked"], SELECT: ["value"], TEXTAREA: ["value"] };

function patch(old, now) {
  if (old === now) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  const theirs = THEIRS[old.nodeName] || [];
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name) && !theirs.includes(name)) old.removeAttribute(name);
  for (const { name, value } of [...now.attributes]) if (old.getAttribute(name) !== value && !theirs.includes(name)) old.setAttribute(name, value);
  for (const type of Object.keys(old[HEARD] || {})) old[HEARD][type] = undefined;
  for (const [type, action] of Object.entries(now[HEARD] || {})) hear(old, type, action);
  if (old.nodeName !== "TEXTAREA") bring(old, [...now.childNodes]);
}

function bring(parent, wanted) {
  const kept = new Map();
  for (const child of parent.childNodes) if (named(child)) kept.set(named(child), [...(kept.get(named(child)) || []), child]);
  let at = parent.firstChild;
  const put = (node) => {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  };
  const live = new Set(wanted);
  for (const now of wanted) {
    if (now.parentNode === parent) {
      put(now);
      continue;
    }
    while (at && !live.has(at) && named(at) && !wanted.some((one) => alike(at, one))) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    const before = named(now) ? kept.get(named(now))?.shift() : at;
    if (before && !live.has(before) && before.parentNode === parent && alike(before, now)) {
      put(before);
      patch(before, now);
    } else put(now);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

export function replace(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const nodes = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  bring(element, nodes.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  // an element that changes its place, or is made anew, loses the focus that it had
  if (!focused || focused === document.activeElement) return;
  const now = focused.isConnected ? focused : focused.id && document.getElementById(focused.id);
  if (now) now.focus({ preventScroll: true });
}
