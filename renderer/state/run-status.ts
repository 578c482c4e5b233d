// Run status: what the page shows and offers for each. shared/run.ts says the same of the core; a test compares them. (Its
// schemas would bring a parser into the page, which needs none.)
import type { RunStatus } from '../../shared/run.ts';

export interface StatusLook {
  /** Goes on in some process. */
  active: boolean;
  resumable: boolean;
  /** There may be something to talk to. */
  kept: boolean;
  tone: 'busy' | 'good' | 'quiet' | 'bad';
}

export const statusLooks: Readonly<Record<RunStatus, StatusLook>> = {
  preparing: { active: true, resumable: false, kept: false, tone: 'busy' },
  running: { active: true, resumable: false, kept: false, tone: 'busy' },
  paused: { active: false, resumable: true, kept: true, tone: 'quiet' },
  stopped: { active: false, resumable: true, kept: true, tone: 'quiet' },
  cancelled: { active: false, resumable: false, kept: false, tone: 'quiet' },
  interrupted: { active: false, resumable: true, kept: true, tone: 'bad' },
  failed: { active: false, resumable: true, kept: true, tone: 'bad' },
  done: { active: false, resumable: false, kept: true, tone: 'good' },
};
