// Channel strips of stems, mix and groups.

import { Choice, Fader, Slide, Switch, element } from "/controls.js";
import { Meter } from "/meter.js";

const percent = (value) => `${Math.round(100 * value)} %`;
const panText = (value) => (Math.abs(value) < 0.005 ? "centre" : `${Math.round(100 * Math.abs(value))} % ${value < 0 ? "left" : "right"}`);
const capital = (name) => name[0].toUpperCase() + name.slice(1);

// Builds every strip; returns what updates them. `ask` tells the player if the engine says no.
export function buildStrips(mixer, desk, link, ask, { stems, groups, morph }) {
  const controls = [], meters = [], clips = [], boxes = new Map();
  mixer.replaceChildren();
  const strip = (key, label, pair, fader, knobs, switches, more = []) => {
    const meter = new Meter(label, pair);
    const clip = element("button", { type: "button", class: "clip", "aria-label": `${label}: clear clip`, "data-lit": "no" });
    clip.addEventListener("click", () => ask({ do: "clear-clips" }));
    const box = element("section", { class: "strip", "aria-label": label },
      element("h2", {}, label), clip, element("div", { class: "travel" }, fader.input, meter.canvas), fader.text,
      element("div", { class: "pair" }, ...switches.map((control) => control.input)), meter.numbers,
      ...[...knobs, ...more].map(([control, word]) => element("label", {}, word, control.input)));
    box.style.setProperty("--colour", `var(--${key})`);
    mixer.append(box);
    boxes.set(key, box);
    controls.push(fader, ...switches, ...[...knobs, ...more].map(([control]) => control));
    meters.push(meter);
    clips.push([clip, 2 * pair]);
  };
  stems.forEach((stem, slot) => {
    const label = capital(stem), name = `stem.${stem}`;
    const alone = () => ask({ do: "solo-only", stem });
    strip(stem, label, 1 + slot, new Fader(link, `${name}.gain_db`, label), [
      [new Slide(link, `${name}.pan`, `${label} pan`, -1, 1, panText), "pan"],
      [new Slide(link, `${name}.width`, `${label} width`, 0, 2, percent), "width"],
    ], [
      new Switch(link, `${name}.mute`, "M", `${label} mute`, "mute"),
      new Switch(link, `${name}.solo`, "S", `${label} solo (with shift: only this)`, "solo", alone),
    ], [[new Choice(link, `${name}.group`, `${label} group`, ["–", ...groups.map(({ key }) => key.toUpperCase())]), "group"]]);
  });
  strip("master", "Mix", 0, new Fader(link, "master.gain_db", "Mix"), [
    [new Slide(link, "master.karaoke", "Karaoke: vocals away", 0, 1, percent), "karaoke"],
    [new Slide(link, "master.blend", "Stems against input", 0, 1, percent), "stems / input"],
    ...(morph ? [[new Slide(link, "snapshot.morph", `Morph from ${morph[0]} to ${morph[1]}`, 0, 1, percent), "morph"]] : []),
  ], [new Switch(link, "master.limiter", "Limit", "Limiter", "limiter")]);
  const buses = groups.map((group, index) => new Bus(link, group, index + 1, stems));
  desk.replaceChildren(...buses.map((bus) => bus.box));
  controls.push(...buses.flatMap((bus) => bus.controls));
  return {
    update(frame, now) {
      for (const control of controls) control.update(frame.values[control.name]);
      for (const meter of meters) meter.draw(frame, now);
      for (const bus of buses) bus.show(frame.values);
    },
    showClips(mask) {
      for (const [lamp, row] of clips) lamp.dataset.lit = mask & (3 << row) ? "yes" : "no";
    },
    showMade(made) {
      for (const stem of stems) boxes.get(stem).classList.toggle("absent", !made.includes(stem));
    },
    restart() {
      for (const meter of meters) meter.restart();
    },
  };
}

// A group's fader and mute hold for all of its stems; its solo is that of each of them.
class Bus {
  constructor(link, { key, name }, number, stems) {
    Object.assign(this, { link, number, stems, members: [] });
    const heading = name.endsWith(key.toUpperCase()) ? name : `${key.toUpperCase()}: ${name}`;
    const fader = new Fader(link, `group.${key}.gain_db`, name, "horizontal");
    const mute = new Switch(link, `group.${key}.mute`, "M", `${name} mute`, "mute");
    this.controls = [fader, mute];
    this.solo = element("button", { type: "button", class: "solo", "aria-label": `${name} solo`, "aria-pressed": "false", "data-group": key }, "S");
    this.solo.addEventListener("click", () => {
      const on = this.solo.getAttribute("aria-pressed") === "true" ? 0 : 1;
      for (const stem of this.members) link.set(`stem.${stem}.solo`, on);
    });
    this.list = element("span", { class: "members" });
    this.box = element("div", { class: "bus", role: "group", "aria-label": name },
      element("h2", {}, heading), this.list, fader.input, fader.text, mute.input, this.solo);
  }
  show(values) {
    this.members = this.stems.filter((stem) => Math.round(values[`stem.${stem}.group`]) === this.number);
    const text = this.members.join(", ") || "no stems";
    if (this.list.textContent !== text) this.list.textContent = text;
    this.box.classList.toggle("absent", !this.members.length);
    const soloed = this.members.length > 0 && this.members.every((stem) => values[`stem.${stem}.solo`] >= 0.5);
    if (this.solo.getAttribute("aria-pressed") !== String(soloed)) this.solo.setAttribute("aria-pressed", String(soloed));
  }
}
