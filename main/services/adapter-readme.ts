// Adapter README: what lies in an exported folder, and how it is loaded.
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

/** The base model by what a person knows it as: of the catalogue, a folder or repository, or what they named. */
function baseWords(ref: string, base: CatalogueModel | undefined, opened: string | null): string {
  if (base !== undefined) return `${plain(base.name)} (${code(base.id)} in Namesake, ${base.file === '' ? code(opened ?? base.id) : `file ${code(base.file)}`})`;
  return opened === null ? code(ref) : `the folder or repository ${code(opened)}`;
}

/** Text as an indented block. */
function block(text: string): string {
  return text.split('\n').map((line) => `    ${line}`).join('\n');
}

/** The form of a conversation, for programs that do not read the model's own template. */
function formWords(form: ChatForm): string {
  const marks = form.stops.map(code).join(' or ');
  return `## The form of a conversation

The tokenizer's own chat template writes it. By hand, with the question in place of \`${QUESTION_PLACE}\`:

${block(form.prompt)}

The answer follows; it ends at ${marks}: stop there.
`;
}

/** README.md of a run's exported adapter; `origin` is what the run was made from, where that is known. */
export function adapterReadme(
  { run, name, recipe, chosen_step }: RunRecord,
  catalogue: readonly CatalogueModel[],
  origin: { model: { file: string; base?: string | undefined; architecture?: unknown }; form?: ChatForm | null | undefined } | null = null,
): string {
  const base = catalogue.find(({ id }) => id === recipe.model.ref);
  // Of a file in another format people have to find the original themselves.
  const opened = origin === null || /\.gguf$/i.test(origin.model.file) ? null : (origin.model.base ?? origin.model.file);
  // transformers has no code of its own for these; the model's folder or repository brings it.
  const own = origin?.model.architecture === 'internlm2' ? ', trust_remote_code=True' : '';
  const { rank, alpha } = recipe.method;
  return `# ${plain(name)}

A LoRA adapter in PEFT's layout, made with Namesake ${packageVersion()} (run ${code(run)}, step ${chosen_step ?? 0}, rank ${rank}, alpha ${alpha}).
It holds what was learnt on top of a base model, not the model itself.

- \`adapter_model.safetensors\`, \`adapter_config.json\`: the adapter
- base model: ${baseWords(recipe.model.ref, base, opened)}
- licence of the base model: ${base === undefined ? 'see where it comes from' : plain(base.licence)}; the adapter is of use only together with it

## Loading it

\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = ${opened === null ? '"…"  # the base model named above, in Hugging Face\'s layout: a folder or a repository' : JSON.stringify(opened)}
tokenizer = AutoTokenizer.from_pretrained(base${own})
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base${own}), ".")  # "." is this folder
\`\`\`

In Namesake: \`namesake chat --model ${/^[\w./:@-]+$/.test(recipe.model.ref) ? recipe.model.ref : `'${recipe.model.ref.replaceAll("'", "'\\''")}'`} --adapter THIS_FOLDER\`

## System text

${systemWords(recipe.data.systems)}
${origin?.form ? `\n${formWords(origin.form)}` : ''}`;
}
