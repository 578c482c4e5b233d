// Kills: runs that are killed again and again at random moments, and what must hold whatever the moment was.
import Database from 'better-sqlite3';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Random } from '../../main/pipeline/random.ts';
import { namesake } from './cli.ts';
import { childrenOf } from './processes.ts';
import { evaluatedRecipe } from './tiny-home.ts';

/** A step as the database keeps it, without its speed. */
interface Measured {
  step: number;
  loss: number;
  grad_norm: number;
  lr: number;
  tokens: number;
}

interface StoredRun {
  id: string;
  status: string;
}

function query<T>(home: string, sql: string, ...values: string[]): T[] {
  const db = new Database(join(home, 'namesake.db'), { readonly: true });
  try {
    return db.prepare<string[], T>(sql).all(...values);
  } finally {
    db.close();
  }
}

/** Fails where the database is damaged, or a run's curve has a gap or a doubled step. Returns the curve. */
function curveOf(home: string, run: string): Measured[] {
  expect(query(home, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  const curve = query<Measured>(home, 'SELECT step, loss, grad_norm, lr, tokens FROM metrics WHERE run_id = ? ORDER BY step', run);
  expect(curve.map(({ step }) => step)).toEqual(curve.map((_, i) => i + 1));
  return curve;
}

function runsIn(home: string): StoredRun[] {
  return existsSync(join(home, 'namesake.db')) ? query<StoredRun>(home, 'SELECT id, status FROM runs ORDER BY created_at DESC') : [];
}

/** Everything that a finished run leaves: the adapter's files, its curve, what was scored, and which step was chosen. */
export function outcome(home: string, run: string): object {
  const adapter = join(home, 'runs', run, 'adapter');
  return {
    adapter: Object.fromEntries(readdirSync(adapter).sort().map((name) => [name, readFileSync(join(adapter, name)).toString('base64')])),
    curve: curveOf(home, run),
    scored: query(home, 'SELECT step, is_right, scores FROM checkpoints WHERE run_id = ? AND scores IS NOT NULL ORDER BY step', run),
    chosen: query(home, 'SELECT status, chosen_step, step, steps FROM runs WHERE id = ?', run),
  };
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Runs a command; `kill` = after how many milliseconds the program, or its engine, is killed. Returns whether it ended as it wanted to. */
async function withKill(home: string, args: readonly string[], kill: { after: number; engine: boolean } | null): Promise<boolean> {
  const result = await namesake(args, {
    home,
    onStart: (child) => {
      if (kill === null) return;
      void sleep(kill.after).then(() => {
        const engines = kill.engine ? childrenOf(child.pid ?? 0) : [];
        // Where there is no engine yet, or no more, the program itself is as good a victim.
        if (engines.length === 0) child.kill('SIGKILL');
        for (const pid of engines) killNow(pid);
      });
    },
  });
  if (kill === null && result.code !== 0) throw new Error(`${args.join(' ')}: ${result.code ?? result.signal}\n${result.stderr}`);
  return result.code === 0;
}

/** A recipe of fourteen steps with everything that a run does on the way: saving, scoring, removing, choosing, comparing. */
export function killedRecipe(home: string): string {
  const recipe = evaluatedRecipe(
    home,
    { every_steps: 3, from_step: 3, stop_when_right: false, limits: { recall: 1, leak: 0 } },
    { steps: 14, checkpoint: { every_steps: 2, keep: 1 } },
  );
  const path = join(home, 'killed.json');
  writeFileSync(path, JSON.stringify(recipe));
  return path;
}

export interface Torture {
  home: string;
  recipe: string;
  /** How long the undisturbed command takes. */
  milliseconds: number;
  random: Random;
}

/**
 * Starts a run and kills it `kills` times, each time at a random moment of what is left to do, then lets it end. Between
 * kills the database must be whole and the curve without a gap. Returns the run's id and how often it was really killed.
 */
export async function torture({ home, recipe, milliseconds, random }: Torture, kills: number): Promise<{ run: string; killed: number }> {
  const before = new Set(runsIn(home).map(({ id }) => id));
  const mine = (): StoredRun | undefined => runsIn(home).find(({ id }) => !before.has(id));
  let killed = 0;
  for (;;) {
    const run = mine();
    if (run?.status === 'done') {
      curveOf(home, run.id);
      return { run: run.id, killed };
    }
    const kill = killed < kills ? { after: Math.round(random.next() * milliseconds), engine: random.next() < 0.4 } : null;
    const args = run === undefined ? ['train', recipe] : ['runs', 'resume', run.id];
    if (!(await withKill(home, args, kill))) killed++;
    const now = mine();
    if (now !== undefined) curveOf(home, now.id);
  }
}
