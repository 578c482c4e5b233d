// What stands around every screen: the title, the steps and why they lead nowhere yet, and the keyboard.
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { pageTitle } from '../../../renderer/frame/page-title.ts';
import { shortcutOf, type Press } from '../../../renderer/frame/shortcuts.ts';
import { stepTarget } from '../../../renderer/frame/step-target.ts';
import { steps, type Place } from '../../../renderer/state/route.svelte.ts';
import { speak } from '../../../renderer/state/words.svelte.ts';

vi.stubGlobal('document', { documentElement: { lang: '' } });

describe('the title', () => {
  const run = { name: '小锋', status: 'running', step: 62, steps: 100 } as const;
  const place: Place = { screen: 'train', subject: { run: 'a' } };
  beforeEach(() => speak('en'));

  it('says whose page it is, and how far it is while it learns', () => {
    expect(pageTitle(place, run)).toBe('小锋 · 62% – Namesake');
    expect(pageTitle(place, { ...run, step: 9, steps: 10 })).toBe('小锋 · 90% – Namesake');
    expect(pageTitle({ ...place, screen: null }, { ...run, status: 'done' })).toBe('小锋 – Namesake');
    expect(pageTitle(place, { ...run, status: 'running', steps: 0 })).toBe('小锋 – Namesake');
  });

  it('names places without a run in the language of the page', () => {
    expect(pageTitle({ screen: 'settings', subject: null }, null)).toBe('Settings – Namesake');
    expect(pageTitle({ screen: 'learn', subject: { draft: 'd' } }, null)).toBe('Learn from – Namesake');
    speak('zh');
    expect(pageTitle({ screen: 'assistants', subject: null }, null)).toBe('全部助手 – Namesake');
    expect(pageTitle({ screen: 'name', subject: null }, null)).toBe('新建助手 – Namesake');
    expect(pageTitle(place, run)).toBe('小锋 · 62% – Namesake');
  });
});

describe('the steps', () => {
  const reached = (place: Place, run: Parameters<typeof stepTarget>[2] = null): string[] => steps.filter((step) => stepTarget(step, place, run).to !== null);
  const why = (place: Place, run: Parameters<typeof stepTarget>[2] = null): (string | null)[] => steps.map((step) => stepTarget(step, place, run).why);
  const ofRun: Place = { screen: 'train', subject: { run: 'a' } };

  it('of a new assistant begin with its name', () => {
    const place: Place = { screen: 'name', subject: null };
    expect(reached(place)).toEqual(['name']);
    expect(why(place)).toEqual([null, 'steps.why_named', 'steps.why_named', 'steps.why_trained', 'steps.why_trained']);
  });

  it('of a draft go as far as training', () => {
    const place: Place = { screen: 'learn', subject: { draft: 'd' } };
    expect(reached(place)).toEqual(['name', 'learn', 'train']);
    expect(why(place).slice(3)).toEqual(['steps.why_trained', 'steps.why_trained']);
    expect(stepTarget('train', place, null).to).toEqual({ screen: 'train', subject: { draft: 'd' } });
  });

  it('of a run lead to the comparison once something was kept', () => {
    expect(reached(ofRun, { status: 'done', chosen_step: 20 })).toEqual([...steps]);
    expect(reached(ofRun, { status: 'stopped', chosen_step: 20 })).toEqual([...steps]);
    expect(reached(ofRun, { status: 'stopped', chosen_step: null })).toEqual(['name', 'learn', 'train']);
    expect(why(ofRun, { status: 'running', chosen_step: null })[3]).toBe('steps.why_learning');
    expect(why(ofRun, { status: 'interrupted', chosen_step: null })[4]).toBe('steps.why_kept');
    expect(why(ofRun, { status: 'cancelled', chosen_step: null })[3]).toBe('steps.why_gone');
    expect(why(ofRun, null)[3]).toBe('steps.why_kept');
  });
});

describe('the keyboard', () => {
  const press = (change: Partial<Press>): Press => ({ key: '', ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, isComposing: false, defaultPrevented: false, ...change });

  it.each([
    ['Ctrl+N', { key: 'n', ctrlKey: true }, 'new'],
    ['Cmd+N', { key: 'n', metaKey: true }, 'new'],
    ['Ctrl+N with caps lock', { key: 'N', ctrlKey: true }, 'new'],
    ['Ctrl+,', { key: ',', ctrlKey: true }, 'settings'],
    ['Escape', { key: 'Escape' }, 'close'],
    ['n', { key: 'n' }, null],
    ['Ctrl+Shift+N', { key: 'N', ctrlKey: true, shiftKey: true }, null],
    ['AltGr+N', { key: 'n', ctrlKey: true, altKey: true }, null],
    ['Ctrl+Cmd+N', { key: 'n', ctrlKey: true, metaKey: true }, null],
    ['Escape that ends a composition', { key: 'Escape', isComposing: true }, null],
    ['Escape that somebody took', { key: 'Escape', defaultPrevented: true }, null],
    ['Ctrl+Enter', { key: 'Enter', ctrlKey: true }, null],
  ] as const)('%s', (_name, change, shortcut) => {
    expect(shortcutOf(press(change))).toBe(shortcut);
  });
});
