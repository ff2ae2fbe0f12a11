// The page: connects, builds itself from what the engine says of itself, and shows what it hears.

import { dbText, decibels, element } from "/controls.js";
import { Link } from "/link.js";
import { ModelList } from "/models.js";
import { Spectrogram } from "/spectrogram.js";
import { buildStrips } from "/strips.js";

const WARN_MS = 5000; // a late hop is shown as a warning this long after the last one
const NUMBERS_EVERY_MS = 200;
const STATES = { separated: "Separated", dry: "Dry", loading: "Loading", restarting: "Restarting", failed: "Failed", stopped: "Stopped", "no device": "No device" };
const INPUT_ROW = 10;

const $ = (id) => document.getElementById(id);
const put = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; }; // screen readers hear what changes, no more
const link = new Link();
const spectrogram = new Spectrogram($("spectrogram"));
const tell = (text) => put("notice", text);
const ask = async (command) => {
  const answer = await link.ask(command);
  tell(answer.ok ? "" : answer.error);
  return answer;
};
const models = new ModelList($("model"), ask, tell);
let strips = null;
let lateSeen = 0, lateAt = -Infinity;
let frame = null, highest = 0, numbersDue = 0;
let modelError = "", loading = "";

function setLearning(on) {
  $("learn").setAttribute("aria-pressed", String(on));
  document.body.classList.toggle("learning", on);
  tell(on ? "Choose a control here." : "");
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

// What may change while the page is open: the model, with its stems and its latency.
function describe(detail) {
  models.offer(detail.models);
  models.show(detail.model);
  strips.showMade(detail.made);
  $("budget").replaceChildren(...detail.latency.map(([name, frames]) => element("tr", {},
    element("td", {}, name), element("td", {}, `${frames} frames`), element("td", {}, `${(1000 * frames / detail.rate).toFixed(1)} ms`))));
}

link.addEventListener("hello", ({ detail }) => {
  document.body.classList.remove("away");
  strips = buildStrips($("mixer"), $("groups"), link, ask, detail);
  describe(detail);
  $("sources").replaceChildren(...["input", ...detail.stems, "mix"].map((name, row) => {
    const label = document.createElement("label");
    const choice = Object.assign(document.createElement("input"), { type: "radio", name: "source", value: row, checked: row === spectrogram.source });
    choice.addEventListener("change", () => { spectrogram.source = row; });
    label.append(choice, name);
    return label;
  }));
});

link.addEventListener("away", ({ detail }) => {
  document.body.classList.add("away");
  $("pill").dataset.state = "away";
  put("pill", "Away");
  put("reason", detail);
});

link.addEventListener("frame", ({ detail }) => {
  spectrogram.add(detail.spectra, detail.bands);
  frame = detail;
});

link.addEventListener("status", async ({ detail }) => {
  const now = performance.now();
  $("pill").dataset.state = detail.state;
  put("pill", STATES[detail.state] ?? detail.state);
  put("reason", detail.reason || (detail.loading ? `${detail.loading}; dry is heard` : ""));
  put("latency", `${detail.latency_ms.toFixed(1)} ms`);
  $("load").value = detail.load;
  put("loadtext", `${Math.round(100 * detail.load)} %, p99 ${detail.hop_p99_ms.toFixed(1)} of ${detail.hop_ms.toFixed(1)} ms`);
  if (detail.late_hops > lateSeen) lateAt = now;
  lateSeen = detail.late_hops;
  put("late", `${detail.late_hops}, ${detail.dry_seconds.toFixed(1)} s dry`);
  $("late").dataset.warn = now - lateAt < WARN_MS ? "yes" : "no";
  put("midi", `${detail.midi_events} messages`);
  $("record").setAttribute("aria-pressed", String(Boolean(detail.recording)));
  $("record").title = detail.recording;
  showSnapshots(detail.snapshots);
  strips?.showClips(detail.clipped);
  if (detail.model_error !== modelError) tell((modelError = detail.model_error));
  const loaded = loading && !detail.loading && !modelError;
  loading = detail.loading;
  if (loaded) tell("");
  if (models.present && (loaded || detail.model !== models.present)) {
    models.present = detail.model;
    const answer = await link.ask({ do: "describe" });
    if (answer.ok) describe(answer.data);
  }
});

function draw(now) {
  requestAnimationFrame(draw);
  if (!frame) return;
  strips?.update(frame, now);
  highest = Math.max(highest, frame.truePeaks[0], frame.truePeaks[1]);
  if (now >= numbersDue) {
    numbersDue = now + NUMBERS_EVERY_MS;
    const lufs = (level) => (level <= -100 ? "–" : level.toFixed(1));
    const [, shortTerm, integrated] = frame.loudness;
    put("lufs", `${lufs(shortTerm)} LUFS, integrated ${lufs(integrated)}`);
    put("truepeak", dbText(decibels(highest)).replace("dB", "dBTP"));
    put("reduction", frame.limiter < 0.999 ? `${dbText(decibels(frame.limiter))} reduction` : "not needed");
    put("input", dbText(decibels(Math.max(frame.peaks[INPUT_ROW], frame.peaks[INPUT_ROW + 1]))));
  }
  frame = null;
}

$("record").addEventListener("click", async () => {
  const on = $("record").getAttribute("aria-pressed") !== "true";
  const answer = await ask({ do: "record", on });
  if (answer.ok && !on) tell(`Recorded into ${answer.data}`);
});
$("restart").addEventListener("click", () => {
  highest = 0;
  strips?.restart();
  ask({ do: "clear-clips" });
});
$("learn").addEventListener("click", () => setLearning($("learn").getAttribute("aria-pressed") !== "true"));
$("mask").addEventListener("change", () => { spectrogram.asMask = $("mask").checked; });
$("store").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("name").value.trim()) ask({ do: "snapshot-store", name: $("name").value.trim() });
});
$("forget").addEventListener("click", () => ask({ do: "snapshot-delete", name: $("name").value.trim() }));
for (const kind of ["pointerdown", "mousedown", "click", "input"]) {
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
