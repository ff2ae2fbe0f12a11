// The connection to the engine: describes itself once, then a binary frame 30 times a second that says all there is to say.
// Lost connections come back by themselves. What is sent is thinned out to the newest value per parameter.

const RETRY_MS = [300, 600, 1200, 2500];
const SEND_EVERY_MS = 30;
const LEVELS = 12, OUTPUTS = 10, PAIRS = 5, SPECTRA = 6;

export class Link extends EventTarget {
  constructor() {
    super();
    this.params = [];
    this.waiting = [];
    this.unsent = new Map();
    this.failures = 0;
    setInterval(() => this.#flush(), SEND_EVERY_MS);
  }

  connect() {
    const socket = new WebSocket(`ws://${location.host}/socket`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (message) => (typeof message.data === "string" ? this.#text(JSON.parse(message.data)) : this.#frame(message.data));
    socket.onclose = () => {
      this.socket = null;
      this.waiting.forEach((finish) => finish({ ok: false, error: "The engine has gone." }));
      this.waiting = [];
      setTimeout(() => this.#again(), RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]);
      if (this.failures === 1) this.dispatchEvent(new CustomEvent("away", { detail: "The engine does not answer; trying again." }));
    };
    this.socket = socket;
  }

  // A new run of the engine has a new session, which its page hands out; to other machines only for the token of that run.
  async #again() {
    const page = await fetch("/", { cache: "no-store" }).catch(() => null);
    if (page?.ok && this.failures > 2) {
      this.dispatchEvent(new CustomEvent("away", { detail: "This engine is another run: open the link that it printed." }));
    }
    this.connect();
  }

  set(name, value) { this.unsent.set(name, value); }

  // Resolves to the answer {ok, data, error}; answers come back in the order of the questions.
  ask(command) {
    if (this.socket?.readyState !== WebSocket.OPEN) return Promise.resolve({ ok: false, error: "Not connected." });
    this.socket.send(JSON.stringify(command));
    return new Promise((finish) => this.waiting.push(finish));
  }

  #flush() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    for (const [name, value] of this.unsent) this.socket.send(JSON.stringify({ do: "set", name, value }));
    this.unsent.clear();
  }

  #text(message) {
    const answer = { ok: true, ...message.answer };
    if (message.kind === "answer") this.waiting.shift()?.(answer);
    if (message.kind === "status" && answer.ok) this.dispatchEvent(new CustomEvent("status", { detail: answer.data }));
    if (message.kind !== "hello") return;
    if (!answer.ok) { this.socket.close(); return; }
    this.failures = 0;
    this.params = answer.data.params;
    this.bands = message.bands;
    this.dispatchEvent(new CustomEvent("hello", { detail: answer.data }));
  }

  // The order of the numbers is that of rtsep/control/web/frames.py.
  #frame(buffer) {
    if (!this.params.length) return;
    const spectra = SPECTRA * this.bands;
    const numbers = new Float32Array(buffer, 0, (buffer.byteLength - spectra) / 4);
    let place = 1;
    const take = (count) => numbers.subarray(place, (place += count));
    const given = take(this.params.length);
    const values = Object.fromEntries(this.params.map((param, index) => [param.name, given[index]]));
    this.dispatchEvent(new CustomEvent("frame", { detail: {
      values, peaks: take(LEVELS), rms: take(LEVELS), truePeaks: take(OUTPUTS), loudness: take(3 * PAIRS), limiter: take(1)[0],
      spectra: new Uint8Array(buffer, buffer.byteLength - spectra), bands: this.bands,
    } }));
  }
}
