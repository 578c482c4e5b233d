// Export service: a run's adapter as a folder for other programs, and the proof that the written files still know who they are.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { NamesakeError } from '../../shared/errors.ts';
import type { ExportProgress, ExportResult } from '../../shared/export.ts';
import type { Language } from '../../shared/persona.ts';
import { folderBytes, onDisk, writeFolder } from '../disk.ts';
import type { Home, RunFolder } from '../home.ts';
import { countScore, type ProbeSets } from '../pipeline/probes.ts';
import { loadCatalogue } from '../resources.ts';
import type { RunRecord, RunStore } from '../store/runs.ts';
import { adapterBase } from './adapter-base.ts';
import { adapterReadme } from './adapter-readme.ts';
import { writeArchive } from './archive.ts';
import type { ChatPartners } from './chat-partner.ts';
import { Evaluation } from './evaluation.ts';
import { loadEvaluationProbes } from './probe-file.ts';
import { isPrepared, readProvenance } from './provenance.ts';
import { withKeptInputs } from './run-inputs.ts';

/** What is written, before a door makes it ready to be taken. */
export type Exported = Omit<ExportResult, 'download'>;

export type OnExportProgress = (progress: ExportProgress) => void;

export interface ExportOptions {
  /** Ends the asking: the files stay. */
  signal?: AbortSignal;
  onProgress?: OnExportProgress;
  /** For a door whose person sits elsewhere: a new folder is one of HOME/exports/downloads, which go after a week. */
  forDownload?: boolean;
}

/** How long what was made to be downloaded can be downloaded again. */
const DOWNLOAD_KEPT_MS = 7 * 24 * 60 * 60_000;
/** What exports for download are called, folder and archive, whole or not: nothing else in their folder is touched. */
const DOWNLOAD = /^\d{8}-\d{6}-[0-9a-f]{6}-adapter(?:-\d+)?(?:\.zip)?(?:\.tmp.*)?$/;

const WEIGHTS = 'adapter_model.safetensors';
const CONFIG = 'adapter_config.json';
const README = 'README.md';

export class ExportService {
  readonly #home: Home;
  readonly #runs: RunStore;
  readonly #partners: ChatPartners;

  constructor(home: Home, runs: RunStore, partners: ChatPartners) {
    this.#home = home;
    this.#runs = runs;
    this.#partners = partners;
  }

  /**
   * Writes a run's adapter, in PEFT's layout with a README, to a folder that is not there or is empty (null = a new one in
   * HOME/exports, or in its downloads), and asks the written files the run's probes. Throws run.unknown,
   * run.no_checkpoint, adapter.unreadable, export.not_empty, disk.full, disk.unwritable or cancelled.
   */
  async adapter(run: string, out: string | null = null, { signal, onProgress = () => undefined, forDownload = false }: ExportOptions = {}): Promise<Exported> {
    onProgress({ phase: 'writing', done: null, total: null });
    const record = this.#runs.get(run);
    if (record.chosen_step === null) throw new NamesakeError('run.no_checkpoint', 'no adapter was chosen', { run });
    const { adapter } = this.#home.run(run);
    const origin = originOf(this.#home.run(run));
    const base = adapterBase(origin?.model ?? null, forDownload);
    const files: [name: string, content: string | Buffer][] = [
      [WEIGHTS, readAdapter(join(adapter, WEIGHTS))],
      [CONFIG, readAdapter(join(adapter, CONFIG))],
      [README, adapterReadme(record, loadCatalogue().models, base, origin?.form)],
    ];
    if (forDownload) this.#sweepDownloads();
    const { exports, downloads } = this.#home;
    const folder = out === null ? freeFolder(join(forDownload ? downloads : exports, `${run}-adapter`)) : emptied(resolve(out));
    onDisk(folder, () => mkdirSync(dirname(folder), { recursive: true }));
    writeFolder(folder, files);
    return {
      files: files.map(([name]) => join(folder, name)),
      folder,
      bytes: folderBytes(folder),
      base,
      ...(await this.#asked(record, folder, signal, onProgress)),
    };
  }

  /** The files of an export as one zip beside its folder. Returns its path. Throws disk.full or disk.unwritable. */
  async archive({ files, folder }: Exported): Promise<string> {
    const path = `${folder}.zip`;
    const name = basename(folder);
    await writeArchive(path, files.map((file) => ({ name: `${name}/${basename(file)}`, path: file })));
    return path;
  }

  /** What was made for download more than a week ago goes, archive and folder: the person has it. */
  #sweepDownloads(): void {
    const { downloads } = this.#home;
    onDisk(downloads, () => {
      for (const name of existsSync(downloads) ? readdirSync(downloads) : []) {
        const path = join(downloads, name);
        if (!DOWNLOAD.test(name) || statSync(path).mtimeMs > Date.now() - DOWNLOAD_KEPT_MS) continue;
        rmSync(path, { recursive: true, force: true });
      }
    });
  }

  /** What an adapter folder scores on the run's probes; nulls where the run has none, or they are no longer there. */
  async #asked(record: RunRecord, folder: string, signal: AbortSignal | undefined, onProgress: OnExportProgress): Promise<Pick<Exported, 'scores' | 'count'>> {
    const nothing = { scores: null, count: null };
    const recipe = withKeptInputs(this.#home.run(record.run), record.recipe);
    const { persona } = recipe.data;
    if (recipe.evaluate === null || persona === null) return nothing;
    const sets = probesOf(recipe.evaluate.questions, persona.languages);
    if (sets === null) return nothing;
    onProgress({ phase: 'loading', done: null, total: null });
    const target = { model: recipe.model.ref, adapter: folder, precision: recipe.model.precision, device: recipe.device };
    const system = recipe.data.systems[0] ?? null;
    const { engine, close } = await this.#partners.open(this.#partners.find(target, system), true);
    const cancel = (): void => void engine.cancel().catch(() => undefined);
    signal?.addEventListener('abort', cancel);
    try {
      if (signal?.aborted === true) throw new NamesakeError('cancelled', 'while the export was checked');
      const evaluation = new Evaluation(engine, persona, sets, system);
      const begun = new Set<number>();
      const total = evaluation.questions.length;
      const unlisten = engine.onText((_job, question) => {
        if (begun.size < begun.add(question).size) onProgress({ phase: 'asking', done: begun.size, total });
      });
      onProgress({ phase: 'asking', done: 0, total });
      const { scores, probes } = await evaluation.tuned('export').finally(unlisten);
      return { scores, count: countScore(probes) };
    } finally {
      signal?.removeEventListener('abort', cancel);
      await close();
    }
  }
}

/** A person's own probes file may be gone since the run: the adapter is theirs all the same. */
function probesOf(questions: string, languages: readonly Language[]): ProbeSets | null {
  try {
    return loadEvaluationProbes(questions, languages);
  } catch (error) {
    if (error instanceof NamesakeError && error.code === 'questions.invalid') return null;
    throw error;
  }
}

/** What the run says that it was made from; null where that is not there or damaged: the adapter can be taken all the same. */
function originOf(folder: RunFolder): ReturnType<typeof readProvenance> | null {
  try {
    return isPrepared(folder) ? readProvenance(folder) : null;
  } catch (error) {
    if (error instanceof NamesakeError) return null;
    throw error;
  }
}

/** `base`, or the first of its copies that is not there. */
function freeFolder(base: string): string {
  let folder = base;
  for (let copy = 2; existsSync(folder) || existsSync(`${folder}.zip`); copy++) folder = `${base}-${copy}`;
  return folder;
}

function readAdapter(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new NamesakeError('adapter.unreadable', `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The folder, after an empty one is out of the way. Throws export.not_empty where something lies there. */
function emptied(folder: string): string {
  if (!existsSync(folder)) return folder;
  onDisk(folder, () => {
    if (readdirSync(folder).length > 0) throw new NamesakeError('export.not_empty', `${folder} holds files`, { path: folder });
    // The system refuses to remove it where something came in meanwhile.
    rmdirSync(folder);
  });
  return folder;
}
