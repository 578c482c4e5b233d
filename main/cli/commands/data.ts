// data, data import: rows without training.
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { Row } from '../../../shared/row.ts';
import { readText, writeWhole } from '../../disk.ts';
import { importRows } from '../../pipeline/import-rows.ts';
import { rowFormats, type RowFormat } from '../../pipeline/row-formats.ts';
import { recipeOn } from '../../services/beginning.ts';
import { openToAnswer } from '../../services/placement.ts';
import { createContext, type Context } from '../context.ts';
import { wholeNumber } from '../number-option.ts';
import { personaFrom, withPersonaOptions, type PersonaFlags } from '../persona-options.ts';

/** Writes rows as JSONL and reports them by kind. */
function writeRows(context: Context, rows: readonly Row[], out: string): void {
  const path = resolve(out);
  writeWhole(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const by_kind: Record<string, number> = {};
  for (const { kind } of rows) by_kind[kind] = (by_kind[kind] ?? 0) + 1;
  context.output.event({ event: 'result', rows: rows.length, by_kind, out: path });
  if (!context.output.json) {
    context.output.print(`${path}: ${Object.entries(by_kind).map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  }
}

export function addData(program: Command): void {
  const data = program.command('data').description('rows only, in the standard format').enablePositionalOptions();
  withPersonaOptions(data.command('persona', { isDefault: true }))
    .description('rows of a persona (the default)')
    .requiredOption('--out <file>', 'where to write the rows (JSONL)')
    .option('--model <ref>', 'model that answers the ordinary questions')
    .option('--seed <n>', 'seed of the rows', wholeNumber(0))
    .action(async (flags: PersonaFlags & { out: string; model?: string; seed?: number }, command: Command) => {
      const persona = personaFrom(flags);
      const context = createContext(command);
      const model = await context.models.locate(flags.model ?? context.models.default);
      const recipe = recipeOn(model.id, await context.models.beginning(model.id), persona, (value) => {
        if (flags.seed !== undefined) value['seed'] = flags.seed;
      });
      const { engine } = await openToAnswer(context.startEngine, { path: model.path, precision: recipe.model.precision, device: recipe.device, ...context.compute });
      try {
        const rows = await context.rows.fromPersona(recipe, model, engine, (done, total) => context.output.progress(`${done}/${total}`));
        writeRows(context, rows, flags.out);
      } finally {
        await engine.dispose();
      }
    });
  data
    .command('import <file>')
    .description('check a file and write it in the standard format')
    .addOption(new Option('--format <name>').choices(['auto', ...rowFormats]).default('auto'))
    .requiredOption('--out <file>', 'where to write the rows (JSONL)')
    .action((file: string, flags: { format: RowFormat; out: string }, command: Command) => {
      const context = createContext(command);
      writeRows(context, importRows(readText(file, 'rows.unreadable'), flags.format), flags.out);
    });
}
