// utilityProcess: a child of Node in its place, with Electron's habits: no pid before it has started, `null` for its streams
// and no listeners on them once it has ended.
import { fork as forkChild, type ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { record } from './record.ts';
import { state } from './session.ts';

interface Options {
  env?: Record<string, string | undefined>;
  stdio?: string[] | string;
  serviceName?: string;
}

class UtilityProcess extends EventEmitter {
  #child: ChildProcess | null;
  #stderr: PassThrough | null = null;
  #started = false;

  constructor(file: string, args: string[], options: Options) {
    super();
    const child = forkChild(file, args, {
      execArgv: ['--import', fileURLToPath(new URL('parent-port.ts', import.meta.url))],
      env: options.env,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    if (Array.isArray(options.stdio) && options.stdio[2] === 'pipe') this.#stderr = new PassThrough();
    if (this.#stderr !== null) child.stderr?.pipe(this.#stderr);
    else child.stderr?.resume();
    child.on('spawn', () => {
      this.#started = true;
      this.emit('spawn');
    });
    child.on('message', (message) => this.emit('message', message));
    child.on('exit', (code, signal) => {
      this.#child = null;
      this.emit('exit', code ?? (signal === 'SIGTERM' ? 15 : 9));
      this.#stderr?.removeAllListeners();
      this.#stderr = null;
    });
  }

  get pid(): number | undefined {
    return this.#started ? this.#child?.pid : undefined;
  }

  get stdout(): null {
    return null;
  }

  get stderr(): PassThrough | null {
    return this.#stderr;
  }

  postMessage(message: unknown): void {
    if (this.#child?.connected === true) this.#child.send(message as object, () => undefined);
  }

  kill(): boolean {
    return this.#child?.kill() ?? false;
  }
}

export const utilityProcess = {
  fork(file: string, args: string[] = [], options: Options = {}): UtilityProcess {
    if (!state.ready) throw new Error('utilityProcess cannot be created before app is ready');
    record('utilityProcess.fork', file, options.serviceName, options.stdio);
    return new UtilityProcess(file, args, options);
  },
};
