// Python lines: what loads an exported adapter with peft and transformers, ready to be pasted.

export interface PythonInput {
  /** What stands for the base model, as the person knows it. */
  base: string;
  /** Folder of the adapter as Python is to open it. */
  folder: string;
  /** System text that it was trained under; null = the template's own. */
  system: string | null;
  question: string;
}

/** JSON's strings are Python's too, but for what lies outside of 16 bits, which Python takes as it is. */
function text(value: string): string {
  return JSON.stringify(value);
}

/** What has to be there first. */
export const INSTALL = 'pip install torch transformers peft';

/** A program that asks one question and prints the answer. */
export function pythonLines({ base, folder, system, question }: PythonInput): string {
  const messages = [...(system === null ? [] : [{ role: 'system', content: system }]), { role: 'user', content: question }];
  return `from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = ${text(base)}
tokenizer = AutoTokenizer.from_pretrained(base)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), ${text(folder)})

messages = [
${messages.map(({ role, content }) => `    {"role": ${text(role)}, "content": ${text(content)}},`).join('\n')}
]
ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=False)
answer = model.generate(ids, max_new_tokens=100, do_sample=False)[0][ids.shape[1]:]
print(tokenizer.decode(answer, skip_special_tokens=True))
`;
}
