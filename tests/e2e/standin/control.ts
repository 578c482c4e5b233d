// Control: a test runs functions in the app's main process, as Playwright does with Electron's.

export interface Order {
  id: number;
  /** A function of (electron, argument). */
  source: string;
  argument: unknown;
}

export interface Done {
  id: number;
  ok: boolean;
  value: unknown;
}

/** Answers a test's orders over Node's channel, where there is one. */
export function answerTests(electron: object): void {
  process.on('message', ({ id, source, argument }: Order) => {
    const answer = (done: Omit<Done, 'id'>): void => {
      if (process.connected) process.send?.({ id, ...done });
    };
    void (async () => {
      const work = (0, eval)(`(${source})`) as (electron: object, argument: unknown) => unknown;
      return JSON.stringify((await work(electron, argument)) ?? null);
    })().then(
      (text) => answer({ ok: true, value: JSON.parse(text) }),
      (error: unknown) => answer({ ok: false, value: error instanceof Error ? error.message : String(error) }),
    );
  });
  // An app whose test is gone has nobody to run for.
  process.on('disconnect', () => process.exit(71));
}
