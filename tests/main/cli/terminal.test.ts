// Who may read from the terminal, and what becomes of `serve` where it may not.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { groupsOf } from '../../../main/cli/terminal.ts';
import { program } from '../../support/cli.ts';
import { root, temporaryFolder } from '../../support/files.ts';

it('finds the groups behind whatever a program is called', () => {
  expect(groupsOf('812 (node) S 800 812 700 34816 812 4194304 1')).toEqual([812, 812]);
  expect(groupsOf('812 (a) S 1 (b) c) S 800 812 700 34816 700 4194304 1')).toEqual([812, 700]);
  expect(groupsOf('812 (node) S 800 812 812 0 -1 4194304 1')).toEqual([812, -1]);
});

/** A shell that serves in the background, and says in which state that is when somebody has typed. $1 node, $2 program, $3 folder. */
const session = `set -m
"$1" "$2" serve --port 0 --home "$3" > "$3/said" 2>&1 < /dev/tty &
for i in $(seq 300); do grep -q token= "$3/said" && break; sleep 0.1; done
echo ready
# Nobody takes what is typed meanwhile.
sleep 2
echo "state: $(cut -d ' ' -f 3 /proc/$!/stat)"
kill -INT $!
kill -CONT $!
wait $!
echo "left: $?"
kill -KILL $! 2> /dev/null
`;

const hasTerminals = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
it.skipIf(!hasTerminals)('serve goes on in the background while its person types', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'session');
  writeFileSync(file, session);
  const child = spawn('script', ['-qec', `bash ${file} ${process.execPath} ${program} ${folder}`, '/dev/null'], { cwd: root, env: { ...process.env, LANG: 'C' } });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (!said.includes('ready') && (said + text).includes('ready')) child.stdin.write('hello\n');
    said += text;
  });
  await new Promise((resolve) => child.on('close', resolve));
  // Not stopped (T): whether it sleeps or is just at work is chance.
  expect(said).toMatch(/state: [SRD]\s+left: 0/);
  expect(readFileSync(join(folder, 'said'), 'utf8')).not.toContain('Enter');
}, 60_000);
