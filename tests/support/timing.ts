// Timing: how long something takes by itself. Whatever else the machine does can only add to that.

/** Milliseconds of the fastest of `tries`. */
export function fastest(work: () => void, tries = 5): number {
  let best = Infinity;
  for (let i = 0; i < tries; i++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
