// What a hand touches: faders that are native sliders with decibels as their spoken text, slides, switches, and choices.

const UNITY = 0.75;      // place of 0 dB on the travel
const TOP_DB = 12;
const STEPS = 1000;
const HANDS_OFF_MS = 300; // what the engine says of a control is ignored this long after it was touched here

export const decibels = (gain) => (gain <= 1e-6 ? -120 : 20 * Math.log10(gain));
export const dbText = (db) => (db <= -119.9 ? "−∞ dB" : `${(Math.round(10 * db) / 10 + 0).toFixed(1)} dB`);

export const dbSpoken = (db) => (db <= -119.9 ? "silent" : dbText(db));

// Square law below 0 dB, straight in dB above: the engine's own fader curve.
const placeOf = (db) => (db >= 0 ? UNITY + (db / TOP_DB) * (1 - UNITY) : UNITY * Math.sqrt(db <= -119.9 ? 0 : 10 ** (db / 20)));
const dbAt = (place) => (place >= UNITY ? ((place - UNITY) / (1 - UNITY)) * TOP_DB : decibels((place / UNITY) ** 2));

export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

class Control {
  constructor(link, name, input) {
    Object.assign(this, { link, name, input, touched: 0 });
    input.dataset.param = name;
    input.classList.add("learnable");
  }
  touch(value) { this.touched = performance.now(); this.link.set(this.name, value); this.show(value); }
  update(value) { if (performance.now() - this.touched > HANDS_OFF_MS) this.show(value); }
}

export class Fader extends Control {
  constructor(link, name, label, direction = "vertical") {
    super(link, name, element("input", { type: "range", class: `fader ${direction}`, min: 0, max: STEPS, step: 1, "aria-label": `${label} level`, "aria-orientation": direction }));
    this.text = element("span", { class: "level" });
    this.input.addEventListener("input", () => this.touch(dbAt(this.input.value / STEPS)));
    this.input.addEventListener("dblclick", () => this.touch(0));
    this.input.addEventListener("keydown", (event) => this.#key(event));
  }
  #key(event) {
    const step = { ArrowUp: 0.5, ArrowRight: 0.5, ArrowDown: -0.5, ArrowLeft: -0.5, PageUp: 3, PageDown: -3 }[event.key];
    const target = { Home: -120, End: TOP_DB, 0: 0 }[event.key];
    if (step === undefined && target === undefined) return;
    event.preventDefault();
    const from = Math.max(this.db, -60);
    const db = target ?? Math.min(TOP_DB, from + step);
    this.touch(db <= -60 ? -120 : db);
  }
  show(db) {
    if (this.db !== undefined && Math.abs(db - this.db) < 1e-4) return;
    this.db = db;
    this.input.value = Math.round(placeOf(db) * STEPS);
    this.input.setAttribute("aria-valuetext", dbSpoken(db));
    this.text.textContent = dbText(db);
  }
}

export class Slide extends Control {
  constructor(link, name, label, low, high, text) {
    super(link, name, element("input", { type: "range", min: low, max: high, step: 0.01, "aria-label": label }));
    Object.assign(this, { say: text, neutral: name.endsWith("width") || name.endsWith("blend") ? 1 : 0 });
    this.input.addEventListener("input", () => this.touch(Number(this.input.value)));
    this.input.addEventListener("dblclick", () => this.touch(this.neutral));
  }
  show(value) {
    if (value === this.value) return;
    this.value = value;
    this.input.value = value;
    this.input.setAttribute("aria-valuetext", this.say(value));
  }
}

export class Switch extends Control {
  // `exclusive`: what a click with shift does instead.
  constructor(link, name, sign, label, kind, exclusive = null) {
    super(link, name, element("button", { type: "button", class: kind, "aria-label": label, "aria-pressed": "false" }, sign));
    this.input.addEventListener("click", (event) => (event.shiftKey && exclusive ? exclusive() : this.touch(this.on ? 0 : 1)));
  }
  show(value) {
    this.on = value >= 0.5;
    this.input.setAttribute("aria-pressed", String(this.on));
  }
}

export class Choice extends Control {
  constructor(link, name, label, options) {
    super(link, name, element("select", { "aria-label": label }, ...options.map((text, value) => element("option", { value }, text))));
    this.input.addEventListener("change", () => this.touch(Number(this.input.value)));
  }
  show(value) {
    this.value = Math.round(value);
    this.input.value = String(this.value);
  }
}
