// inspect rows, tokens, model, memory, logits: the arrow, step by step, for anyone who wants to look.
import { Option, type Command } from 'commander';
import { resolve } from 'node:path';
import type { EngineClient } from '../../../shared/engine.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { precisions, type Recipe } from '../../../shared/recipe.ts';
import type { Row } from '../../../shared/row.ts';
import type { MemoryBudget } from '../../../shared/memory.ts';
import { placementWords } from '../../../shared/i18n/placement-words.ts';
import { translate, type MessageKey } from '../../../shared/i18n/translate.ts';
import { writeWhole } from '../../disk.ts';
import { MemoryService } from '../../services/memory.ts';
import { openToAnswer } from '../../services/placement.ts';
import { personaOf } from '../../services/rows.ts';
import { readRecipe, refuseUnsupported } from '../../services/recipe.ts';
import { activationBitsOption, stateBitsOption } from '../bits-option.ts';
import { createContext, type Context } from '../context.ts';
import { deviceOption } from '../device-option.ts';
import { layersOption } from '../layers-option.ts';
import { wholeNumber } from '../number-option.ts';
import type { Output } from '../output.ts';

/** Opens the recipe's model and runs `body` with its rows. */
async function withRows(
  context: Context,
  path: string,
  body: (rows: Row[], engine: EngineClient, recipe: Recipe) => Promise<void>,
): Promise<void> {
  const recipe = readRecipe(path);
  refuseUnsupported(recipe);
  if (recipe.data.format === 'tokens') throw new NamesakeError('recipe.unsupported', 'rows of data.format "tokens"');
  const model = await context.models.locate(recipe.model.ref);
  const { engine } = await openToAnswer(context.startEngine, { path: model.path, precision: recipe.model.precision, device: recipe.device, ...context.compute });
  try {
    const rows =
      personaOf(recipe) === null
        ? context.rows.fromFile(recipe)
        : await context.rows.fromPersona(recipe, model, engine, (done, total) => context.output.progress(`${done}/${total}`));
    await body(rows, engine, recipe);
  } finally {
    await engine.dispose();
  }
}

/** All rows with their numbers (from 1), or the one that was asked for. */
function chosen<T>(rows: readonly T[], row: number | undefined): [number, T][] {
  const numbered = rows.map((value, i): [number, T] => [i + 1, value]);
  if (row === undefined) return numbered;
  const found = numbered[row - 1];
  if (found === undefined) throw new NamesakeError('usage.invalid', `--row ${row}: there are ${rows.length} rows`);
  return [found];
}

/** A safetensors file with one f32 tensor. */
function logitsFile(logits: Float32Array, shape: readonly number[]): Uint8Array {
  const header = Buffer.from(JSON.stringify({ logits: { dtype: 'F32', shape, data_offsets: [0, logits.byteLength] } }));
  const padded = Buffer.concat([header, Buffer.alloc((8 - (header.length % 8)) % 8, ' ')]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([size, padded, Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength)]);
}

interface MemoryFlags {
  model: string;
  maxLength: number;
  batchTokens: number;
  rank: number;
  layers: number | null;
  stateBits: 32 | 8;
  activationBits: 32 | 16;
  precision: Recipe['model']['precision'];
  device: Recipe['device'];
  recompute?: boolean;
}

/** The budget in words, a purpose a line. */
function printBudget(output: Output, budget: MemoryBudget): void {
  const line = (key: MessageKey, bytes: number): void => {
    output.print(`${(bytes / 1e6).toFixed(0).padStart(8)} MB  ${translate(output.language, key)}`);
  };
  line('memory.weights_mapped', budget.weights_mapped);
  line('memory.weights_resident', budget.weights_resident);
  line('memory.adapter', budget.adapter);
  line('memory.gradients', budget.gradients);
  line('memory.optimizer', budget.optimizer);
  line(budget.recompute ? 'memory.activations_again' : 'memory.activations', budget.activations);
  line('memory.scratch', budget.scratch);
  line('memory.between_steps', budget.between_steps);
  line('memory.process', budget.process);
  line('memory.total', budget.total);
  line('memory.available', budget.available);
  if (budget.host > 0) {
    line('memory.host', budget.host);
    line('memory.host_available', budget.host_available);
  }
  for (const words of placementWords(output.language, budget)) output.print(words);
  output.print(translate(output.language, budget.fits ? 'memory.fits' : 'memory.does_not_fit'));
}

export function addInspect(program: Command): void {
  const inspect = program.command('inspect').description('look at rows, tokens, a model, its memory or its logits');
  inspect
    .command('rows')
    .description('the rows that a recipe trains on')
    .requiredOption('--recipe <file>')
    .option('--row <n>', 'only this one (from 1)', wholeNumber(1))
    .action(async (flags: { recipe: string; row?: number }, command: Command) => {
      const context = createContext(command);
      await withRows(context, flags.recipe, async (rows) => {
        for (const [row, value] of chosen(rows, flags.row)) {
          context.output.event({ event: 'row', row, ...value });
          if (!context.output.json) context.output.print(JSON.stringify(value));
        }
      });
    });
  inspect
    .command('tokens')
    .description('ids, labels and pieces of each row, before packing and shuffling')
    .requiredOption('--recipe <file>')
    .option('--row <n>', 'only this one (from 1)', wholeNumber(1))
    .action(async (flags: { recipe: string; row?: number }, command: Command) => {
      const context = createContext(command);
      await withRows(context, flags.recipe, async (rows, engine, recipe) => {
        const tokenized = await context.rows.tokenize(rows, recipe, engine);
        for (const [row, { ids, labels, pieces, kind }] of chosen(tokenized, flags.row)) {
          context.output.event({ event: 'tokens', row, ids, labels, pieces, kind });
          if (context.output.json) continue;
          // Learnt pieces stand in brackets.
          context.output.print(`${row} ${kind}: ${pieces.map((piece, i) => (labels[i] === -100 ? piece : `[${piece}]`)).join('')}`);
        }
      });
    });
  inspect
    .command('model <ref>')
    .description('what a model is; makes every check that loading makes')
    .action(async (ref: string, _flags: object, command: Command) => {
      const context = createContext(command);
      const model = await context.models.locate(ref);
      const engine = context.startEngine();
      try {
        const info = await engine.open({ path: model.path, precision: 'as-stored', device: 'cpu', ...context.compute });
        const template = await engine.render([{ role: 'user', content: '…' }], true);
        const shown = { ref: model.id, path: model.path, sha256: model.sha256, ...info, template };
        context.output.event({ event: 'result', ...shown });
        if (!context.output.json) context.output.print(JSON.stringify(shown, null, 2));
      } finally {
        await engine.dispose();
      }
    });
  inspect
    .command('memory')
    .description('what training a model would take, planned before anything is allocated; needs no weights of catalogue models')
    .requiredOption('--model <ref>')
    .option('--max-length <n>', 'longest conversation', wholeNumber(8), 512)
    .option('--batch-tokens <n>', 'tokens of a micro-batch; not less than --max-length', wholeNumber(8), 640)
    .option('--rank <n>', 'LoRA rank', wholeNumber(1), 16)
    .addOption(layersOption())
    .addOption(stateBitsOption())
    .addOption(activationBitsOption())
    .addOption(new Option('--precision <precision>').choices(precisions).default('as-stored'))
    .addOption(deviceOption().default('auto'))
    .option('--recompute', 'compute activations again instead of keeping them; chosen anyway where keeping does not fit')
    .action(async (flags: MemoryFlags, command: Command) => {
      const context = createContext(command);
      const memory = new MemoryService(context.home, context.models, context.startEngine, () => context.compute);
      const budget = await memory.budget(flags.model, {
        precision: flags.precision,
        device: flags.device,
        rank: flags.rank,
        layers: flags.layers,
        state_bits: flags.stateBits,
        activation_bits: flags.activationBits,
        batch_tokens: Math.max(flags.batchTokens, flags.maxLength),
        packed_tokens: null,
        max_length: flags.maxLength,
        answers: true,
        recompute: flags.recompute === true ? true : null,
      });
      context.output.event({ event: 'result', ...budget });
      if (!context.output.json) printBudget(context.output, budget);
    });
  inspect
    .command('logits')
    .description('logits of token ids, as a safetensors file')
    .requiredOption('--model <ref>')
    .option('--adapter <dir>', 'a PEFT adapter folder')
    .addOption(new Option('--precision <precision>').choices(precisions).default('f32'))
    .addOption(deviceOption().default('auto'))
    .requiredOption('--tokens <ids>', 'token ids, parted by commas')
    .requiredOption('--out <file>')
    .action(
      async (
        flags: { model: string; adapter?: string; precision: Recipe['model']['precision']; device: Recipe['device']; tokens: string; out: string },
        command: Command,
      ) => {
        const context = createContext(command);
        const ids = flags.tokens.split(',').map((text) => (/^\d+$/.test(text.trim()) ? Number(text) : Number.NaN));
        if (ids.some(Number.isNaN)) throw new NamesakeError('usage.invalid', '--tokens takes ids parted by commas');
        const model = await context.models.locate(flags.model);
        const { engine } = await openToAnswer(context.startEngine, { path: model.path, precision: flags.precision, device: flags.device, ...context.compute });
        try {
          if (flags.adapter !== undefined) await engine.useAdapter({ kind: 'folder', folder: resolve(flags.adapter) });
          const logits = await engine.logits(ids);
          const out = resolve(flags.out);
          const shape = [ids.length, logits.length / ids.length];
          writeWhole(out, logitsFile(logits, shape));
          context.output.event({ event: 'result', out, shape });
          if (!context.output.json) context.output.print(`${out} [${shape.join(', ')}]`);
        } finally {
          await engine.dispose();
        }
      },
    );
}
