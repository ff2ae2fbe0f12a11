// The page: connects, builds itself from what the engine says of itself, and shows what it hears.

import { Link } from "/link.js";
import { Spectrogram } from "/spectrogram.js";
import { buildStrips, dbText, decibels } from "/strips.js";

const WARN_MS = 5000; // a late hop is shown as a warning this long after the last one
const STATES = { separated: "Separated", dry: "Dry", loading: "Loading", restarting: "Restarting", failed: "Failed", stopped: "Stopped" };

const $ = (id) => document.getElementById(id);
const link = new Link();
const spectrogram = new Spectrogram($("spectrogram"));
let strips = null;
let lateSeen = 0, lateAt = -Infinity;
let frame = null, highest = 0;

const tell = (text) => { $("notice").textContent = text; };
const ask = async (command) => {
  const answer = await link.ask(command);
  tell(answer.ok ? "" : answer.error);
  return answer;
};

function setLearning(on) {
  $("learn").setAttribute("aria-pressed", String(on));
  document.body.classList.toggle("learning", on);
  if (!on) link.ask({ do: "learn-cancel" });
}

async function learn(name) {
  if (!(await ask({ do: "learn-start", name })).ok) return;
  tell(`Move the control for ${name} now.`);
  while ($("learn").getAttribute("aria-pressed") === "true") {
    await new Promise((later) => setTimeout(later, 200));
    const { ok, data } = await link.ask({ do: "learn-state" });
    if (!ok) break;
    if (!data.parameter) {
      setLearning(false);
      tell(data.learned ? `Learned ${data.learned}.` : "");
    }
  }
}

function showSnapshots(names) {
  const box = $("snapshots");
  if (box.dataset.names === names.join("\n")) return;
  box.dataset.names = names.join("\n");
  box.replaceChildren(...names.map((name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => {
      $("name").value = name;
      ask({ do: "snapshot-recall", name, seconds: Math.min(600, Math.max(0, Number($("over").value) || 0)) });
    });
    return button;
  }));
  if (!names.length) box.textContent = "No snapshots yet: name how it is now and store it.";
}

link.addEventListener("hello", ({ detail }) => {
  document.body.classList.remove("away");
  strips = buildStrips($("mixer"), link, detail);
  $("model").textContent = detail.model;
  $("budget").textContent = detail.latency.join("\n");
  $("latency").textContent = `${detail.latency_ms.toFixed(1)} ms`;
  $("sources").replaceChildren(...["input", ...detail.stems].map((name, row) => {
    const label = document.createElement("label");
    const choice = Object.assign(document.createElement("input"), { type: "radio", name: "source", value: row, checked: row === spectrogram.source });
    choice.addEventListener("change", () => { spectrogram.source = row; });
    label.append(choice, name);
    return label;
  }));
});

link.addEventListener("away", () => {
  document.body.classList.add("away");
  $("pill").dataset.state = "away";
  $("pill").textContent = "Away";
  $("reason").textContent = "The engine does not answer; trying again.";
});

link.addEventListener("frame", ({ detail }) => {
  spectrogram.add(detail.spectra, detail.bands);
  frame = detail;
});

link.addEventListener("status", ({ detail }) => {
  const now = performance.now();
  $("pill").dataset.state = detail.state;
  $("pill").textContent = STATES[detail.state] ?? detail.state;
  $("reason").textContent = detail.reason;
  $("load").value = detail.load;
  $("loadtext").textContent = `${Math.round(100 * detail.load)} %, p99 ${detail.hop_p99_ms.toFixed(1)} of ${detail.hop_ms.toFixed(1)} ms`;
  if (detail.late_hops > lateSeen) lateAt = now;
  lateSeen = detail.late_hops;
  $("late").textContent = `${detail.late_hops}`;
  $("late").dataset.warn = now - lateAt < WARN_MS ? "yes" : "no";
  $("dry").textContent = `${detail.dry_seconds.toFixed(1)} s`;
  $("midi").textContent = `${detail.midi_events} messages`;
  $("record").setAttribute("aria-pressed", String(Boolean(detail.recording)));
  $("record").title = detail.recording;
  showSnapshots(detail.snapshots);
  strips?.showClips(detail.clipped);
});

function draw(now) {
  requestAnimationFrame(draw);
  if (!frame) return;
  strips?.update(frame, now);
  const lufs = (level) => (level <= -100 ? "–" : level.toFixed(1));
  $("lufs").textContent = `${lufs(frame.shortTerm)} LUFS, integrated ${lufs(frame.integrated)}`;
  highest = Math.max(highest, frame.truePeak);
  $("truepeak").textContent = dbText(decibels(highest)).replace("dB", "dBTP");
  $("reduction").textContent = frame.limiter < 0.999 ? dbText(decibels(frame.limiter)) : "not needed";
  frame = null;
}

$("record").addEventListener("click", async () => {
  const on = $("record").getAttribute("aria-pressed") !== "true";
  const answer = await ask({ do: "record", on });
  if (answer.ok && !on) tell(`Recorded into ${answer.data}`);
});
$("restart").addEventListener("click", () => {
  highest = 0;
  ask({ do: "clear-clips" });
});
$("learn").addEventListener("click", () => setLearning($("learn").getAttribute("aria-pressed") !== "true"));
$("mask").addEventListener("change", () => { spectrogram.asMask = $("mask").checked; });
$("store").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("name").value.trim()) ask({ do: "snapshot-store", name: $("name").value.trim() });
});
$("forget").addEventListener("click", () => ask({ do: "snapshot-delete", name: $("name").value.trim() }));
for (const kind of ["pointerdown", "click", "input"]) {
  document.addEventListener(kind, (event) => {
    const control = event.target.closest?.(".learnable");
    if (!control || !document.body.classList.contains("learning")) return;
    event.preventDefault();
    event.stopPropagation();
    if (kind === "pointerdown") learn(control.dataset.param);
  }, { capture: true });
}

if (location.hash.length > 1) {
  await fetch("/session", { method: "POST", body: location.hash.slice(1) });
  history.replaceState(null, "", "/");
}
requestAnimationFrame(draw);
link.connect();
