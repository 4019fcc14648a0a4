/** Numbers, times and names as people read them. */

const ABSENT = "–";
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** @param {number | null | undefined} value @returns {string} */
export function count(value) {
  return value === null || value === undefined ? ABSENT : whole.format(value);
}

/**
 * Three significant digits, without exponents where they can be helped.
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function quantity(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return ABSENT;
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2);
  if (size >= 1000) return whole.format(value);
  return String(Number(value.toPrecision(3)));
}

/**
 * @param {number | null | undefined} seconds
 * @returns {string} such as "45 s", "12 min", "3 h 20 min", "2 d 4 h"
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return ABSENT;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** @param {number | null | undefined} seconds @returns {string} hours with enough digits to see jobs of a minute */
export function hours(seconds) {
  if (seconds === null || seconds === undefined) return ABSENT;
  const value = seconds / 3600;
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : whole.format(value);
}

/** @param {number} value a length in um @returns {string} */
export function micrometres(value) {
  return `${(Math.round(10 * value) / 10 || 0).toFixed(1)} um`;
}

/** @param {string | null | undefined} instant in ISO 8601 @returns {string} in the reader's own time zone */
export function moment(instant) {
  if (!instant) return ABSENT;
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return ABSENT;
  return date.toLocaleString("en-GB", { day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

/** @param {number} part @param {number} total @returns {string} */
export function percent(part, total) {
  if (!total) return ABSENT;
  // 99.96 % is not done: only all is 100.
  const value = part === total ? 100 : Math.min(99.9, (100 * part) / total);
  return `${value >= 10 && value < 99 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, "")} %`;
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 * @returns {string}
 */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** @param {string} name an identifier such as "light_field" @returns {string} */
export function words(name) {
  return name.replaceAll("_", " ");
}
