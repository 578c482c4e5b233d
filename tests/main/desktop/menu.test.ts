import { expect, test, vi } from 'vitest';
import { menuTemplate, type MenuActions } from '../../../main/desktop/menu.ts';

vi.mock('electron', () => ({ app: {}, Menu: {} }));

interface Item {
  label?: string;
  type?: string;
  role?: string;
  accelerator?: string;
  click?: () => void;
  submenu?: Item[];
}

const did: string[] = [];
const actions: MenuActions = {
  command: (command) => did.push(command),
  showFiles: () => did.push('files'),
  showCrashes: () => did.push('crashes'),
  openDocumentation: () => did.push('documentation'),
  quit: () => did.push('quit'),
};
const itemsOf = (language: 'zh' | 'en', platform: NodeJS.Platform): Item[] =>
  (menuTemplate(language, actions, platform) as Item[]).flatMap((menu) => [menu, ...(menu.submenu ?? [])]);

test.each(['linux', 'win32', 'darwin'] as const)('both languages have the same menu on %s, each in its own words', (platform) => {
  const shape = (item: Item): unknown => [item.type, item.role, item.accelerator];
  const zh = itemsOf('zh', platform);
  const en = itemsOf('en', platform);
  expect(zh.map(shape)).toEqual(en.map(shape));
  for (const [i, item] of zh.entries()) {
    if (item.type === 'separator' || item.label === 'Namesake') continue;
    expect(item.label).toMatch(/\p{Script=Han}/u);
    expect(en[i]?.label).toMatch(/^[\x20-\x7e…]+$/);
  }
});

test.each(['linux', 'darwin'] as const)('every item of its own does what it says, once in the menu, on %s', (platform) => {
  did.length = 0;
  for (const { click } of itemsOf('en', platform)) click?.();
  expect([...did].sort()).toEqual(['crashes', 'documentation', 'files', 'new', 'quit', 'settings']);
  const keys = itemsOf('en', platform).flatMap(({ accelerator }) => accelerator ?? []);
  expect(keys).toContain('CmdOrCtrl+N');
  expect(new Set(keys).size).toBe(keys.length);
});
