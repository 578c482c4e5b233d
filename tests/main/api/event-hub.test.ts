// What windows hear: merged, in a sensible order, ten times a second at most, and never without a bound.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventHub, type EventWindow } from '../../../main/api/event-hub.ts';
import type { ApiEvent, StoredMetric } from '../../../shared/api.ts';
import { withPart } from '../../../shared/curve.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const metric = (step: number, loss = 1): StoredMetric => ({ step, loss, grad_norm: 1, lr: 1, tokens: 1, tokens_per_second: 1 });
const steps = (run: string, ...numbers: number[]): ApiEvent => ({ event: 'steps', run, after: (numbers[0] ?? 1) - 1, steps: numbers.map((step) => metric(step)) });
const state = (run: string, step: number, status: 'running' | 'done' = 'running'): ApiEvent => ({
  event: 'run', run, name: run, status, step, steps: 9, created_at: '', error: null, chosen_step: null, progress: null,
}); // prettier-ignore
const text = (at: number, words: string, chat = 1): ApiEvent => ({ event: 'text', chat, side: 'after', at, text: words });

class TestWindow implements EventWindow {
  readonly batches: ApiEvent[][] = [];
  isReady = true;

  ready(): boolean {
    return this.isReady;
  }

  send(events: ApiEvent[]): void {
    this.batches.push(events);
  }

  get events(): ApiEvent[] {
    return this.batches.flat();
  }
}

function listening(): { hub: EventHub; window: TestWindow; unsubscribe: () => void } {
  const hub = new EventHub();
  const window = new TestWindow();
  return { hub, window, unsubscribe: hub.subscribe(window) };
}

describe('merging', () => {
  it('keeps the last state of a run, and puts it after the steps that led to it', () => {
    const { hub, window } = listening();
    for (const event of [state('a', 0), steps('a', 1), state('a', 1), state('b', 3), steps('a', 2), state('a', 2, 'done')]) hub.tell(event);
    vi.advanceTimersByTime(100);
    expect(window.batches).toEqual([[steps('a', 1, 2), state('b', 3), state('a', 2, 'done')]]);
  });

  it('puts a step that comes again in the place of the earlier one, and forgets what came after it', () => {
    const { hub, window } = listening();
    for (const event of [steps('a', 4, 5, 6), { event: 'steps' as const, run: 'a', after: 4, steps: [] }, { event: 'steps' as const, run: 'a', after: 4, steps: [metric(5, 2)] }]) hub.tell(event);
    vi.advanceTimersByTime(100);
    expect(window.events).toEqual([{ event: 'steps', run: 'a', after: 3, steps: [metric(4), metric(5, 2)] }]);
  });

  it('goes further back than what waits began', () => {
    const { hub, window } = listening();
    hub.tell(steps('a', 8, 9));
    hub.tell({ event: 'steps', run: 'a', after: 2, steps: [] });
    hub.tell(steps('a', 3));
    vi.advanceTimersByTime(100);
    expect(window.events).toEqual([steps('a', 3)]);
  });

  it('joins text of one side, also where a new answer begins', () => {
    const { hub, window } = listening();
    for (const event of [text(0, 'Ich '), text(4, 'bin'), text(0, 'x', 2)]) hub.tell(event);
    vi.advanceTimersByTime(100);
    expect(window.events).toEqual([text(0, 'Ich bin'), text(0, 'x', 2)]);
    for (const event of [text(7, ' da'), text(10, '.'), text(0, 'Neu'), text(3, '!')]) hub.tell(event);
    vi.advanceTimersByTime(100);
    expect(window.events.slice(2)).toEqual([text(0, 'Neu!')]);
  });

  it('keeps one event of what is only a state', () => {
    const { hub, window } = listening();
    for (let i = 0; i < 5; i++) for (const event of ['runs', 'models'] as const) hub.tell({ event });
    const download = { event: 'download', model: 'm', state: 'running', source: '', total: 9, bytes_per_second: 1, eta_seconds: 1, error: null } as const;
    hub.tell({ ...download, done: 1 });
    hub.tell({ ...download, done: 2 });
    vi.advanceTimersByTime(100);
    expect(window.events).toEqual([{ event: 'runs' }, { event: 'models' }, { ...download, done: 2 }]);
  });

  it('changes no event that was told, and gives each window its own', () => {
    const { hub, window } = listening();
    const other = new TestWindow();
    hub.subscribe(other);
    const told = steps('a', 1);
    hub.tell(told);
    hub.tell(steps('a', 2));
    vi.advanceTimersByTime(100);
    expect(told).toEqual(steps('a', 1));
    expect(other.events).toEqual(window.events);
  });
});

describe('time', () => {
  it('ten batches a second, and the first one at once', () => {
    const { hub, window } = listening();
    for (let ms = 0; ms < 1000; ms++) {
      hub.tell(text(ms, 'x'));
      vi.advanceTimersByTime(1);
    }
    expect(window.batches.length).toBeGreaterThanOrEqual(9);
    expect(window.batches.length).toBeLessThanOrEqual(11);
    vi.advanceTimersByTime(100);
    expect(window.events.map((event) => (event.event === 'text' ? event.text : '')).join('')).toBe('x'.repeat(1000));
  });

  it('one batch a second for a window that is hidden, and what waits soon after it is seen again', () => {
    const { hub, window } = listening();
    const seen = new TestWindow();
    hub.subscribe(seen);
    hub.setVisible(window, false);
    for (let ms = 0; ms < 3000; ms += 10) {
      hub.tell(steps('a', ms / 10 + 1));
      vi.advanceTimersByTime(10);
    }
    expect(window.batches.length).toBeGreaterThanOrEqual(3);
    expect(window.batches.length).toBeLessThanOrEqual(4);
    expect(seen.batches.length).toBeGreaterThanOrEqual(29);
    hub.tell(steps('a', 301));
    hub.setVisible(window, true);
    vi.advanceTimersByTime(100);
    let curve: StoredMetric[] = [];
    for (const event of window.events) if (event.event === 'steps') curve = withPart(curve, event) ?? [];
    expect(curve.map(({ step }) => step)).toEqual(Array.from({ length: 301 }, (_, i) => i + 1));
    const before = window.batches.length;
    for (let ms = 0; ms < 1000; ms += 10) {
      hub.tell({ event: 'runs' });
      vi.advanceTimersByTime(10);
    }
    expect(window.batches.length - before).toBeGreaterThanOrEqual(9);
    hub.setVisible(new TestWindow(), false);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
  });

  it('no timer where there is nothing to send, or nobody to hear it', () => {
    const { hub, unsubscribe } = listening();
    expect(vi.getTimerCount()).toBe(0);
    hub.tell({ event: 'runs' });
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(100);
    expect(vi.getTimerCount()).toBe(0);
    hub.tell({ event: 'runs' });
    unsubscribe();
    expect(vi.getTimerCount()).toBe(0);
    hub.tell({ event: 'runs' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('flush sends what waits before the answer that comes after it', () => {
    const { hub, window } = listening();
    hub.tell(text(0, 'a'));
    hub.flush();
    expect(window.events).toEqual([text(0, 'a')]);
    hub.tell(text(1, 'b'));
    hub.flush();
    expect(window.events).toEqual([text(0, 'a'), text(1, 'b')]);
  });
});

describe('audience', () => {
  it('hears when the first window comes and the last one goes, once each', () => {
    const audience: boolean[] = [];
    const hub = new EventHub((present) => audience.push(present));
    const [a, b] = [hub.subscribe(new TestWindow()), hub.subscribe(new TestWindow())];
    a();
    a();
    expect(audience).toEqual([true]);
    b();
    b();
    expect(audience).toEqual([true, false]);
  });

  it('a window that is gone in the very moment costs the others nothing', () => {
    const { hub, window } = listening();
    hub.subscribe({ ready: () => true, send: () => { throw new Error('destroyed'); } }); // prettier-ignore
    const last = new TestWindow();
    hub.subscribe(last);
    hub.tell({ event: 'runs' });
    vi.advanceTimersByTime(100);
    expect([window.events, last.events]).toEqual([[{ event: 'runs' }], [{ event: 'runs' }]]);
  });
});

describe('a slow window', () => {
  it('gets everything merged when it is ready again', () => {
    const { hub, window } = listening();
    window.isReady = false;
    for (let step = 1; step <= 500; step++) {
      hub.tell(steps('a', step));
      hub.tell(state('a', step));
      vi.advanceTimersByTime(10);
    }
    expect(window.batches).toEqual([]);
    window.isReady = true;
    vi.advanceTimersByTime(100);
    expect(window.batches).toHaveLength(1);
    expect(window.events.map(({ event }) => event)).toEqual(['steps', 'run']);
    const [first] = window.events;
    expect(first?.event === 'steps' && withPart([], first)).toHaveLength(500);
  });

  it('loses everything beyond a megabyte, is told so once, and hears what comes after that', () => {
    const { hub, window } = listening();
    const quick = new TestWindow();
    hub.subscribe(quick);
    window.isReady = false;
    for (let step = 1; step <= 10_000; step++) hub.tell(steps('a', step));
    hub.tell(state('a', 10_000));
    vi.advanceTimersByTime(200);
    for (let i = 0; i < 100; i++) {
      hub.tell(text(i * 30_000, 'x'.repeat(30_000)));
      vi.advanceTimersByTime(100);
    }
    window.isReady = true;
    vi.advanceTimersByTime(100);
    expect(window.events).toEqual([{ event: 'lost' }]);
    hub.tell({ event: 'runs' });
    vi.advanceTimersByTime(100);
    expect(window.events).toEqual([{ event: 'lost' }, { event: 'runs' }]);
    expect(quick.events.some(({ event }) => event === 'lost')).toBe(true);
    expect(quick.events.filter((event) => event.event === 'text').map((event) => (event.event === 'text' ? event.text.length : 0)).reduce((a, b) => a + b, 0)).toBe(3_000_000);
  });
});
