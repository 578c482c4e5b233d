// export: a run's assistant as files for other programs.
import { Option, type Command } from 'commander';
import { NamesakeError } from '../../../shared/errors.ts';
import { createContext } from '../context.ts';
import { interruptible } from '../interrupt.ts';
import { scoreLine } from '../run-report.ts';

/** The product's formats; those that this version cannot write yet are refused by a code of their own. */
const formats = ['adapter', 'merged', 'gguf', 'gguf-adapter', 'ollama'] as const;

interface ExportFlags {
  run: string;
  format: (typeof formats)[number];
  out: string;
}

export function addExport(program: Command): void {
  program
    .command('export')
    .description('write the assistant of a run for other programs, and probe what was written')
    .requiredOption('--run <id>', 'the run')
    .addOption(new Option('--format <name>', 'what to write').choices(formats).makeOptionMandatory())
    .addOption(new Option('--quant <type>', 'of a gguf file').choices(['F16', 'Q8_0', 'Q4_K_M']))
    .requiredOption('--out <dir>', 'a folder that is not there or is empty')
    .action(async ({ run, format, out }: ExportFlags, command: Command) => {
      if (format !== 'adapter') throw new NamesakeError('export.unsupported', format, { format });
      const context = createContext(command);
      const { output } = context;
      const abort = new AbortController();
      await interruptible(
        () => abort.abort(),
        async () => {
          const { files, folder, scores } = await context.exports.adapter(run, out, { signal: abort.signal });
          output.event({ event: 'result', files, scores, folder });
          if (output.json) return;
          output.print(folder);
          if (scores !== null) output.print(scoreLine(output.language, scores));
        },
      );
    });
}
