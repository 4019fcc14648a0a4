/** Colour maps: 256 colours each, from dark to bright unless the name says otherwise. */

/** Colours at equal steps, as rrggbb; between them the map is linear. Viridis and inferno are matplotlib's (CC0). */
const STOPS = {
  grey: ["000000", "ffffff"],
  "grey, inverted": ["ffffff", "000000"],
  viridis: ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"],
  inferno: ["000004", "210c4a", "57106e", "8a226a", "bc3754", "e45a31", "f98e09", "f9cb35", "fcffa4"],
  green: ["000000", "00ff66", "d9ffe8"],
  magenta: ["000000", "ff2fd6", "ffe0fa"],
  cyan: ["000000", "00c8ff", "e0f8ff"],
};

/** @typedef {keyof typeof STOPS} MapName */

export const mapNames = /** @type {MapName[]} */ (Object.keys(STOPS));

/** @type {Map<MapName, Uint32Array>} */
const made = new Map();

/**
 * @param {MapName} name
 * @returns {Uint32Array} 256 colours, packed as ImageData has them on a little-endian machine: 0xaabbggrr
 */
export function colourMap(name) {
  let map = made.get(name);
  if (!map) {
    map = interpolate(STOPS[name]);
    made.set(name, map);
  }
  return map;
}

/** @param {string[]} stops @returns {Uint32Array} */
function interpolate(stops) {
  const map = new Uint32Array(256);
  const channels = stops.map((stop) => [0, 2, 4].map((start) => parseInt(stop.slice(start, start + 2), 16)));
  for (let level = 0; level < 256; level++) {
    const position = (level / 255) * (stops.length - 1);
    const below = Math.min(Math.floor(position), stops.length - 2);
    const share = position - below;
    const [red, green, blue] = [0, 1, 2].map((channel) =>
      Math.round(channels[below][channel] * (1 - share) + channels[below + 1][channel] * share),
    );
    map[level] = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  }
  return map;
}
