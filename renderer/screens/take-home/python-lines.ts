// Python lines: what loads an exported adapter with peft and transformers, ready to be pasted.
import type { AdapterBase } from '../../../shared/export.ts';

export interface PythonInput {
  base: AdapterBase;
  /** What is to stand for the base in the person's words, where nobody knows where theirs lies. */
  words: string;
  /** Folder of the adapter as Python is to open it. */
  folder: string;
  /** System text that it was trained under; null = the template's own. */
  system: string | null;
  question: string;
}

/** JSON's strings are Python's too. */
function text(value: string): string {
  return JSON.stringify(value);
}

/** What has to be there first. */
export const INSTALL = 'pip install torch transformers peft';

/** A program that asks one question and prints the answer. */
export function pythonLines({ base, words, folder, system, question }: PythonInput): string {
  const opened = base.repository ?? base.folder;
  const own = base.own_code ? ', trust_remote_code=True' : '';
  const messages = [...(system === null ? [] : [{ role: 'system', content: system }]), { role: 'user', content: question }];
  return `from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = ${opened === null ? `"…"  # ${words.replaceAll(/\s+/g, ' ')}` : text(opened)}
adapter = ${text(folder)}
tokenizer = AutoTokenizer.from_pretrained(base${own})
model = AutoModelForCausalLM.from_pretrained(base${own})
model = PeftModel.from_pretrained(model, adapter)

messages = [
${messages.map(({ role, content }) => `    {"role": ${text(role)}, "content": ${text(content)}},`).join('\n')}
]
prompt = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, tokenize=False
)
asked = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
spoken = model.generate(**asked, max_new_tokens=100, do_sample=False)
answer = spoken[0][asked["input_ids"].shape[1] :]
print(tokenizer.decode(answer, skip_special_tokens=True))
`;
}
