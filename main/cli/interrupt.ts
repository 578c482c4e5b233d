// Interrupt: where there is something to keep, the first Ctrl-C asks to stop and keep, a second one quits at once; everywhere
// else the first one quits.
import { endChildren } from '../../tools/child.mjs';

/** Whether a Ctrl-C is someone's to answer. */
let answered = false;

/** Makes SIGINT and SIGTERM outside of `interruptible` end the program with 130, and whatever ends it end what it started (pip). */
export function quitOnInterrupt(): void {
  const onSignal = (): void => {
    if (!answered) process.exit(130);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('exit', endChildren);
}

/** Runs `body`; `onFirst` is called on the first SIGINT or SIGTERM. Returns whether there was one. */
export async function interruptible(onFirst: () => void, body: () => Promise<void>): Promise<boolean> {
  let asked = false;
  const onSignal = (): void => {
    if (asked) process.exit(130);
    asked = true;
    onFirst();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  answered = true;
  try {
    await body();
    return asked;
  } finally {
    answered = false;
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
