// The question that a run waits with, answered where its plan is read: by Airflow's own API, as whoever is signed in.

import { h, icon, replace, value } from "./dom.js";
import { ask, asked, dagPath, leave, runPath, trouble } from "./host.js";
import { moment } from "./words.js";

function answer(question, choice, said, done) {
  return async (event) => {
    const form = event.currentTarget.closest("form");
    const comment = form.querySelector("textarea").value.trim();
    const buttons = [...form.querySelectorAll("button")];
    for (const button of buttons) button.disabled = true;
    try {
      const path = `${runPath().replace("/runs/", "/dagRuns/")}/taskInstances/${encodeURIComponent(question.task_id)}/${question.part}/hitlDetails`;
      await ask("PATCH", path, { chosen_options: [choice], params_input: { comment: comment || null, ...question.gives } });
      replace(said, h("p", { role: "status" }, `Answered: ${choice}. Airflow picks it up within seconds.`));
      said.focus(); // the buttons go with the question
      done();
    } catch (error) {
      replace(said, trouble(error));
      for (const button of buttons) button.disabled = false;
    }
  };
}

// `link`: the question in Airflow; `said`: where what became of the answer is told; `until`: what is not done before it;
// `more`: what else to know; `cost`: of a question that is about what something costs, that in words.
export function decide(question, { link, said, done, until = "Nothing is written before it is approved.", more = null, cost = null }) {
  const about = h("div", { class: "about" }, h("p", { class: "headline" }, value(question.subject)), more,
    h("p", { class: "soft" }, `Asked ${moment(question.since)}. ${until}`,
      question.plan_sha256 && [question.task_id === "approve_cost" ? " Cost " : " Plan ", h("code", null, question.plan_sha256.slice(0, 12)), ": what is approved is exactly this."]),
    cost && h("dl", { class: "row", "data-testid": "cost" }, Object.entries(cost).map(([name, said]) => h("div", null, h("dt", null, value(name)), h("dd", null, value(said))))),
    question.gives.range_sha256 && h("p", { "data-testid": "for-range" }, "One answer for all days of the range, each under its plan’s hash: ", leave(`${dagPath(asked.dag)}/plugin/migration-backfills`, {}, "the days and what each would write"), "."));
  const own = link && leave(link, { class: "button small", "data-testid": "go-approval" }, "In Airflow");
  if (!question.may_answer) {
    return h("div", { class: "notice approval", "data-testid": "wait-approval" }, icon("wait"), about, h("p", { class: "soft", "data-testid": "may-not-answer" }, "You can read it; somebody with permission to answer decides."));
  }
  const look = { Approve: "primary", Reject: "danger" };
  return h("form", { class: "notice approval", "data-testid": "wait-approval", "aria-label": "Decision", onsubmit: (event) => event.preventDefault() }, icon("wait"), about,
    h("label", { class: "comment" }, h("span", null, "Comment, for whoever reads the report"), h("textarea", { id: "comment", rows: 2, maxlength: 2000, "data-testid": "comment" })),
    h("div", { class: "actions" }, question.options.map((choice) => h("button", { type: "button", class: look[choice] || "", id: `decide-${choice}`, "data-testid": `decide-${choice.toLowerCase()}`, onclick: answer(question, choice, said, done) }, choice)), own));
}
