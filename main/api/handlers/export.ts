// Taking it home: files for other programs, and for the person's own machine where that is another one.
import { basename } from 'node:path';
import type { HandlersOf } from '../handlers.ts';

export const exporting: HandlersOf<'export'> = {
  'export.adapter': ({ core, door, exports, queues }, { run }) =>
    // Before anything is told or kept of it: whether there is such a run.
    exports.export(core.runs.get(run).run, (onProgress) =>
      queues.export.run(async () => {
        const exported = await core.exports.adapter(run, null, { onProgress, forDownload: door.kind === 'serve' });
        if (door.kind === 'serve') onProgress({ phase: 'packing', done: null, total: null });
        const path = door.kind === 'serve' ? await core.exports.archive(exported) : exported.folder;
        return { ...exported, download: await door.offer(path, basename(path)) };
      }),
    ),
  'export.state': ({ core, exports }, { run }) => exports.state(core.runs.get(run).run),
};
