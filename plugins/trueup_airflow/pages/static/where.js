// Where it is: environment, what each server says it is, and which code. Red where a mistake is one in earnest.

import { h, unseen, value } from "./dom.js";

const code = (found) => found && h("span", { class: "code", title: `SHA-256 of the migration’s folder: ${found.sha256}` }, "code ",
  h("code", null, found.sha256.slice(0, 12)), found.commit && [" · commit ", h("code", null, value(found.commit)), found.changed && " with changes"]);

function place(one) {
  return h("span", { class: "place", "data-testid": `place-${one.connection}` }, h("b", null, value(one.connection)), " ",
    one.place ? h("code", null, value(one.place)) : h("span", { class: "bad", title: one.error }, "did not answer"));
}

export function where(found, attributes) {
  if (!found) return null;
  return h("p", { class: `where${found.live ? " live" : ""}`, "data-testid": "where", ...attributes },
    h("span", { class: "environment" }, unseen("Environment: "), value(found.environment)),
    found.places.map(place), code(found.code));
}
