// Record: what the app asked of Electron, in order, for tests to look at.
export interface Call {
  what: string;
  args: unknown[];
}

export const calls: Call[] = [];

export function record(what: string, ...args: unknown[]): void {
  calls.push({ what, args });
}

/** An event that can be prevented, as Electron's are. */
export interface Preventable {
  defaultPrevented: boolean;
  preventDefault(): void;
}

export function preventable<T extends object>(fields: T): T & Preventable {
  const event = {
    ...fields,
    defaultPrevented: false,
    preventDefault(): void {
      event.defaultPrevented = true;
    },
  };
  return event;
}
