// The connection to the engine: describes itself once, then a binary frame 30 times a second that says all there is to say.
// Lost connections come back by themselves. What is sent is thinned out to the newest value per parameter.

const RETRY_MS = [300, 600, 1200, 2500];
const SEND_EVERY_MS = 30;

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
      this.dispatchEvent(new Event("away"));
      setTimeout(() => this.connect(), RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]);
    };
    this.socket = socket;
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

  #frame(buffer) {
    if (!this.params.length) return;
    const spectra = 5 * this.bands;
    const numbers = new Float32Array(buffer, 0, (buffer.byteLength - spectra) / 4);
    const count = this.params.length;
    const values = {};
    this.params.forEach((param, index) => { values[param.name] = numbers[1 + index]; });
    const at = 1 + count;
    const [left, right, limiter, momentary, shortTerm, integrated] = numbers.subarray(at + 24);
    this.dispatchEvent(new CustomEvent("frame", { detail: {
      values, peaks: numbers.subarray(at, at + 12), rms: numbers.subarray(at + 12, at + 24),
      truePeak: Math.max(left, right), limiter, momentary, shortTerm, integrated,
      spectra: new Uint8Array(buffer, buffer.byteLength - spectra), bands: this.bands,
    } }));
  }
}
