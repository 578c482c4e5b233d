// The program itself.
import { NamesakeError } from '../../../shared/errors.ts';
import { packageVersion } from '../../resources.ts';
import type { HandlersOf } from '../handlers.ts';
import { later } from './later.ts';

export const app: HandlersOf<'app'> = {
  'app.about': ({ core, door }) => ({
    version: packageVersion(),
    door: door.kind,
    home: core.home.folder,
    platform: process.platform,
  }),
  'app.doctor': later,
  'app.show': async ({ core, door }, { what, run }) => {
    if (what === 'home') await door.show(core.home.folder);
    else if (what === 'crashes') await door.show(core.home.crashes);
    else {
      if (run === undefined) throw new NamesakeError('request.invalid', 'run: which one?');
      await door.show(core.home.run(core.runs.get(run).run).folder);
    }
    return null;
  },
  'app.delete_everything': later,
};
