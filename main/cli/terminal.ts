// Terminal: whether this program may read what is typed. The system stops one in the background that tries (`serve &`, bg).
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** This process's group and the one in the terminal's foreground (-1: no terminal), out of Linux's /proc/PID/stat. */
export function groupsOf(stat: string): [own: number, foreground: number] {
  // The program's name stands in brackets and may hold anything; behind it: state, parent, group, session, terminal, foreground.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [Number(fields[2]), Number(fields[5])];
}

function ownGroups(): [own: number, foreground: number] {
  if (process.platform === 'linux') return groupsOf(readFileSync('/proc/self/stat', 'utf8'));
  const [own, foreground] = execFileSync('ps', ['-o', 'pgid=,tpgid=', '-p', String(process.pid)], { encoding: 'utf8' }).trim().split(/\s+/);
  return [Number(own), Number(foreground)];
}

/** Whether nothing speaks against reading from the terminal now. */
export function isForeground(): boolean {
  if (process.platform === 'win32') return true;
  try {
    const [own, foreground] = ownGroups();
    return foreground <= 0 || own === foreground;
  } catch {
    return true;
  }
}
