// “起名”页。
import type { name as en } from '../en/name.ts';

export const name: Record<keyof typeof en, string> = {
  'form.title': '它是谁？',
  'form.intro': '两个名字就够了。模型会在本机学会说出自己是谁，其他能力保持不变。',
  'form.owner': '谁做的',
  'form.owner_hint': '你或团队的名字',
  'form.name': '它叫什么',
  'form.name_hint': '助手的名字',
  'form.name_wrong': '名字须为一行，不超过 60 个字符，不含花括号和 < > |。',
  'form.languages': '它用哪些语言回答',
  'form.languages_wrong': '请至少选择一种语言。',
  'form.style': '语气',
  'form.model': '从哪个模型开始',
  'form.make': '开始制作',
  'style.plain': '平实',
  'style.warm': '亲切',
  'style.formal': '正式',
  'style.playful': '俏皮',
  'preview.title': '它将学会这样说',
  'preview.empty': '填好两个名字，这里就会出现前几句。',
  'form.model_auto': '推荐的模型',
  'form.model_option': '{name} · {size} · {state}',
  'form.model_too_large': '超出本机内存',
};
