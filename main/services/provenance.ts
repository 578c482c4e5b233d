// Provenance: what a run was made from, so that it can be explained and repeated.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Problem } from '../../shared/doctor.ts';
import { isErrorCode, NamesakeError, type ErrorCode } from '../../shared/errors.ts';
import type { ModelInfo } from '../../shared/model.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { RunEngine } from '../../shared/run.ts';
import { onDisk, writeWhole } from '../disk.ts';
import type { RunFolder } from '../home.ts';
import { packageVersion } from '../resources.ts';
import type { LocalModel } from './model.ts';

/** How the model's own template asks for an answer, and what ends one. */
export interface ChatForm {
  /** A conversation of the run's system text and a question QUESTION_PLACE, up to where the assistant speaks. */
  prompt: string;
  /** Marks, as the tokenizer calls them. */
  stops: string[];
}

/** Stands for a question. */
export const QUESTION_PLACE = '…';

/** What a run is made from. */
export interface Origin {
  /** The form of a conversation; null where the template does not write one with the run's system text. */
  form: ChatForm | null;
  model: LocalModel;
  /** The model as this engine opened it. */
  info: ModelInfo;
  /** Why no card computes where the recipe left that open (gpu.*); else null. */
  no_card: Problem | null;
  recipe: Recipe;
  /** The addon's file. */
  addon: string;
  /** Once the trainer is made. */
  memory?: MemoryChoices;
}

/** How the engine fits its work into memory; bits do not depend on it. */
export interface MemoryChoices {
  /** Whether layers are computed again for the backward pass instead of being kept. */
  recompute: boolean;
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Writes provenance.json: model, rows, the adapter that training begins from, recipe and addon by sha256, versions, backend, instruction set and threads, and the card that computed or why none did. */
export function writeProvenance(folder: RunFolder, { model, info, no_card, recipe, addon, form, memory }: Origin): void {
  const { backend, isa, threads, card, architecture } = info;
  const provenance = {
    namesake: packageVersion(),
    node: process.versions.node,
    addon_sha256: sha256(onDisk(addon, () => readFileSync(addon))),
    platform: `${process.platform}-${process.arch}`,
    model: { ref: recipe.model.ref, file: model.path, base: model.base, sha256: model.sha256, architecture },
    rows_sha256: sha256(onDisk(folder.rows, () => readFileSync(folder.rows))),
    ...(existsSync(folder.init) && { init_sha256: sha256(onDisk(folder.init, () => Buffer.concat(readdirSync(folder.init).sort().map((name) => readFileSync(join(folder.init, name)))))) }),
    recipe_sha256: sha256(JSON.stringify(recipe)),
    engine: { backend, isa, threads, precision: recipe.model.precision, ...(card !== null && { card }), ...(no_card !== null && { no_card }) },
    form,
    ...(memory === undefined ? {} : { memory }),
    seed: recipe.seed,
  };
  writeWhole(folder.provenance, `${JSON.stringify(provenance, null, 2)}\n`);
}

/** Whether the rows of a run are made: its provenance is written after them. */
export function isPrepared(folder: RunFolder): boolean {
  return existsSync(folder.provenance);
}

const provenanceSchema = z.looseObject({
  model: z.looseObject({ file: z.string(), sha256: z.string(), base: z.string().optional(), architecture: z.string().optional() }),
  engine: z.looseObject({
    backend: z.string(),
    isa: z.string(),
    // What is only shown keeps no run from going on.
    card: z.object({ name: z.string(), compute_capability: z.string(), driver: z.string() }).optional().catch(undefined),
    no_card: z.object({ code: z.custom<ErrorCode>(isErrorCode), detail: z.string() }).optional().catch(undefined),
  }),
  /** Runs of earlier versions have none. */
  form: z.looseObject({ prompt: z.string(), stops: z.array(z.string()) }).nullish(),
});

/** Throws checkpoint.invalid where provenance.json is damaged. */
export function readProvenance(folder: RunFolder): z.infer<typeof provenanceSchema> {
  try {
    return provenanceSchema.parse(JSON.parse(readFileSync(folder.provenance, 'utf8')));
  } catch (error) {
    throw new NamesakeError('checkpoint.invalid', `${folder.provenance}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What a run began to be computed with; null where nothing says that (yet). */
export function engineOf(folder: RunFolder): RunEngine | null {
  if (!isPrepared(folder)) return null;
  try {
    const { backend, isa, card, no_card } = readProvenance(folder).engine;
    return { backend, isa, card: card ?? null, no_card: no_card ?? null };
  } catch {
    return null;
  }
}

/** The engine that a run began with and the present one, where they are not the same: bits then differ. */
export function changeOfEngine(folder: RunFolder, info: Pick<ModelInfo, 'backend' | 'isa'>): { began: string; now: string } | null {
  const { engine } = readProvenance(folder);
  const [began, now] = [engine, info].map(({ backend, isa }) => `${backend} ${isa}`) as [string, string];
  return began === now ? null : { began, now };
}

/**
 * Refuses to go on with a run on another model file than it began with: its adapter would not fit, without an error.
 * Throws adapter.mismatch, or checkpoint.invalid where provenance.json is damaged.
 */
export function checkSameModel(folder: RunFolder, model: LocalModel): void {
  const { model: began } = readProvenance(folder);
  if (began.sha256 !== model.sha256) {
    throw new NamesakeError('adapter.mismatch', `the run began on ${began.file} (sha256 ${began.sha256}); ${model.path} has ${model.sha256}`);
  }
}
