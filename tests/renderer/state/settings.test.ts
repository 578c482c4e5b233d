// The settings as a window shows them: they hold at once, and no late answer takes a later change back.
import { expect, it, vi } from 'vitest';
import { Api } from '../../../renderer/api.ts';
import { Notices } from '../../../renderer/state/notices.svelte.ts';
import { SettingsState } from '../../../renderer/state/settings.svelte.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { settingsSchema } from '../../../shared/settings.ts';
import { FakeTransport, settle } from '../fake-transport.ts';

vi.stubGlobal('document', { documentElement: { lang: '', dataset: {} }, addEventListener: () => undefined });
vi.stubGlobal('window', {});
vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => undefined });

const stored = settingsSchema.parse({});

async function open() {
  const transport = new FakeTransport();
  const notices = new Notices(({ code }) => code);
  const settings = new SettingsState(new Api(transport), notices);
  transport.asked[0]?.answer(stored);
  await settle();
  return { transport, notices, settings };
}

it('a later change stays while the answer to an earlier one comes', async () => {
  const { transport, settings } = await open();
  void settings.change({ language: 'zh' });
  void settings.change({ theme: 'dark' });
  expect(settings.current).toMatchObject({ language: 'zh', theme: 'dark' });
  transport.asked[0]?.answer({ ...stored, language: 'zh' });
  await settle();
  expect(settings.current).toMatchObject({ language: 'zh', theme: 'dark' });
  transport.asked[0]?.answer({ ...stored, language: 'zh', theme: 'dark' });
  await settle();
  expect(settings.current).toMatchObject({ language: 'zh', theme: 'dark' });
});

it('a change that was not stored is told and taken back', async () => {
  const { transport, notices, settings } = await open();
  void settings.change({ theme: 'dark' });
  transport.asked[0]?.refuse(new NamesakeError('disk.full', 'x'));
  await settle();
  transport.asked[0]?.answer(stored);
  await settle();
  expect([settings.current?.theme, notices.list.length]).toEqual([stored.theme, 1]);
});
