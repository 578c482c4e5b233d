// The list of models as windows see it: downloads go on in it, whoever began them.
import { describe, expect, it } from 'vitest';
import { Api } from '../../../renderer/api.ts';
import { ModelsState } from '../../../renderer/state/models.svelte.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { FakeTransport, settle } from '../fake-transport.ts';
import { card, download } from '../model-card.ts';

function open() {
  const transport = new FakeTransport();
  const models = new ModelsState(new Api(transport));
  transport.connect('open');
  const answer = async (...cards: ReturnType<typeof card>[]): Promise<void> => {
    transport.asked[0]?.answer(cards);
    await settle();
  };
  return { transport, models, answer };
}

describe('ModelsState', () => {
  it('reads the list, finds models in it and knows the standard one', async () => {
    const { models, answer } = open();
    expect([models.list, models.standard, models.find('m')]).toEqual([null, null, null]);
    await answer(card('other'), card('m', { standard: true }));
    expect([models.standard?.id, models.find('other')?.id, models.find('none')]).toEqual(['m', 'other', null]);
  });

  it('shows how a download stands, and tells whoever watches', async () => {
    const { transport, models, answer } = open();
    await answer(card('m', { here: false }), card('n'));
    const seen: (number | undefined)[] = [];
    const off = models.onChange(() => seen.push(models.find('m')?.download?.done));
    transport.tell({ event: 'download', ...download('m', { done: 5 }) }, { event: 'download', ...download('m', { done: 9 }) });
    expect([seen, models.find('n')?.download]).toEqual([[5, 9], null]);
    off();
    transport.tell({ event: 'models' });
    await answer(card('m'));
    expect([seen.length, models.find('m')?.here]).toEqual([2, true]);
  });

  it('reads the list again for a download of a model that is not in it, after a loss, and once more while it reads', async () => {
    const { transport, answer } = open();
    await answer(card('m'));
    transport.tell({ event: 'download', ...download('hf:o/n') });
    expect(transport.asked).toHaveLength(1);
    transport.tell({ event: 'models' }, { event: 'lost' });
    expect(transport.asked).toHaveLength(1);
    await answer(card('m'));
    expect(transport.asked).toHaveLength(1);
    await answer(card('m'), card('hf:o/n'));
    expect(transport.asked).toEqual([]);
  });

  it('says why the list cannot be had, until it can', async () => {
    const { transport, models, answer } = open();
    transport.asked[0]?.refuse(new NamesakeError('home.damaged', 'd', { path: '/p' }));
    await settle();
    expect([models.error?.code, models.list]).toEqual(['home.damaged', null]);
    void models.load();
    await answer(card('m'));
    expect([models.error, models.list?.length]).toEqual([null, 1]);
  });
});
