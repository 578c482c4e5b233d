import { expect, it } from 'vitest';
import { talkCheckpoints } from '../../../../renderer/screens/compare/checkpoint-list.ts';
import type { CheckpointScores } from '../../../../shared/run.ts';

const at = (step: number, recall: [number, number] | null, kept = true): CheckpointScores => ({
  step,
  right: false,
  kept,
  scores: recall === null ? null : { zh: { recall: recall[0], leak: 0.1 }, en: { recall: recall[1], leak: 0.02 }, retention: { kl: 0.1, perplexity_ratio: 1 } },
});

it('checkpoints that can be talked to: the kept one first, then the latest; the weakest language counts', () => {
  const list = talkCheckpoints([at(0, [0, 0], false), at(20, [0.5, 0.7]), at(40, [1, 0.9]), at(60, null), at(80, [1, 1], false)], 40);
  expect(list.map(({ step, chosen }) => [step, chosen])).toEqual([[40, true], [60, false], [20, false]]);
  expect(list[0]).toMatchObject({ knows: 0.9, leaves: 0.9 });
  expect(list[1]).toMatchObject({ knows: null, leaves: null });
});

it('the kept one can be talked to although its checkpoint is gone', () => {
  expect(talkCheckpoints([at(0, null, false), at(40, [1, 1], false)], 40)).toMatchObject([{ step: 40, chosen: true }]);
});
