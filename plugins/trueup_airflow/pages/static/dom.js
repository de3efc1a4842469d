// Elements from data. Text is only ever set as text: nothing that comes from a row is parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
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

// Put new children in place without losing what the person has opened, focused or scrolled.
export function replace(element, ...children) {
  const open = new Set([...element.querySelectorAll("details[open][id]")].map((d) => d.id));
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  const scrolled = new Map([...element.querySelectorAll(".scroll")].map((s, i) => [i, s.scrollLeft]));
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  for (const details of element.querySelectorAll("details[id]")) if (open.has(details.id)) details.open = true;
  element.querySelectorAll(".scroll").forEach((s, i) => (s.scrollLeft = scrolled.get(i) || 0));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
