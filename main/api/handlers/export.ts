// Taking it home: files for other programs, and for the person's own machine where that is another one.
import { basename } from 'node:path';
import type { HandlersOf } from '../handlers.ts';

export const exporting: HandlersOf<'export'> = {
  'export.adapter': ({ core, door, queues }, { run }) =>
    queues.export.run(async () => {
      const exported = await core.exports.adapter(run);
      const path = door.kind === 'serve' ? await core.exports.archive(exported) : exported.folder;
      return { ...exported, download: await door.offer(path, basename(path)) };
    }),
};
