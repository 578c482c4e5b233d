// serve: the windows of the desktop app in a browser, for a machine without a screen.
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { NamesakeError } from '../../../shared/errors.ts';
import { translate } from '../../../shared/i18n/translate.ts';
import { Api } from '../../api/api.ts';
import { createCore } from '../../core.ts';
import { Home } from '../../home.ts';
import { packageRoot } from '../../resources.ts';
import { isLoopback } from '../../serve/addresses.ts';
import type { BrowserDoor } from '../../serve/door.ts';
import { openInBrowser } from '../../serve/open-page.ts';
import { serveDoor } from '../../serve/serve-door.ts';
import type { Tls } from '../../serve/server.ts';
import { parseThreads, systemLanguage, type GlobalOptions } from '../context.ts';
import { interruptible } from '../interrupt.ts';
import { wholeNumber } from '../number-option.ts';
import { Output } from '../output.ts';
import { isForeground } from '../terminal.ts';

const DEFAULT_PORT = 8470;

interface ServeFlags {
  port: number;
  host: string;
  tlsCert?: string;
  tlsKey?: string;
  insecure?: boolean;
  open?: boolean;
}

function readPem(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new NamesakeError('usage.invalid', `${option} ${resolve(path)}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Certificate and key; null where none are given. Throws usage.invalid, and door.insecure where others could listen in. */
function readTls(flags: ServeFlags): Tls | null {
  if ((flags.tlsCert === undefined) !== (flags.tlsKey === undefined)) {
    throw new NamesakeError('usage.invalid', '--tls-cert and --tls-key belong together');
  }
  if (flags.tlsCert !== undefined && flags.tlsKey !== undefined) {
    return { cert: readPem('--tls-cert', flags.tlsCert), key: readPem('--tls-key', flags.tlsKey) };
  }
  if (!isLoopback(flags.host) && flags.insecure !== true) {
    throw new NamesakeError('door.insecure', 'neither TLS nor --insecure', { host: flags.host });
  }
  return null;
}

/** Prints a fresh address; the one before it no longer works. */
function announce(door: BrowserDoor, output: Output): string {
  const url = door.newAddress();
  output.event({ event: 'serving', url, port: door.port });
  output.say(translate(output.language, 'serve.address', { url }));
  return url;
}

/** What a person on the other side of an SSH connection has to do first. */
function sayTunnel(door: BrowserDoor, output: Output): void {
  if (process.env['SSH_CONNECTION'] === undefined || !isLoopback(new URL(door.origin).hostname)) return;
  const to = `${userInfo().username}@${hostname()}`;
  output.say(translate(output.language, 'serve.tunnel', { command: `ssh -N -L ${door.port}:127.0.0.1:${door.port} ${to}` }));
}

/**
 * Calls `onWish` whenever a line comes in (in the background of a terminal none can), or a hang-up of a program without a
 * terminal; where the terminal itself hangs up, `onEnd`. Returns what ends that.
 */
function listenForWishes(onWish: () => void, onEnd: () => void): () => void {
  const onData = (data: Buffer): void => {
    if (data.includes(0x0a)) onWish();
  };
  const onHangUp = process.stdin.isTTY ? onEnd : onWish;
  const listen = (): void => {
    process.stdin.off('data', onData);
    if (mayRead()) process.stdin.on('data', onData).resume();
    else process.stdin.pause();
  };
  listen();
  // Sent by `bg` and `fg`; Windows has no such thing.
  if (process.platform !== 'win32') process.on('SIGCONT', listen);
  process.on('SIGHUP', onHangUp);
  return () => {
    process.off('SIGCONT', listen);
    process.stdin.off('data', onData).pause();
    process.off('SIGHUP', onHangUp);
  };
}

/** Whether lines can come in: not where the terminal's person talks to another program. */
function mayRead(): boolean {
  return !process.stdin.isTTY || isForeground();
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('the app in a browser: prints an address that signs one browser in')
    .option('--port <n>', 'port to listen on; 0 = any free one', wholeNumber(0), DEFAULT_PORT)
    .option('--host <host>', 'address to listen on; others than this machine need TLS or --insecure', '127.0.0.1')
    .option('--tls-cert <file>', 'certificate (PEM)')
    .option('--tls-key <file>', 'its private key (PEM)')
    .option('--insecure', 'serve other machines without encryption')
    .option('--open', 'open the browser')
    .action(async (flags: ServeFlags, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const output = new Output(options.json === true, systemLanguage());
      if (flags.port > 65535) throw new NamesakeError('usage.invalid', '--port is at most 65535');
      const tls = readTls(flags);
      const core = createCore(new Home(options.home), {
        compute: { threads: parseThreads(options.threads), isa: process.env['NAMESAKE_ISA'] || 'auto' },
      });
      try {
        const api = new Api(core, serveDoor(core));
        // Loaded here: a web server takes as long to load as all the rest, and no other command needs it.
        const { openBrowserDoor } = await import('../../serve/door.ts');
        const door = await openBrowserDoor({
          api,
          core,
          page: join(packageRoot, 'out', 'renderer'),
          host: flags.host,
          port: flags.port,
          tls,
          language: output.language,
        });
        await serve(door, output, api, core.home, flags.open === true);
      } finally {
        core.close();
      }
    });
}

/** Serves until the first Ctrl-C; a second one, while the run saves what it has, quits at once. */
async function serve(door: BrowserDoor, output: Output, api: Api, home: Home, open: boolean): Promise<void> {
  // A terminal that hung up cannot be written to; that is no reason to lose a run.
  process.stderr.on('error', () => undefined);
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const undo: (() => void)[] = [];
  const onStop = (): void => {
    if (api.activeRun !== null) output.say(translate(output.language, 'stop.saving'));
    end();
  };
  await interruptible(onStop, async () => {
    try {
      // Before anyone is told that it serves.
      undo.push(listenForWishes(() => announce(door, output), onStop));
      if (!isLoopback(new URL(door.origin).hostname) && door.origin.startsWith('http:')) output.say(translate(output.language, 'serve.insecure'));
      const url = announce(door, output);
      sayTunnel(door, output);
      if (process.stdin.isTTY && isForeground()) output.say(translate(output.language, 'serve.more'));
      if (open) undo.push(openInBrowser(home.folder, url, output.language, () => output.say(translate(output.language, 'serve.no_browser'))));
      await ended;
    } finally {
      for (const one of undo) one();
      await door.close();
      await api.close();
    }
  });
}
