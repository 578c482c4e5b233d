// doctor: what works on this machine, and what does not.
import type { Command } from 'commander';
import { NamesakeError } from '../../../shared/errors.ts';
import { gpuWords } from '../../../shared/i18n/gpu-words.ts';
import { translate } from '../../../shared/i18n/translate.ts';
import { startEngine } from '../../engine/client.ts';
import { Home } from '../../home.ts';
import { examine } from '../../services/doctor.ts';
import { parseThreads, systemLanguage, type GlobalOptions } from '../context.ts';
import { Output } from '../output.ts';

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what works on this machine, and what does not')
    .action(async (_flags: object, command: Command) => {
      // No context: it would open the database, and a doctor comes where even that fails.
      const options = command.optsWithGlobals<GlobalOptions>();
      parseThreads(options.threads);
      const language = systemLanguage();
      const output = new Output(options.json === true, language);
      const { version, engine_error, ...report } = await examine(new Home(options.home), () => startEngine());
      output.event({ event: 'result', namesake: version, engine_error, ...report });
      if (!output.json) {
        const { free_disk_bytes, free_memory_bytes, total_memory_bytes, default_model, isa } = report;
        output.print(`Namesake ${version}`);
        output.print(translate(language, 'doctor.node', { version: report.node }));
        output.print(translate(language, 'doctor.home', { path: report.home }));
        output.print(translate(language, 'doctor.disk', { free: gigabytes(free_disk_bytes) }));
        output.print(translate(language, 'doctor.memory', { free: gigabytes(free_memory_bytes), total: gigabytes(total_memory_bytes) }));
        output.print(default_model.here ? translate(language, 'doctor.model', { path: default_model.path }) : translate(language, 'doctor.model_absent'));
        if (engine_error === null) output.print(translate(language, 'doctor.engine', { isa: isa.auto ?? '—' }));
        for (const { words } of gpuWords(language, report.gpu)) output.print(words);
      }
      if (engine_error !== null) throw new NamesakeError(engine_error.code, engine_error.detail);
    });
}
