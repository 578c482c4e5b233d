// Taking it home: files for other programs, and for the person's own machine where that is another one.
import { basename } from 'node:path';
import type { OnExportProgress } from '../../services/export.ts';
import type { HandlersOf } from '../handlers.ts';

export const exporting: HandlersOf<'export'> = {
  'export.adapter': ({ core, door, hub, queues }, { run }) =>
    queues.export.run(async () => {
      const onProgress: OnExportProgress = (progress) => hub.tell({ event: 'export', run, ...progress });
      const exported = await core.exports.adapter(run, null, { onProgress });
      if (door.kind === 'serve') onProgress({ phase: 'packing', done: null, total: null });
      const path = door.kind === 'serve' ? await core.exports.archive(exported) : exported.folder;
      return { ...exported, download: await door.offer(path, basename(path)) };
    }),
};
