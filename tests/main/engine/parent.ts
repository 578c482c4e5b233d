// A parent whose host is in the middle of a job: prints the host's pid and waits to be killed.
import { endless, openTiny } from './tiny.ts';

const engine = await openTiny();
const stop = engine.onText(() => {
  stop();
  process.stdout.write(`${engine.pid}`);
});
await engine.generate('orphan', endless);
