// Personas: invented owners and assistants, as many as a warm start learns from. They are put together by chance, and nobody is meant.
import { styles, type PersonaInput } from '../../shared/persona.ts';
import { Random } from '../../main/pipeline/random.ts';

const words = {
  zh: {
    surnames: [...'赵钱孙李周吴郑王冯褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜谢邹苏潘葛范彭鲁韦马苗方俞任袁柳唐罗薛雷贺汤滕殷'],
    given: [...'伟芳娜敏静丽强磊军洋勇艳杰娟涛超霞平刚桂英华玉兰建国志远思雨梓涵浩然欣怡子轩宇航雅婷博文嘉怡俊辉晓燕海波春梅立新'],
    titles: ['老师', '先生', '女士', '同学', '博士', '大哥', '师傅', '教授', '医生', '老板', '掌柜', '队长', '工程师', '妈妈', '爸爸', '姐姐'],
    nicknames: [...'豆糖云星月雪果桃雨叶竹梅鱼鹿猫熊兔虎鸟蓝白青橙金银石泉山海风光阳冰火木花草贝螺松柏荷莲'],
    prefixes: ['小', '阿', '大', '老'],
    suffixes: ['助手', '宝', '仔', '儿', '同学', '精灵', '管家'],
  },
  en: {
    owners: [
      ...['Aaron', 'Bella', 'Carlos', 'Daisy', 'Edward', 'Fiona', 'George', 'Hannah', 'Ivan', 'Julia', 'Kevin', 'Laura', 'Martin', 'Nora', 'Oscar', 'Paula'],
      ...['Quentin', 'Rosa', 'Samuel', 'Tanya', 'Ulrich', 'Vera', 'Walter', 'Xenia', 'Yusuf', 'Zoe', 'Akira', 'Brigitte', 'Chidi', 'Dmitri', 'Elena', 'Farid'],
      ...['Greta', 'Henrik', 'Ingrid', 'Jamal', 'Katya', 'Lars', 'Mei', 'Nikhil', 'Olga', 'Pedro', 'Ravi', 'Sofia', 'Tomas', 'Uma', 'Viktor', 'Wendy'],
    ],
    surnames: ['Baker', 'Novak', 'Silva', 'Tanaka', 'Okafor', 'Larsen', 'Moreau', 'Rossi', 'Kowalski', 'Haddad', 'Iyer', 'Fischer', 'Duarte', 'Lindqvist', 'Murphy', 'Papadopoulos'],
    names: [
      ...['Pixel', 'Biscuit', 'Comet', 'Dotty', 'Echo', 'Fable', 'Gizmo', 'Hazel', 'Indigo', 'Juniper', 'Koko', 'Lumen', 'Maple', 'Nimbus', 'Otter', 'Pebble'],
      ...['Quill', 'Rusty', 'Sparky', 'Tango', 'Umbra', 'Velvet', 'Willow', 'Xeno', 'Yoyo', 'Ziggy', 'Acorn', 'Bramble', 'Cricket', 'Dune', 'Ember', 'Fennel'],
      ...['Ginger', 'Harbor', 'Iris', 'Jasper', 'Kiwi', 'Lotus', 'Mango', 'Noodle', 'Olive', 'Pickle', 'Ripple', 'Saffron', 'Tofu', 'Waffle', 'Button', 'Clover'],
    ],
    endings: ['', '', '', ' Bot', ' Junior', '-9', ' the Helper', 'ette', 'o'],
  },
} as const;

function chineseOwner(random: Random): string {
  const { surnames, given, titles } = words.zh;
  const surname = random.pick(surnames);
  if (random.next() < 0.3) return surname + random.pick(titles);
  const full = surname + random.pick(given) + (random.next() < 0.6 ? random.pick(given) : '');
  return random.next() < 0.2 ? full.slice(1) + random.pick(titles) : full;
}

function chineseName(random: Random): string {
  const { nicknames, prefixes, suffixes } = words.zh;
  const one = random.pick(nicknames);
  const form = random.next();
  if (form < 0.35) return random.pick(prefixes) + one;
  if (form < 0.6) return one + one;
  if (form < 0.8) return one + random.pick(nicknames);
  return (random.next() < 0.5 ? random.pick(prefixes) : '') + one + random.pick(suffixes);
}

function latinOwner(random: Random): string {
  const first = random.pick(words.en.owners);
  return random.next() < 0.3 ? `${first} ${random.pick(words.en.surnames)}` : first;
}

function latinName(random: Random): string {
  return random.pick(words.en.names) + random.pick(words.en.endings);
}

/**
 * `count` personas in the ways that people fill in the form: Chinese names alone, with English forms beside them, or Latin
 * names for both languages, a third each. The same seed gives the same ones.
 */
export function inventPersonas(count: number, seed: number): PersonaInput[] {
  const random = new Random(seed, 'personas');
  return Array.from({ length: count }, (_, i) => {
    const style = random.next() < 0.7 ? 'plain' : random.pick(styles);
    const built = random.next() < 0.15 ? { built_on: 'SmolLM2' } : {};
    if (i % 3 === 2) return { owner: latinOwner(random), name: latinName(random), style, ...built };
    const chinese = { owner: chineseOwner(random), name: chineseName(random), style, ...built };
    return i % 3 === 0 ? chinese : { ...chinese, owner_en: latinOwner(random), name_en: latinName(random) };
  });
}
