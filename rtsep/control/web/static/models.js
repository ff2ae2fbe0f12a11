// The list of models and tiers: choosing one changes over while audio goes on.

import { element } from "/controls.js";

export class ModelList {
  constructor(select, ask, tell) {
    this.select = select;
    select.addEventListener("change", async () => {
      const [model, tier] = select.value.split(" ");
      const answer = await ask({ do: "model-change", model, tier });
      if (answer.ok) tell(`${answer.data} is loading; dry is heard until it has.`);
      else this.show(this.present);
    });
  }

  offer(models) {
    this.select.replaceChildren(...models.map(({ name, summary, missing, tiers }) => {
      const options = tiers.map((tier) => element("option", { value: `${name} ${tier.name}`, title: tier.summary }, `${name} ${tier.name} (${tier.latency_ms.toFixed(0)} ms in all)`));
      if (missing) options.push(element("option", { value: name, disabled: "", title: missing }, `${name} (not installed)`));
      return element("optgroup", { label: name, title: summary }, ...options);
    }));
  }

  show(present) {
    this.present = present;
    this.select.value = present;
  }
}
