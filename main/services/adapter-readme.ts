// Adapter README: what lies in an exported folder, and how it is loaded.
import type { AdapterBase } from '../../shared/export.ts';
import type { CatalogueModel } from '../../shared/model.ts';
import type { RunRecord } from '../store/runs.ts';
import { packageVersion } from '../resources.ts';
import { QUESTION_PLACE, type ChatForm } from './provenance.ts';

/** Text as Markdown code that no character of it can leave. */
function code(text: string): string {
  const fence = '`'.repeat(Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length)) + 1);
  return text.startsWith('`') || text.endsWith('`') ? `${fence} ${text} ${fence}` : `${fence}${text}${fence}`;
}

/** A heading or a sentence keeps to its line, and Markdown to itself. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>#|!]/g, (sign) => `\\${sign}`);
}

/** What to give the model first: the first of the system texts, which the run's probes had too. */
function systemWords([system, ...others]: readonly (string | null)[]): string {
  const among = others.length === 0 ? '' : ` (the first of ${others.length + 1} that it was trained under)`;
  if (system === null || system === undefined) return `It was trained without a system text of its own${among}: leave the chat template to its default.`;
  if (system === '') return `It was trained under an empty system text${among}: give \`{"role": "system", "content": ""}\` first.`;
  return `It was trained under this system text${among}; give it first:\n\n${system.split('\n').map((line) => `    ${line}`).join('\n')}`;
}

/** The base model by what a person knows it as: of the catalogue, a repository or folder, or what they named. */
function baseWords(ref: string, entry: CatalogueModel | undefined, { repository, folder }: AdapterBase): string {
  if (entry !== undefined) return `${plain(entry.name)} (${code(entry.id)} in Namesake, ${entry.file === '' ? code(repository ?? folder ?? entry.id) : `file ${code(entry.file)}`})`;
  if (repository !== null) return `the repository ${code(repository)}`;
  return folder === null ? code(ref) : `the folder ${code(folder)}`;
}

/** Text as an indented block. */
function block(text: string): string {
  return text.split('\n').map((line) => `    ${line}`).join('\n');
}

/** Text as an argument of a shell's command. */
function argument(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command that talks to it. Not told a precision it takes the weights as stored, which are not those of the scores. */
function commandWords({ model: { ref, precision }, evaluate }: RunRecord['recipe']): string {
  const command = `namesake chat --model ${argument(ref)} --adapter THIS_FOLDER`;
  if (precision === 'as-stored') return `In Namesake: \`${command}\``;
  return `In Namesake: \`${command} --precision ${precision}\`

It was trained${evaluate === null ? '' : ', and its scores were measured,'} on the base model in that precision (${precision}); on the weights as they are stored it can answer differently.`;
}

/** The form of a conversation, for programs that do not read the model's own template. */
function formWords(form: ChatForm): string {
  const marks = form.stops.map(code).join(' or ');
  const end = marks === '' ? '.' : `; it ends at ${marks}: stop there.`;
  return `## The form of a conversation

The tokenizer's own chat template writes it. By hand, with the question in place of \`${QUESTION_PLACE}\`:

${block(form.prompt)}

The answer follows${end}
`;
}

/** README.md of a run's exported adapter, which is loaded on `base`; `form` where it is known. */
export function adapterReadme(
  { run, name, recipe, chosen_step }: RunRecord,
  catalogue: readonly CatalogueModel[],
  base: AdapterBase,
  form: ChatForm | null = null,
): string {
  const entry = catalogue.find(({ id }) => id === recipe.model.ref);
  const opened = base.repository ?? base.folder;
  const own = base.own_code ? ', trust_remote_code=True' : '';
  // Namesake fetches no code, so a folder that it made has none.
  const files = base.own_code && base.repository === null ? "A folder must hold the model's own .py files, those that its config.json names under `auto_map`.\n\n" : '';
  const { rank, alpha } = recipe.method;
  return `# ${plain(name)}

A LoRA adapter in PEFT's layout, made with Namesake ${packageVersion()} (run ${code(run)}, step ${chosen_step ?? 0}, rank ${rank}, alpha ${alpha}).
It holds what was learnt on top of a base model, not the model itself.

- \`adapter_model.safetensors\`, \`adapter_config.json\`: the adapter
- base model: ${baseWords(recipe.model.ref, entry, base)}
- licence of the base model: ${entry === undefined ? 'see where it comes from' : plain(entry.licence)}; the adapter is of use only together with it

## Loading it

\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = ${opened === null ? '"…"  # the base model named above, in Hugging Face\'s layout: a folder or a repository' : JSON.stringify(opened)}
tokenizer = AutoTokenizer.from_pretrained(base${own})
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base${own}), ".")  # "." is this folder
\`\`\`

${files}${commandWords(recipe)}

## System text

${systemWords(recipe.data.systems)}
${form ? `\n${formWords(form)}` : ''}`;
}
