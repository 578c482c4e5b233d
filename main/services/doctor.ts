// Doctor: what works on this machine, and what does not. Needs neither a database nor a home that can be written to.
import { statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { DoctorReport } from '../../shared/doctor.ts';
import { toNamesakeError } from '../../shared/errors.ts';
import { hasModel, modelPath } from '../../tools/fetch-model.mjs';
import type { EngineProcess } from '../engine/client.ts';
import type { Home } from '../home.ts';
import { loadCatalogue, packageVersion } from '../resources.ts';
import { examineGpus } from './graphics.ts';

/** Bytes that this user may still write where a folder is, or would be; 0 where that cannot be told. */
export async function freeDisk(folder: string): Promise<number> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch {
      if (dirname(at) === at) return 0;
    }
  }
}

type EngineReport = Pick<DoctorReport, 'engine_error' | 'addon' | 'isa' | 'gpu'>;
type ExaminedEngine = Pick<EngineProcess, 'about' | 'gpus' | 'dispose'>;

async function examineEngine(startEngine: () => ExaminedEngine): Promise<EngineReport> {
  try {
    const engine = startEngine();
    try {
      const { addon, isa } = await engine.about();
      return { engine_error: null, addon, isa, gpu: await examineGpus(engine) };
    } finally {
      await engine.dispose();
    }
  } catch (error) {
    const { code, detail } = toNamesakeError(error);
    return { engine_error: { code, detail }, addon: null, isa: { auto: null, levels: [] }, gpu: null };
  }
}

/** Looks at the machine, the home and the engine. Never throws for what is missing or broken: the report says it. */
export async function examine(home: Home, startEngine: () => ExaminedEngine): Promise<DoctorReport> {
  const catalogue = loadCatalogue();
  const entry = catalogue.models.find(({ id }) => id === catalogue.default);
  return {
    version: packageVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    home: home.folder,
    free_disk_bytes: await freeDisk(home.folder),
    total_memory_bytes: totalmem(),
    free_memory_bytes: freemem(),
    ...(await examineEngine(startEngine)),
    default_model: {
      id: catalogue.default,
      here: entry !== undefined && entry.sha256 !== null && (await hasModel(home.folder, { ...entry, sha256: entry.sha256 })),
      path: entry === undefined ? '' : modelPath(home.folder, entry),
    },
  };
}
