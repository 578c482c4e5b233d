// Host: the entry file of the engine's own process. A crash in native code ends this process and nothing else. It never
// writes to stdout, runs at low priority, and ends with its parent.
import { createBirpc } from 'birpc';
import { constants, setPriority } from 'node:os';
import type { EngineEvents } from '../../shared/engine.ts';
import { loadAddon } from './binding.ts';
import { Engine } from './engine.ts';
import { channel, type HostApi, type Port } from './protocol.ts';

/** The end of Electron's utilityProcess that its child sees. */
interface ParentPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
}

/** The way to the parent: Electron's port where there is one, Node's IPC channel otherwise. */
function parentPort(): Port {
  const electron = (process as NodeJS.Process & { parentPort?: ParentPort }).parentPort;
  if (electron) {
    return {
      post: (message) => electron.postMessage(message),
      onMessage: (listener) => electron.on('message', ({ data }) => listener(data)),
    };
  }
  return {
    post: (message) => {
      if (process.connected) process.send?.(message);
    },
    onMessage: (listener) => process.on('message', listener),
  };
}

// Set before the addon starts its threads: they inherit it. Not all systems let a process lower itself.
if (process.env['NAMESAKE_ENGINE_PRIORITY'] !== 'normal') {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Then it runs at its parent's priority.
  }
}

// Ctrl-C reaches the whole process group; the parent decides what becomes of a run.
process.on('SIGINT', () => undefined);

const events: EngineEvents = { text: (job, index, piece) => void client.text(job, index, piece) };
const engine = new Engine(loadAddon, events);
const client = createBirpc<EngineEvents, HostApi>(engine, { ...channel(parentPort()), eventNames: ['text'] });

// Leaving waits for the thread that computes, so it is told to stop first.
process.on('disconnect', () => {
  void engine.cancel();
  process.exit();
});
