/** Pictures that are here, on their way, or likely to be wanted next. */

/** @typedef {import("./server.js").Picture} Picture */
/** @typedef {(url: string, signal: AbortSignal, priority: RequestPriority) => Promise<Picture>} Load */

const CAPACITY_BYTES = 192 * 2 ** 20;

export class PictureStore {
  /** @param {Load} load @param {number} [capacity] bytes of pictures to keep */
  constructor(load, capacity = CAPACITY_BYTES) {
    this.load = load;
    this.capacity = capacity;
    /** @type {Map<string, Picture>} from the least to the most recently used */
    this.kept = new Map();
    /** @type {Map<string, {controller: AbortController, promise: Promise<Picture>}>} */
    this.coming = new Map();
    this.generation = 0;
  }

  /**
   * Get what is wanted now, at once; then, in turn, what may be wanted next. What an earlier call asked for and this
   * one does not is cancelled.
   * @param {string[]} wanted addresses
   * @param {string[]} next addresses
   * @returns {Promise<Picture>[]} one for each address wanted; cancelled ones are rejected with an AbortError
   */
  want(wanted, next) {
    this.generation += 1;
    const generation = this.generation;
    for (const [url, { controller }] of this.coming) {
      if (!wanted.includes(url)) {
        controller.abort();
        this.coming.delete(url);
      }
    }
    const pictures = wanted.map((url) => this.fetch(url, "high"));
    Promise.all(pictures).then(() => this.prefetch(next, generation), () => {});
    return pictures;
  }

  /** @param {string} url @returns {Picture | undefined} */
  here(url) {
    return this.kept.get(url);
  }

  /** @param {string} url @param {RequestPriority} priority @returns {Promise<Picture>} */
  fetch(url, priority) {
    const kept = this.kept.get(url);
    if (kept) {
      this.kept.delete(url);
      this.kept.set(url, kept);
      return Promise.resolve(kept);
    }
    const coming = this.coming.get(url);
    if (coming) return coming.promise;
    const controller = new AbortController();
    const promise = this.load(url, controller.signal, priority).then(
      (picture) => {
        this.coming.delete(url);
        this.keep(url, picture);
        return picture;
      },
      (error) => {
        if (this.coming.get(url)?.controller === controller) this.coming.delete(url);
        throw error;
      },
    );
    this.coming.set(url, { controller, promise });
    return promise;
  }

  /** @param {string[]} urls @param {number} generation of the call that wanted them */
  async prefetch(urls, generation) {
    for (const url of urls) {
      if (generation !== this.generation) return;
      // What cannot be had in advance is asked for, and told of, when it is wanted.
      await this.fetch(url, "low").catch(() => {});
    }
  }

  /** @param {string} url @param {Picture} picture */
  keep(url, picture) {
    this.kept.set(url, picture);
    let bytes = 0;
    for (const { pixels } of this.kept.values()) bytes += pixels.byteLength;
    for (const [oldest, { pixels }] of this.kept) {
      if (bytes <= this.capacity || oldest === url) return;
      this.kept.delete(oldest);
      bytes -= pixels.byteLength;
    }
  }
}
