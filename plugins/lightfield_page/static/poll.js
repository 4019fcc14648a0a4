/** Asking again and again: often while somebody looks, seldom in a background tab, never once it is over. */

const VISIBLE_MS = 4000;
const HIDDEN_MS = 30000;
const LONGEST_MS = 60000;

/**
 * @param {() => Promise<boolean>} ask answers whether to go on; what it throws is told and asked again later
 * @param {(problem: Error | null) => void} tell the problem, or null when all is well again
 * @param {number} [every] ms between questions while the page is visible
 */
export function poll(ask, tell, every = VISIBLE_MS) {
  let timer = 0;
  let failures = 0;
  let asking = false;
  let over = false;

  const wait = () => {
    clearTimeout(timer);
    const calm = document.hidden ? Math.max(every, HIDDEN_MS) : every;
    timer = window.setTimeout(step, Math.min(LONGEST_MS, calm * 2 ** Math.min(failures, 4)));
  };
  const step = async () => {
    if (asking || over) return;
    asking = true;
    try {
      over = !(await ask());
      if (failures) tell(null);
      failures = 0;
    } catch (error) {
      failures += 1;
      tell(error instanceof Error ? error : new Error(String(error)));
    } finally {
      asking = false;
    }
    if (!over) wait();
  };
  document.addEventListener("visibilitychange", () => {
    if (over) return;
    if (document.hidden) wait();
    else step();
  });
  step();
}
