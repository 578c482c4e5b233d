import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SettingsService } from '../../../main/services/settings.ts';
import { openDatabase, type Db } from '../../../main/store/db.ts';
import { SettingsStore } from '../../../main/store/settings.ts';
import { settingsChangeSchema, settingsSchema, type Settings } from '../../../shared/settings.ts';
import { temporaryFolder } from '../../support/files.ts';

const defaults = settingsSchema.parse({});

function settingsOf(folder = temporaryFolder()): { settings: SettingsService; db: Db } {
  const db = openDatabase(join(folder, 'namesake.db'));
  onTestFinished(() => {
    db.close();
  });
  return { settings: new SettingsService(new SettingsStore(db)), db };
}

describe('SettingsService', () => {
  it('has defaults, keeps what was set over a restart, and leaves the rest', () => {
    const folder = temporaryFolder();
    const { settings, db } = settingsOf(folder);
    expect(settings.get()).toEqual(defaults);
    expect(settings.set(settingsChangeSchema.parse({ theme: 'dark', language: 'zh', sources: ['modelscope'] }))).toEqual({
      ...defaults,
      theme: 'dark',
      language: 'zh',
      sources: ['modelscope'],
    });
    // One that is not named must not fall back to its default.
    settings.set(settingsChangeSchema.parse({ threads: 3 }));
    settings.set(settingsChangeSchema.parse({ language: null }));
    db.close();
    expect(settingsOf(folder).settings.get()).toEqual({ ...defaults, theme: 'dark', sources: ['modelscope'], threads: 3 });
  });

  it('tells of changes until nobody listens', () => {
    const { settings } = settingsOf();
    const heard: Settings[] = [];
    const unlisten = settings.onChange((now) => heard.push(now));
    settings.set({ notify_when_done: false });
    unlisten();
    settings.set({ notify_when_done: true });
    expect(heard).toEqual([{ ...defaults, notify_when_done: false }]);
  });

  it('takes the default where the database holds what this version does not understand', () => {
    const { settings, db } = settingsOf();
    const put = db.prepare('INSERT INTO settings VALUES (?, ?)');
    put.run('theme', '"sepia"');
    put.run('threads', '{broken');
    put.run('from_the_future', '1');
    put.run('language', '"en"');
    expect(settings.get()).toEqual({ ...defaults, language: 'en' });
  });
});
