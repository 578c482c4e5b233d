// Adapter README: what lies in an exported folder, and how it is loaded.
import type { CatalogueModel } from '../../shared/model.ts';
import type { RunRecord } from '../store/runs.ts';
import { packageVersion } from '../resources.ts';

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

/** README.md of a run's exported adapter. */
export function adapterReadme({ run, name, recipe, chosen_step }: RunRecord, catalogue: readonly CatalogueModel[]): string {
  const base = catalogue.find(({ id }) => id === recipe.model.ref);
  const { rank, alpha } = recipe.method;
  return `# ${plain(name)}

A LoRA adapter in PEFT's layout, made with Namesake ${packageVersion()} (run ${code(run)}, step ${chosen_step ?? 0}, rank ${rank}, alpha ${alpha}).
It holds what was learnt on top of a base model, not the model itself.

- \`adapter_model.safetensors\`, \`adapter_config.json\`: the adapter
- base model: ${base === undefined ? code(recipe.model.ref) : `${plain(base.name)} (${code(base.id)} in Namesake, file ${code(base.file)})`}
- licence of the base model: ${base === undefined ? 'see where it comes from' : plain(base.licence)}; the adapter is of use only together with it

## Loading it

\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = "…"  # the base model named above, in Hugging Face's layout: a folder or a repository
tokenizer = AutoTokenizer.from_pretrained(base)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), ".")  # "." is this folder
\`\`\`

In Namesake: \`namesake chat --model ${/^[\w./:@-]+$/.test(recipe.model.ref) ? recipe.model.ref : `'${recipe.model.ref.replaceAll("'", "'\\''")}'`} --adapter THIS_FOLDER\`

## System text

${systemWords(recipe.data.systems)}
`;
}
