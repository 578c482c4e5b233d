// Export desk: exports as windows see them: each run's last one, and how far one is that goes on, whichever window asked for it.
import type { ApiEvent } from '../../shared/api.ts';
import type { ExportProgress, ExportResult, ExportState } from '../../shared/export.ts';

interface Desk {
  going: { progress: ExportProgress; result: Promise<ExportResult> } | null;
  last: ExportResult | null;
}

const waiting: ExportProgress = { phase: 'waiting', done: null, total: null };

export class ExportDesk {
  readonly #tell: (event: ApiEvent) => void;
  readonly #desks = new Map<string, Desk>();

  /** `tell` reaches every window. */
  constructor(tell: (event: ApiEvent) => void) {
    this.#tell = tell;
  }

  /** How a run's export stands. */
  state(run: string): ExportState {
    const desk = this.#desks.get(run);
    return { progress: desk?.going?.progress ?? null, last: desk?.last ?? null };
  }

  /** Exports a run by `work`, or joins in where that goes on already. */
  export(run: string, work: (onProgress: (progress: ExportProgress) => void) => Promise<ExportResult>): Promise<ExportResult> {
    const desk = this.#desks.get(run) ?? { going: null, last: null };
    this.#desks.set(run, desk);
    return desk.going?.result ?? this.#begin(run, desk, work);
  }

  async #begin(run: string, desk: Desk, work: Parameters<ExportDesk['export']>[1]): Promise<ExportResult> {
    const tell = (progress: ExportProgress | null): void => this.#tell({ event: 'export', run, progress });
    const result = work((progress) => {
      if (desk.going !== null) desk.going.progress = progress;
      tell(progress);
    });
    desk.going = { progress: waiting, result };
    tell(waiting);
    try {
      desk.last = await result;
      return desk.last;
    } finally {
      desk.going = null;
      tell(null);
    }
  }
}
