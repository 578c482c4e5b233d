// The program itself, and its windows.
import { NamesakeError } from '../../../shared/errors.ts';
import { packageVersion } from '../../resources.ts';
import { diskUse } from '../../services/disk-use.ts';
import { examine } from '../../services/doctor.ts';
import { licences } from '../../services/licences.ts';
import type { HandlersOf } from '../handlers.ts';

export const app: HandlersOf<'app' | 'window'> = {
  'window.visible': ({ hub, window }, { visible }) => {
    if (window !== null) hub.setVisible(window, visible);
    return null;
  },
  'app.about': ({ core, door }) => ({
    version: packageVersion(),
    door: door.kind,
    home: core.home.folder,
    platform: process.platform,
  }),
  'app.doctor': ({ core, queues }) => queues.check.run(() => examine(core.home, core.startEngine)),
  'app.disk': ({ core }) => diskUse(core.home),
  'app.licences': () => ({ text: licences() }),
  'app.show': async ({ core, door }, { what, run }) => {
    if (what === 'home') await door.show(core.home.folder);
    else if (what === 'exports') await door.show(core.home.exports);
    else if (what === 'crashes') await door.show(core.home.crashes);
    else if (run === undefined) throw new NamesakeError('request.invalid', 'run: which one?');
    else await door.show(core.home.run(core.runs.get(run).run).folder);
    return null;
  },
  'app.delete_everything': async ({ deleteEverything }) => {
    await deleteEverything();
    return null;
  },
};
