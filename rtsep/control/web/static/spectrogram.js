// A scrolling spectrogram: one column per frame, low notes at the bottom. A stem is shown by itself, or as the mask that it is:
// the input in grey, coloured as far as the stem's share of the power in that band goes.

const COLOURS = [[225, 230, 238], [255, 143, 163], [255, 196, 92], [127, 180, 255], [139, 224, 180], [225, 230, 238]];
const INPUT = 0, MIX = 5;

export class Spectrogram {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.source = INPUT;
    this.asMask = true;
  }

  // `spectra`: six rows (input, stems, mix) of `bands` levels, 0 … 255 for -100 … 0 dB.
  add(spectra, bands) {
    const { width, height } = this.canvas;
    this.context.drawImage(this.canvas, -1, 0);
    const column = this.context.createImageData(1, height);
    const masked = this.asMask && this.source !== INPUT && this.source !== MIX;
    const row = masked ? INPUT : this.source;
    const colour = COLOURS[this.source];
    for (let y = 0; y < height; y += 1) {
      const band = Math.min(bands - 1, Math.floor(((height - 1 - y) * bands) / height));
      const share = masked ? this.#share(spectra, bands, band) : 1;
      const level = (spectra[row * bands + band] / 255) ** 1.6;
      for (let c = 0; c < 3; c += 1) {
        column.data[4 * y + c] = Math.min(255, (90 * (1 - share) + colour[c] * share) * level * 1.25);
      }
      column.data[4 * y + 3] = 255;
    }
    this.context.putImageData(column, width - 1, 0);
  }

  #share(spectra, bands, band) {
    const power = (row) => 10 ** ((spectra[row * bands + band] / 255) * 10);
    const sum = power(1) + power(2) + power(3) + power(4);
    return sum <= 4 ? 0 : power(this.source) / sum;
  }
}
