// A person's own evaluation questions: kept with the draft, asked by its run, still there in a draft of that run.
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ownQuestionsOf, withOwnQuestions } from '../../../main/services/own-questions.ts';
import { loadEvaluationProbes } from '../../../main/services/probe-file.ts';
import { loadProbes } from '../../../main/resources.ts';
import { refuseNewPaths } from '../../../main/services/recipe.ts';
import { thrownBy } from '../../support/errors.ts';
import { persona, tinyDrafts } from '../../support/tiny-drafts.ts';

const own = { identity: ['Who speaks?', '你是谁呀？'], ordinary: ['How far is the moon?'] };
const builtIn = loadProbes('choose');

describe('own questions in the place of the built-in ones', () => {
  it('go to the language that they are written in; kinds and languages without any keep theirs', () => {
    const sets = withOwnQuestions(builtIn, own, ['zh', 'en']);
    expect(sets.en?.identity).toEqual([{ question: 'Who speaks?', asks: 'either' }]);
    expect(sets.zh?.identity).toEqual([{ question: '你是谁呀？', asks: 'either' }]);
    expect(sets.en?.unrelated).toEqual(['How far is the moon?']);
    expect(sets.zh?.unrelated).toEqual(builtIn.zh?.unrelated);
    expect(sets.en?.near_miss).toEqual(builtIn.en?.near_miss);
    expect(ownQuestionsOf(builtIn, sets)).toEqual({ identity: ['你是谁呀？', 'Who speaks?'], ordinary: own.ordinary });
  });

  it('in a language that it does not speak count for the one that it does', () => {
    const sets = withOwnQuestions(builtIn, own, ['en']);
    expect(sets.en?.identity.map(({ question }) => question)).toEqual(own.identity);
    expect(sets.zh).toEqual(builtIn.zh);
  });
});

describe('a draft', () => {
  it('keeps them until they are taken back, and names their file in its recipe', async () => {
    const { drafts, home } = tinyDrafts();
    const { draft, recipe } = await drafts.create({ persona: persona({ languages: ['en'] }) });
    expect(drafts.questions(draft)).toBeNull();
    const changed = drafts.setQuestions(draft, own);
    const file = changed.recipe.evaluate?.questions ?? '';
    expect(file.startsWith(home.questions)).toBe(true);
    expect(drafts.questions(draft)).toEqual(own);
    expect(loadEvaluationProbes(file, ['en']).en?.identity).toHaveLength(2);
    // A window may send the recipe back as it is.
    await drafts.change(draft, { ...changed.recipe, steps: 5 });
    expect(drafts.questions(draft)).toEqual(own);
    expect(drafts.setQuestions(draft, { identity: [], ordinary: [] }).recipe.evaluate).toEqual(recipe.evaluate);
    expect(existsSync(file)).toBe(false);
    expect(drafts.questions(draft)).toBeNull();
  });

  it('takes their file with it when it goes', async () => {
    const { drafts } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const file = drafts.setQuestions(draft, own).recipe.evaluate?.questions ?? '';
    drafts.delete(draft);
    expect(existsSync(file)).toBe(false);
    expect(thrownBy(() => drafts.questions(draft)).code).toBe('draft.unknown');
  });

  it('cannot name the file of another one', async () => {
    const { drafts, home } = tinyDrafts();
    const [a, b] = [await drafts.create({ persona: persona() }), await drafts.create({ persona: persona() })];
    const { recipe } = drafts.setQuestions(a.draft, own);
    expect(thrownBy(() => refuseNewPaths(recipe, b.recipe, home)).code).toBe('recipe.invalid');
  });

  it('that checks nothing has nobody to ask them', async () => {
    const { drafts } = tinyDrafts();
    const { draft, recipe } = await drafts.create({ persona: persona() });
    await drafts.change(draft, { ...recipe, evaluate: null });
    expect(thrownBy(() => drafts.setQuestions(draft, own)).code).toBe('recipe.unsupported');
    expect(drafts.questions(draft)).toBeNull();
  });

  it('of a run has the run’s own copy, whatever became of the draft that the run came from', async () => {
    const { drafts, home, runs } = tinyDrafts();
    const { draft } = await drafts.create({ persona: persona() });
    const { recipe } = drafts.setQuestions(draft, own);
    const id = '20260101-000000-abcdef';
    runs.create(id, recipe);
    mkdirSync(home.run(id).folder, { recursive: true });
    copyFileSync(recipe.evaluate?.questions ?? '', home.run(id).questions);
    drafts.delete(draft);
    const again = await drafts.fromRun(id);
    expect(drafts.questions(again.draft)).toEqual(own);
    rmSync(home.run(id).folder, { recursive: true });
    expect(drafts.questions(again.draft)).toEqual(own);
  });
});
