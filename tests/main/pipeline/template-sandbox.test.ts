import { Script } from 'node:vm';
import { expect, it, vi } from 'vitest';
import { compileTemplate } from '../../../main/pipeline/template-sandbox.ts';

const values = { messages: [{ role: 'user', content: 'hello' }], add_generation_prompt: true, bos_token: '<s>', eos_token: '</s>', enable_thinking: false };
const render = (source: string): string => compileTemplate(source).render(values);

it('renders what a chat template needs', () => {
  expect(render('{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m["content"] | trim }}{{ eos_token }}{% endfor %}')).toBe(
    '<s>user: hello</s>',
  );
  expect(render('{% if add_generation_prompt %}yes{% endif %}{% for i in range(1, 7, 2) %}{{ i }}{% endfor %}')).toBe('yes135');
  expect(render('{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(3, 0, -1) %}{{ i }}{% endfor %}')).toBe('012321');
  expect(render('{{ none is none and not false }}')).toBe('true');
});

it('has no clock: a row’s tokens are the same on any day', () => {
  expect(render('{% if strftime_now is defined %}now{% else %}never{% endif %}')).toBe('never');
  const llama = '{% if not date_string is defined %}{% if strftime_now is defined %}{% set date_string = strftime_now("%d %b %Y") %}{% else %}{% set date_string = "26 Jul 2024" %}{% endif %}{% endif %}';
  expect(render(`${llama}Today Date: {{ date_string }}`)).toBe('Today Date: 26 Jul 2024');
});

it('strips as Python does', () => {
  const stripped = (expression: string, text: string): string =>
    compileTemplate(`{{ ${expression} }}`).render({ ...values, messages: [{ role: 'user', content: text }] });
  const text = '\n\n \x1f\u0085 a\uFEFF \n';
  expect(stripped('messages[0].content.lstrip("\\n")', text)).toBe(' \x1f\u0085 a\uFEFF \n');
  expect(stripped('messages[0].content.rstrip("\\n")', text)).toBe('\n\n \x1f\u0085 a\uFEFF ');
  expect(stripped('messages[0]["content"].strip("\\n ")', text)).toBe('\x1f\u0085 a\uFEFF');
  expect(stripped('messages[0].content.strip()', text)).toBe('a\uFEFF');
  expect(stripped('messages[0].content | trim', text)).toBe('a\uFEFF');
  expect(stripped('(messages[0].content.split("a")[0].strip() ~ "x").strip("x") | trim | length', text)).toBe('0');
  expect(stripped('{"a": messages[0].content.strip()}["a"]', text)).toBe('a\uFEFF');
  expect(() => stripped('messages.strip()', text)).toThrow();
});

it('keeps nothing from one rendering to the next', () => {
  const template = compileTemplate('{{ seen is defined }}{% set seen = 1 %}');
  expect([template.render(values), template.render(values)]).toEqual(['false', 'false']);
});

it('throws what the template raises', () => {
  expect(() => render('{{ raise_exception("roles must alternate") }}')).toThrow('roles must alternate');
});

it.each([
  ['unclosed', '{% for x in y %}'],
  ['garbage', '{{ 1 +'],
  ['nested too deeply', `{{ ${'('.repeat(20_000)}1${')'.repeat(20_000)} }}`],
])('refuses a template that is %s', (_, source) => {
  expect(() => render(source)).toThrow();
});

it.each([
  ['counts for ever', '{% for i in range(1000000000) %}x{% endfor %}', /a range of 1000000000 elements/],
  ['counts without a step', '{% for i in range(0, 10, 0) %}x{% endfor %}', /a range of Infinity/],
  ['loops in loops', '{% for i in range(9999) %}{% for j in range(9999) %}{{ i }}{% endfor %}{% endfor %}', /does not come to an end|timed out/],
  ['doubles a text', '{% set n = namespace(a="xxxxxxxx") %}{% for i in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}', /a text of 262144/],
  ['doubles a list', '{% set n = namespace(a=[1]) %}{% for i in range(99) %}{% set n.a = n.a + n.a %}{% endfor %}', /a list of 16384/],
  ['blows a text up', '{{ "a\nb" | indent(100000000) }}', /a text of \d+|Invalid string length/],
  ['writes too much', `${'x'.repeat(300_000)}{{ 1 }}`, /a text of 300000/],
])('ends a template that %s', (_, source, reason) => {
  expect(() => render(source)).toThrow(reason);
});

it('ends empty loops by time', () => {
  const loop = '{% for i in range(9999) %}'.repeat(4) + '{% endfor %}'.repeat(4);
  const start = performance.now();
  expect(() => render(loop)).toThrow(/timed out/);
  expect(performance.now() - start).toBeLessThan(10_000);
});

it('ends many renderings together as it ends one, and goes on', () => {
  const loop = '{% for i in range(9999) %}'.repeat(4) + '{% endfor %}'.repeat(4);
  const template = compileTemplate(`{% if messages | length > 1 %}${loop}{% endif %}{{ messages[0].content }}`);
  const endless = { ...values, messages: [...values.messages, ...values.messages] };
  expect(() => template.together(() => [template.render(values), template.render(endless)])).toThrow(/timed out/);
  expect(template.together(() => template.together(() => [template.render(values)]))).toEqual(['hello']);
  expect(() => template.together(() => {
    throw new Error('of the caller');
  })).toThrow('of the caller');
  expect(template.together(() => undefined)).toBeUndefined();
  expect(template.render(values)).toBe('hello');
});

it('gives work that takes longer than the limit a limit for each rendering', () => {
  const template = compileTemplate('{{ messages[0].content }}');
  const begun: number[] = [];
  const text = template.together(() => {
    begun.push(performance.now());
    // Work beside the rendering: a long text that is encoded.
    if (begun.length === 1) for (;;);
    return template.render(values);
  });
  expect(text).toBe('hello');
  expect(begun).toHaveLength(2);
});

it('takes one limit of time for many renderings', () => {
  const template = compileTemplate('{{ messages[0].content }}');
  const limits = vi.spyOn(Script.prototype, 'runInContext');
  const texts = template.together(() => Array.from({ length: 100 }, () => template.render(values)));
  expect(texts).toEqual(Array(100).fill('hello'));
  expect(limits).toHaveBeenCalledTimes(1);
  limits.mockRestore();
});

it('takes long messages', () => {
  const content = 'word\n'.repeat(100_000);
  const template = compileTemplate('{% for m in messages %}{{ m.content }}{{ m.content.split("\\n") | length }}{% endfor %}');
  expect(template.render({ ...values, messages: [{ role: 'user', content }] })).toBe(`${content}100001`);
});
