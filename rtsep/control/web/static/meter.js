// A stereo meter: RMS as a solid bar, the peak above it with a fall, its hold as a line; and the same in numbers.

import { dbSpoken, decibels, element } from "/controls.js";

const HOLD_MS = 1700;
const FALL_DB_PER_S = 24;
const FLOOR_DB = -60;
const LINES_DB = [-10, -20, -30, -40, -50];
const NUMBERS_EVERY_MS = 200;

const short = (db) => (db <= -99.9 ? "−∞" : db.toFixed(1));

export class Meter {
  // `pair`: 0 the mix, then the stems.
  constructor(label, pair) {
    Object.assign(this, { pair, row: 2 * pair, held: [-120, -120], heldAt: [0, 0], shown: [-120, -120], highest: 0, due: 0 });
    this.canvas = element("canvas", { width: 36, height: 400, role: "meter", "aria-label": `${label} peak`, "aria-valuemin": FLOOR_DB, "aria-valuemax": 0 });
    const word = (name, title) => {
      this[name] = element("dd", {}, "–");
      return [element("dt", { title }, { peak: "Pk", power: "RMS", between: "TP", loud: "LU" }[name]), this[name]];
    };
    this.numbers = element("dl", { class: "levels" },
      ...word("peak", "Peak, held"), ...word("power", "RMS over 300 ms"),
      ...word("between", "True peak since the restart, dBTP"), ...word("loud", "Loudness over 3 s, LUFS"));
  }

  restart() { this.highest = 0; }

  draw({ peaks, rms, truePeaks, loudness }, now) {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    const y = (db) => height * Math.min(1, Math.max(0, db / FLOOR_DB));
    context.clearRect(0, 0, width, height);
    const seconds = Math.min(0.2, (now - (this.before ?? now)) / 1000);
    this.before = now;
    const power = [0, 1].map((side) => decibels(rms[this.row + side]));
    for (const side of [0, 1]) {
      const peak = decibels(peaks[this.row + side]);
      this.shown[side] = Math.max(peak, this.shown[side] - FALL_DB_PER_S * seconds);
      if (peak >= this.held[side] || now - this.heldAt[side] > HOLD_MS) { this.held[side] = peak; this.heldAt[side] = now; }
      const x = side * (width / 2 + 1), wide = width / 2 - 1;
      context.fillStyle = this.shown[side] > -1 ? "#ff6b5e" : this.shown[side] > -9 ? "#f0b429" : "#2f9e6b";
      context.fillRect(x, y(this.shown[side]), wide, height);
      context.fillStyle = "#8df0c2";
      context.fillRect(x, y(power[side]), wide, height);
      context.fillStyle = "#ffffff";
      if (this.held[side] > FLOOR_DB) context.fillRect(x, y(this.held[side]), wide, 4);
    }
    context.fillStyle = "#0e101488";
    for (const line of LINES_DB) context.fillRect(0, y(line), width, 2);
    this.highest = Math.max(this.highest, truePeaks[this.row], truePeaks[this.row + 1]);
    if (now < this.due) return;
    this.due = now + NUMBERS_EVERY_MS;
    const loudest = Math.max(...this.held);
    this.peak.textContent = short(loudest);
    this.power.textContent = short(Math.max(...power));
    this.between.textContent = short(decibels(this.highest));
    this.loud.textContent = short(loudness[3 * this.pair + 1]);
    if (Math.abs(loudest - (this.spoken ?? 99)) > 1) {
      this.spoken = loudest;
      this.canvas.setAttribute("aria-valuenow", Math.max(FLOOR_DB, loudest).toFixed(0));
      this.canvas.setAttribute("aria-valuetext", dbSpoken(loudest));
    }
  }
}
