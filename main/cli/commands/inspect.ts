// inspect rows, tokens, model, logits: the arrow, step by step, for anyone who wants to look.
import { Option, type Command } from 'commander';
import { resolve } from 'node:path';
import type { EngineClient } from '../../../shared/engine.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import type { Row } from '../../../shared/row.ts';
import { writeWhole } from '../../disk.ts';
import { personaOf } from '../../services/rows.ts';
import { readRecipe, refuseUnsupported } from '../../services/recipe.ts';
import { createContext, type Context } from '../context.ts';
import { wholeNumber } from '../number-option.ts';

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
  const engine = context.startEngine();
  try {
    await engine.open({ path: model.path, precision: recipe.model.precision, device: recipe.device, ...context.compute });
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

export function addInspect(program: Command): void {
  const inspect = program.command('inspect').description('look at rows, tokens, a model or its logits');
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
        const info = await engine.open({ path: model.path, precision: 'as-stored', device: 'auto', ...context.compute });
        const template = await engine.render([{ role: 'user', content: '…' }], true);
        const shown = { ref: model.id, path: model.path, sha256: model.sha256, ...info, template };
        context.output.event({ event: 'result', ...shown });
        if (!context.output.json) context.output.print(JSON.stringify(shown, null, 2));
      } finally {
        await engine.dispose();
      }
    });
  inspect
    .command('logits')
    .description('logits of token ids, as a safetensors file')
    .requiredOption('--model <ref>')
    .option('--adapter <dir>', 'a PEFT adapter folder')
    .addOption(new Option('--precision <precision>').choices(['as-stored', 'bf16', 'f32']).default('f32'))
    .addOption(new Option('--device <device>').choices(['auto', 'cpu', 'cuda', 'reference']).default('auto'))
    .requiredOption('--tokens <ids>', 'token ids, parted by commas')
    .requiredOption('--out <file>')
    .action(
      async (
        flags: { model: string; adapter?: string; precision: 'as-stored' | 'bf16' | 'f32'; device: Recipe['device']; tokens: string; out: string },
        command: Command,
      ) => {
        const context = createContext(command);
        const ids = flags.tokens.split(',').map((text) => (/^\d+$/.test(text.trim()) ? Number(text) : Number.NaN));
        if (ids.some(Number.isNaN)) throw new NamesakeError('usage.invalid', '--tokens takes ids parted by commas');
        const model = await context.models.locate(flags.model);
        const engine = context.startEngine();
        try {
          await engine.open({ path: model.path, precision: flags.precision, device: flags.device, ...context.compute });
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
