// What one does with models, one thing at a time, with what went wrong where it was done.
import { describe, expect, it } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { hubRef, Picker } from '../../../../renderer/screens/name/picker.svelte.ts';
import { NamesakeError, type ErrorCode } from '../../../../shared/errors.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';

function open() {
  const transport = new FakeTransport();
  const picker = new Picker(new Api(transport));
  const answer = async (result: unknown = null): Promise<unknown> => {
    const [first] = transport.asked;
    first?.answer(result);
    await settle();
    return first?.input;
  };
  const refuse = async (code: ErrorCode, params = {}): Promise<void> => {
    transport.asked[0]?.refuse(new NamesakeError(code, 'd', params));
    await settle();
  };
  return { transport, picker, answer, refuse };
}

describe('hubRef', () => {
  it.each([
    ['hf:o/n', 'hf:o/n'],
    [' modelscope:o/n@v1#a.gguf ', 'modelscope:o/n@v1#a.gguf'],
    ['Owner/Some-Model.1', 'hf:Owner/Some-Model.1'],
    ['o/n#q/a.gguf', 'hf:o/n#q/a.gguf'],
    ['https://hub.example/o/n/tree/main', 'hf:o/n'],
    ['https://modelscope.example/models/o/n', 'modelscope:o/n'],
    ['some model', null],
    ['https://hub.example/', null],
    ['', null],
  ])('takes %j for %j', (text, ref) => {
    expect(hubRef(text)).toBe(ref);
  });
});

describe('Picker', () => {
  it('fetches, pauses and removes, one thing at a time', async () => {
    const { transport, picker, answer } = open();
    const first = picker.download('m');
    expect([picker.busyAt('m'), picker.busyAt('n'), await picker.pause('n')]).toEqual(['asking', null, false]);
    expect(await answer()).toEqual({ model: 'm', accept_licence: false });
    expect([await first, picker.busyAt('m')]).toEqual([true, null]);
    void picker.pause('m');
    expect([transport.asked[0]?.name, await answer()]).toEqual(['models.pause', { model: 'm' }]);
    void picker.remove('m');
    expect(picker.busyAt('m')).toBe('removing');
    expect([transport.asked[0]?.name, await answer()]).toEqual(['models.remove', { model: 'm' }]);
  });

  it('says what went wrong where it was done, until something else is done', async () => {
    const { picker, refuse } = open();
    void picker.remove('m');
    await refuse('model.in_use', { model: 'm' });
    expect([picker.failedAt('m')?.code, picker.failedAt('n')]).toEqual(['model.in_use', null]);
    void picker.pause('n');
    expect(picker.failedAt('m')).toBeNull();
  });

  it('asks for a licence where one is needed, and fetches when it is accepted', async () => {
    const { picker, answer, refuse } = open();
    const asked = picker.downloadNamed('o/n');
    await refuse('model.licence_required', { model: 'hf:o/n', licence: 'gemma' });
    expect([await asked, picker.licenceAt('own'), picker.licenceAt('m')]).toMatchObject([false, { model: 'hf:o/n', licence: 'gemma' }, null]);
    const accepted = picker.accept();
    expect(await answer()).toEqual({ model: 'hf:o/n', accept_licence: true });
    expect([await accepted, picker.licenceAt('own'), await picker.accept()]).toEqual([true, null, false]);
  });

  it('offers the files of a place that has several', async () => {
    const { picker, answer, refuse } = open();
    void picker.downloadNamed('o/n');
    await refuse('model.ambiguous', { ref: 'hf:o/n', files: 'a.gguf, q/b.gguf, …' });
    expect(picker.choices).toEqual(['hf:o/n#a.gguf', 'hf:o/n#q/b.gguf']);
    void picker.downloadNamed(picker.choices[1] ?? '');
    expect(await answer()).toEqual({ model: 'hf:o/n#q/b.gguf', accept_licence: false });
    expect(picker.choices).toEqual([]);
  });

  it('asks nobody for what is no name', async () => {
    const { transport, picker } = open();
    expect([await picker.downloadNamed('what?'), picker.failedAt('own')?.code, transport.asked]).toEqual([false, 'model.source_unsupported', []]);
  });

  it('adds a file: hands it over, then looks whether it works', async () => {
    const { picker, answer } = open();
    let hand = (_file: { file: string; name: string } | null): void => undefined;
    const added = picker.add(() => new Promise((resolve) => (hand = resolve)));
    expect(picker.busyAt('own')).toBe('handing');
    hand({ file: 'f', name: 'm.gguf' });
    await settle();
    expect(picker.busyAt('own')).toBe('checking');
    expect(await answer({ id: 'm' })).toEqual({ file: 'f' });
    expect([await added, picker.busyAt('own')]).toEqual(['m', null]);
  });

  it('adds nothing where nobody chose a file, or where it is no model', async () => {
    const { transport, picker, refuse } = open();
    expect([await picker.add(() => Promise.resolve(null)), transport.asked]).toEqual([null, []]);
    const added = picker.add(() => Promise.resolve({ file: 'f', name: 'm.gguf' }));
    await settle();
    await refuse('model.unknown_format');
    expect([await added, picker.failedAt('own')?.code]).toEqual([null, 'model.unknown_format']);
    expect(await picker.add(() => Promise.reject(new NamesakeError('file.too_large', 'd', { limit: 1 })))).toBeNull();
    expect(picker.failedAt('own')?.code).toBe('file.too_large');
  });
});
