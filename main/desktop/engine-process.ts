// Engine process: the engine's host in Electron's utilityProcess: what host-process.ts is in plain Node.
import { utilityProcess } from 'electron';
import { hostFile, LAST_WORDS, type HostExit, type HostProcess, type Priority } from '../engine/host-process.ts';

/** How long the last words of a host that ended are waited for. */
const LAST_WORDS_MS = 200;

/** Starts the host. Only after the app is ready. Its end comes as an exit, never as an exception here. */
export function forkUtility(options: { priority: Priority; environment: Record<string, string> }): HostProcess {
  const child = utilityProcess.fork(hostFile(), [], {
    env: { ...process.env, ...options.environment, NAMESAKE_ENGINE_PRIORITY: options.priority },
    stdio: ['ignore', 'ignore', 'pipe'],
    serviceName: 'Namesake engine',
  });
  const { stderr } = child;
  let lastWords = '';
  const hear = (words: Buffer): void => {
    lastWords = (lastWords + words.toString('utf8')).slice(-LAST_WORDS);
  };
  stderr?.on('data', hear);
  const listeners: ((exit: HostExit) => void)[] = [];
  let gone = false;
  child.on('exit', (code) => {
    gone = true;
    // Electron takes every listener off the stream when the process has ended, with its last words still on their way.
    setImmediate(() => {
      let told = false;
      const leave = (): void => {
        if (told) return;
        told = true;
        clearTimeout(timer);
        for (const listener of listeners) listener({ code, signal: null, lastWords: lastWords.trim() });
      };
      const timer = setTimeout(leave, LAST_WORDS_MS);
      stderr?.off('data', hear).on('data', hear).once('end', leave);
      if (stderr === null) leave();
    });
  });
  return {
    // Known once the process has started.
    get pid() {
      return child.pid;
    },
    post: (message) => {
      if (!gone) child.postMessage(message);
    },
    onMessage: (listener) => child.on('message', listener),
    onExit: (listener) => listeners.push(listener),
    end: () => {
      if (!gone) child.kill();
    },
  };
}
