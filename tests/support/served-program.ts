// The built program serving a home in a process of its own, signed in.
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { ask, Client, sessionOf } from './door-client.ts';
import { root } from './files.ts';

export class ServedProgram {
  port = 0;
  /** Of the session that was opened at the start. */
  cookie = '';
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #exit: Promise<number | null>;

  private constructor(home: string, program: string, threads: number, env: Record<string, string>) {
    const args = ['serve', '--port', '0', '--json', '--home', home, ...(threads === 0 ? [] : ['--threads', String(threads)])];
    const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, ...env } });
    if (child.stdout === null) throw new Error('stdout is a pipe');
    this.#child = child;
    this.#lines = createInterface(child.stdout);
    this.#exit = new Promise((resolve) => child.once('exit', resolve));
  }

  /**
   * Starts it on a free port and signs in; the caller ends it. `program` is the command line's bundle; 0 threads are as many as
   * it takes by itself.
   */
  static async start(home: string, program = join(root, 'out', 'main', 'cli.js'), threads = 1, env: Record<string, string> = {}): Promise<ServedProgram> {
    const served = new ServedProgram(home, program, threads, env);
    served.cookie = (await served.signIn(await served.#nextAddress())).cookie;
    return served;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  #nextAddress(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#lines.once('line', (line: string) => {
        const { url, port } = JSON.parse(line) as { url: string; port: number };
        this.port = port;
        resolve(url);
      });
      void this.#exit.then((code) => reject(new Error(`it ended with ${code}`)));
    });
  }

  /** A fresh address that signs one browser in. */
  newAddress(): Promise<string> {
    const address = this.#nextAddress();
    this.#child.stdin?.write('\n');
    return address;
  }

  /** Exchanges an address for a session. */
  async signIn(address: string): Promise<{ cookie: string; path: string }> {
    const { pathname, search } = new URL(address);
    return sessionOf(await ask(this.port, { path: pathname + search }));
  }

  /** An open window of a session; of the first one where none is given. */
  async window(cookie = this.cookie): Promise<Client> {
    const client = new Client(this.port, { cookie });
    const status = await client.opened();
    if (status !== 101) throw new Error(`status ${status}`);
    return client;
  }

  /** Ends it at once, as a power cut does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  /** Asks it to end; its exit code. */
  end(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.#exit;
  }
}
