// The few facts of shared schemas that the page keeps: its own copies bring no parser into it.
import { describe, expect, it } from 'vitest';
import { languages, styles } from '../../../renderer/languages.ts';
import { statusLooks } from '../../../renderer/state/run-status.ts';
import { languages as allLanguages, styles as allStyles } from '../../../shared/persona.ts';
import { activeStatuses, resumableStatuses, runStatuses } from '../../../shared/run.ts';

describe('facts of shared schemas', () => {
  it('are the same here', () => {
    expect(Object.keys(statusLooks).sort()).toEqual([...runStatuses].sort());
    for (const status of runStatuses) {
      expect(statusLooks[status].active).toBe(activeStatuses.includes(status));
      expect(statusLooks[status].resumable).toBe(resumableStatuses.includes(status));
    }
    expect(languages).toEqual([...allLanguages]);
    expect(styles).toEqual([...allStyles]);
  });
});
