// Event hub: services tell what happens, windows hear it at most ten times a second, merged; one that nobody sees, once a
// second. A window that takes its events too slowly loses them and is told so.
import type { ApiEvent } from '../../shared/api.ts';
import { withPart } from '../../shared/curve.ts';

/** A window as the hub sees it. */
export interface EventWindow {
  send(events: ApiEvent[]): void;
  /** Whether it can take more now; events wait (and are merged) while it cannot. */
  ready(): boolean;
}

const PERIOD_MS = 100;
/** For a window that is hidden: a tab in the background must cost training nothing. */
const HIDDEN_PERIOD_MS = 1000;
/** What may wait for one window, in bytes of JSON (about). */
const MOST_BYTES = 1_000_000;
const METRIC_BYTES = 150;
const TEXT_BYTES = 60;

/** Events of the same subject have the same key. */
function keyOf(event: ApiEvent): string {
  switch (event.event) {
    case 'run':
    case 'steps':
      return `${event.event} ${event.run}`;
    case 'warning':
      return `warning ${event.run} ${event.warning}`;
    case 'probe':
      return `probe ${event.run} ${event.step}`;
    case 'export':
      return `export ${event.run}`;
    case 'download':
      return `download ${event.model}`;
    case 'text':
      return `text ${event.chat} ${event.side}`;
    case 'chat':
      return `chat ${event.chat}`;
    case 'runs':
    case 'models':
    case 'settings':
    case 'command':
    case 'lost':
      return event.event;
  }
}

function bytesOf(event: ApiEvent): number {
  if (event.event === 'steps') return METRIC_BYTES * (1 + event.steps.length);
  return event.event === 'text' ? TEXT_BYTES + event.text.length : JSON.stringify(event).length;
}

/** What waits for one window. */
class Waiting {
  /** Milliseconds between two batches. */
  period = PERIOD_MS;
  /** When the last one was sent (performance.now()). */
  #sent = -Infinity;
  #events = new Map<string, { event: ApiEvent; bytes: number }>();
  #bytes = 0;
  #lost = false;

  get empty(): boolean {
    return this.#events.size === 0 && !this.#lost;
  }

  /** When the next batch may be sent. */
  get due(): number {
    return this.#sent + this.period;
  }

  /**
   * What is put together (steps, text) keeps its place, what is replaced goes to the end: a run's status never comes before
   * the steps that led to it. Once something is lost, all is: the window will ask for the state again.
   */
  add(event: ApiEvent): void {
    if (this.#lost) return;
    const key = keyOf(event);
    const waiting = this.#events.get(key);
    const joined = waiting === undefined ? null : this.#joined(waiting.event, event);
    const entry = joined ?? { event, bytes: bytesOf(event) };
    if (joined === null) this.#events.delete(key);
    this.#events.set(key, entry);
    this.#bytes += entry.bytes - (waiting?.bytes ?? 0);
    if (this.#bytes > MOST_BYTES) this.#lose();
  }

  /** Both events as one, where the second one adds to the first; null where it replaces it. */
  #joined(first: ApiEvent, second: ApiEvent): { event: ApiEvent; bytes: number } | null {
    if (first.event === 'text' && second.event === 'text') {
      // A piece that begins elsewhere belongs to the next answer; what the last one became is told by its reply.
      if (second.at !== first.at + first.text.length) return null;
      const event = { ...first, text: first.text + second.text };
      return { event, bytes: bytesOf({ ...second, text: '' }) + event.text.length };
    }
    if (first.event !== 'steps' || second.event !== 'steps') return null;
    // Steps from before the first one's beginning say all that is to be said.
    if (second.after <= first.after) return { event: second, bytes: bytesOf(second) };
    const steps = withPart([...first.steps], second);
    if (steps === null) return null;
    const event = { ...first, steps };
    return { event, bytes: bytesOf(event) };
  }

  #lose(): void {
    this.#lost = true;
    this.#events.clear();
    this.#bytes = 0;
  }

  /** The window cannot take it now: the next look is a period later. */
  postpone(): void {
    this.#sent = performance.now();
  }

  take(): ApiEvent[] {
    const events: ApiEvent[] = this.#lost ? [{ event: 'lost' }] : [...this.#events.values()].map(({ event }) => event);
    this.#events.clear();
    this.#bytes = 0;
    this.#lost = false;
    this.#sent = performance.now();
    return events;
  }
}

export class EventHub {
  readonly #windows = new Map<EventWindow, Waiting>();
  readonly #onAudience: (present: boolean) => void;
  #timer: NodeJS.Timeout | null = null;
  /** When the timer goes off (performance.now()). */
  #at = Infinity;

  /** `onAudience` hears when the first window comes and when the last one goes. */
  constructor(onAudience: (present: boolean) => void = () => undefined) {
    this.#onAudience = onAudience;
  }

  /** Whether anyone listens. */
  get hasAudience(): boolean {
    return this.#windows.size > 0;
  }

  /** Lets a window hear everything from now on; returns what ends that. */
  subscribe(window: EventWindow): () => void {
    this.#windows.set(window, new Waiting());
    if (this.#windows.size === 1) this.#onAudience(true);
    return () => {
      if (!this.#windows.delete(window) || this.#windows.size > 0) return;
      this.#cancel();
      this.#onAudience(false);
    };
  }

  /** Says whether a window is seen; one that comes into view hears at once what waits. */
  setVisible(window: EventWindow, visible: boolean): void {
    const waiting = this.#windows.get(window);
    if (waiting === undefined) return;
    waiting.period = visible ? PERIOD_MS : HIDDEN_PERIOD_MS;
    this.#plan();
  }

  /** Tells every window, soon. */
  tell(event: ApiEvent): void {
    for (const waiting of this.#windows.values()) waiting.add(event);
    this.#plan();
  }

  /** Sends what waits now: before an answer that comes after it. */
  flush(): void {
    this.#send(Infinity);
  }

  /** Sends what is due by `now`. */
  #send(now: number): void {
    this.#cancel();
    for (const [window, waiting] of this.#windows) {
      if (waiting.empty || waiting.due > now) continue;
      try {
        if (window.ready()) window.send(waiting.take());
        else waiting.postpone();
      } catch {
        // Closed in this very moment: its door unsubscribes it.
      }
    }
    this.#plan();
  }

  #cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#at = Infinity;
  }

  #plan(): void {
    let next = Infinity;
    for (const waiting of this.#windows.values()) if (!waiting.empty) next = Math.min(next, waiting.due);
    if (next >= this.#at) return;
    this.#cancel();
    this.#at = next;
    // Rounded up: a timer that goes off a little too early would find nothing due.
    this.#timer = setTimeout(() => this.#send(performance.now()), Math.max(0, Math.ceil(next - performance.now())));
    this.#timer.unref();
  }
}
