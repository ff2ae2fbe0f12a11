// Channel strips: faders that are native sliders with decibels as their spoken text, mute, solo, pan, width, meters with hold.

const UNITY = 0.75;      // place of 0 dB on the travel
const TOP_DB = 12;
const STEPS = 1000;
const HOLD_MS = 1700;
const FALL_DB_PER_S = 24;
const HANDS_OFF_MS = 300; // what the engine says of a control is ignored this long after it was touched here
const METER_FLOOR_DB = -60;

export const decibels = (gain) => (gain <= 1e-6 ? -120 : 20 * Math.log10(gain));
export const dbText = (db) => (db <= -119.9 ? "-inf" : `${db.toFixed(1)} dB`);

// Square law below 0 dB, straight in dB above: the engine's own fader curve.
export const placeOf = (db) => (db >= 0 ? UNITY + (db / TOP_DB) * (1 - UNITY) : UNITY * Math.sqrt(db <= -119.9 ? 0 : 10 ** (db / 20)));
export const dbAt = (place) => (place >= UNITY ? ((place - UNITY) / (1 - UNITY)) * TOP_DB : decibels((place / UNITY) ** 2));

const element = (tag, attributes = {}, ...children) => {
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
  constructor(link, name, label) {
    super(link, name, element("input", { type: "range", class: "fader", min: 0, max: STEPS, step: 1, "aria-label": `${label} level`, "aria-orientation": "vertical" }));
    this.text = element("output");
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
    this.input.setAttribute("aria-valuetext", dbText(db));
    this.text.textContent = dbText(db);
  }
}

class Slide extends Control {
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

class Switch extends Control {
  constructor(link, name, sign, label, kind) {
    super(link, name, element("button", { type: "button", class: kind, "aria-label": label, "aria-pressed": "false" }, sign));
    this.input.addEventListener("click", (event) => {
      if (event.shiftKey && kind === "solo") link.ask({ do: "solo-only", stem: name.split(".")[1] });
      else this.touch(this.on ? 0 : 1);
    });
  }
  show(value) { this.on = value >= 0.5; this.input.setAttribute("aria-pressed", String(this.on)); }
}

class Meter {
  constructor(label, row) {
    Object.assign(this, { row, held: [-120, -120], heldAt: [0, 0], shown: [-120, -120] });
    this.canvas = element("canvas", { width: 18, height: 200, role: "meter", "aria-label": `${label} peak`, "aria-valuemin": METER_FLOOR_DB, "aria-valuemax": 0 });
  }
  draw(peaks, rms, now) {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    const y = (db) => height * Math.min(1, Math.max(0, db / METER_FLOOR_DB));
    context.clearRect(0, 0, width, height);
    const seconds = Math.min(0.2, (now - (this.before ?? now)) / 1000);
    this.before = now;
    for (const side of [0, 1]) {
      const peak = decibels(peaks[this.row + side]);
      this.shown[side] = Math.max(peak, this.shown[side] - FALL_DB_PER_S * seconds);
      if (peak >= this.held[side] || now - this.heldAt[side] > HOLD_MS) { this.held[side] = peak; this.heldAt[side] = now; }
      const x = side * (width / 2 + 0.5), wide = width / 2 - 1;
      context.fillStyle = this.shown[side] > -1 ? "#ff6b5e" : this.shown[side] > -9 ? "#f0b429" : "#2f9e6b";
      context.fillRect(x, y(this.shown[side]), wide, height);
      context.fillStyle = "#8df0c2";
      context.fillRect(x, y(decibels(rms[this.row + side])), wide, height);
      context.fillStyle = "#ffffff";
      if (this.held[side] > METER_FLOOR_DB) context.fillRect(x, y(this.held[side]), wide, 2);
    }
    const loudest = Math.max(...this.held);
    if (Math.abs(loudest - (this.spoken ?? 99)) > 1) {
      this.spoken = loudest;
      this.canvas.setAttribute("aria-valuenow", Math.max(METER_FLOOR_DB, loudest).toFixed(0));
      this.canvas.setAttribute("aria-valuetext", dbText(loudest));
    }
  }
}

// Builds every strip into `root`; returns what updates them.
export function buildStrips(root, link, { stems, made }) {
  const controls = [], meters = [], clips = [];
  root.replaceChildren();
  const percent = (value) => `${Math.round(100 * value)} %`;
  const panText = (value) => (Math.abs(value) < 0.005 ? "centre" : `${Math.round(100 * Math.abs(value))} % ${value < 0 ? "left" : "right"}`);
  const strip = (key, label, row, fader, knobs, switches, present) => {
    const meter = new Meter(label, row);
    const clip = element("button", { type: "button", class: "clip", "aria-label": `${label}: clear clip`, "data-lit": "no" });
    clip.addEventListener("click", () => link.ask({ do: "clear-clips" }));
    const box = element("section", { class: present ? "strip" : "strip absent", "aria-label": label },
      element("h2", {}, label), clip, element("div", { class: "travel" }, fader.input, meter.canvas), fader.text,
      element("div", { class: "pair" }, ...switches.map((control) => control.input)),
      ...knobs.map(([control, word]) => element("label", {}, word, control.input)));
    box.style.setProperty("--colour", `var(--${key})`);
    root.append(box);
    controls.push(fader, ...switches, ...knobs.map(([control]) => control));
    meters.push(meter);
    clips.push([clip, row]);
  };
  stems.forEach((stem, slot) => {
    const label = stem[0].toUpperCase() + stem.slice(1), name = `stem.${stem}`;
    strip(stem, label, 2 + 2 * slot, new Fader(link, `${name}.gain_db`, label), [
      [new Slide(link, `${name}.pan`, `${label} pan`, -1, 1, panText), "pan"],
      [new Slide(link, `${name}.width`, `${label} width`, 0, 2, percent), "width"],
    ], [new Switch(link, `${name}.mute`, "M", `${label} mute`, "mute"), new Switch(link, `${name}.solo`, "S", `${label} solo (with shift: only this)`, "solo")],
    made.includes(stem));
  });
  strip("master", "Mix", 0, new Fader(link, "master.gain_db", "Mix"), [
    [new Slide(link, "master.karaoke", "Karaoke: vocals away", 0, 1, percent), "karaoke"],
    [new Slide(link, "master.blend", "Stems against input", 0, 1, percent), "stems / input"],
  ], [new Switch(link, "master.limiter", "Lim", "Limiter", "limiter")], true);
  return {
    update(frame, now) {
      for (const control of controls) control.update(frame.values[control.name]);
      for (const meter of meters) meter.draw(frame.peaks, frame.rms, now);
    },
    showClips(mask) {
      for (const [lamp, row] of clips) lamp.dataset.lit = mask & (3 << row) ? "yes" : "no";
    },
  };
}
