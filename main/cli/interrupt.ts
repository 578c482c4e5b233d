// Interrupt: the first Ctrl-C asks to stop and keep, a second one quits at once.

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
  try {
    await body();
    return asked;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
