// Run report: a run's events as words, and its result as a side-by-side table.
import type { RunProgress } from '../../shared/api.ts';
import type { OnRunEvent, RunEvent, RunResult, RunWarning } from '../../shared/run-events.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { explainError, translate, type MessageKey } from '../../shared/i18n/translate.ts';
import { languages, type Language } from '../../shared/persona.ts';
import type { Scores } from '../../shared/run.ts';
import type { Output } from './output.ts';

function percent(share: number): string {
  return `${(100 * share).toFixed(share === 1 ? 0 : 1)} %`;
}

/** Seconds as people say them: "45 s", "3 min 20 s". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** A score card in one line. */
export function scoreLine(language: Language, scores: Scores): string {
  const parts = languages.flatMap((shown) => {
    const score = scores[shown];
    if (score === undefined) return [];
    return [
      translate(language, 'score.language', {
        language: translate(language, `language.${shown}`),
        recall: percent(score.recall),
        leak: percent(score.leak),
      }),
    ];
  });
  const { kl, perplexity_ratio } = scores.retention;
  parts.push(translate(language, 'score.retention', { ratio: perplexity_ratio.toFixed(2), kl: kl.toFixed(3) }));
  return parts.join(' · ');
}

/** Columns that a character takes on a terminal: two for East Asian wide ones. */
function width(character: string): number {
  return /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|\p{Emoji_Presentation}/u.test(character)
    ? 2
    : 1;
}

/** A model's words as one line that cannot command the terminal. */
export function plainLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().replace(/\p{Cc}/gu, '\uFFFD');
}

/** Text in lines of at most `columns` terminal columns, each padded to that. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  const flush = (): void => {
    lines.push(line + ' '.repeat(Math.max(0, columns - used)));
    line = '';
    used = 0;
  };
  for (const character of plainLine(text)) {
    if (used + width(character) > columns) flush();
    line += character;
    used += width(character);
  }
  flush();
  return lines;
}

/** Before and after, side by side. */
export function sideBySide(language: Language, result: RunResult, columns: number): string {
  const half = Math.max(20, Math.floor((columns - 3) / 2));
  const row = (left: string, right: string): string => {
    const [a, b] = [wrap(left, half), wrap(right, half)];
    return Array.from(
      { length: Math.max(a.length, b.length) },
      (_, i) => `${a[i] ?? ' '.repeat(half)} │ ${(b[i] ?? '').trimEnd()}`,
    ).join('\n');
  };
  const rule = `${'─'.repeat(half)}─┼─${'─'.repeat(half)}`;
  return [
    row(translate(language, 'result.before'), translate(language, 'result.after')),
    ...result.before.flatMap(({ question, answer }, i) => [
      rule,
      `» ${question}`,
      row(answer, result.after[i]?.answer ?? ''),
    ]),
  ].join('\n');
}

/** What was missed, in words. */
function missedWords(language: Language, missed: readonly string[]): string {
  return missed
    .map((limit) => {
      const [lang = '', what = ''] = limit.split('.');
      return translate(language, `missed.${what}` as MessageKey, {
        language: translate(language, `language.${lang}` as MessageKey),
      });
    })
    .join(language === 'zh' ? '；' : '; ');
}

/** The result for people: answers, scores, verdict, where the adapter lies. */
export function printResult(output: Output, result: RunResult): void {
  const { language } = output;
  if (result.before.length > 0) output.print(`\n${sideBySide(language, result, Math.min(process.stdout.columns || 100, 140))}\n`);
  if (result.scores !== null) output.print(scoreLine(language, result.scores));
  const step = { step: result.chosen_step, steps: result.steps };
  if (result.right === true) output.print(translate(language, 'result.right', step));
  else if (result.right === false) {
    output.print(translate(language, 'result.not_right', { ...step, missed: missedWords(language, result.missed) }));
  } else output.print(translate(language, 'result.trained', { steps: result.steps, tokens: result.tokens }));
  output.print(translate(language, 'result.adapter', { adapter: result.adapter }));
  output.print(translate(language, 'result.chat', { run: result.run }));
}

/** What a run is doing now, in one line. */
export function progressLine(language: Language, { phase, done, total, eta_seconds }: RunProgress): string {
  const name = translate(language, `phase.${phase}`);
  const counted = done === null || total === null ? `${name} …` : translate(language, 'progress.counted', { phase: name, done, total });
  return eta_seconds === null ? counted : `${counted} · ${duration(eta_seconds)}`;
}

function warningValues(language: Language, warning: RunWarning): Record<string, string | number> {
  switch (warning.warning) {
    case 'resumed_elsewhere':
      return { began: warning.began, now: warning.now };
    case 'no_card':
      return { reason: explainError(language, new NamesakeError(warning.code, warning.detail)) };
    case 'checkpoint_damaged':
      return { step: warning.step, from: warning.from };
  }
}

/** Prints a run's events: objects with --json, words otherwise. `pickResult` shapes the last object of the command. */
export function runReporter(output: Output, steps: () => number, pickResult: (result: RunResult) => object): OnRunEvent {
  const { language } = output;
  let phase = '';
  const words = (event: RunEvent): void => {
    switch (event.event) {
      case 'run':
      case 'status':
        return;
      case 'phase': {
        const name = translate(language, `phase.${event.phase}`);
        if (event.total !== undefined && event.done !== undefined) {
          output.progress(translate(language, 'progress.counted', { phase: name, done: event.done, total: event.total }));
        } else if (event.phase !== phase && event.phase !== 'saving') output.say(`${name} …`);
        phase = event.phase;
        return;
      }
      case 'warning':
        output.say(translate(language, `warning.${event.warning}`, warningValues(language, event)));
        return;
      case 'step': {
        const line = translate(language, 'progress.step', {
          step: event.step,
          steps: steps(),
          loss: event.loss.toFixed(3),
          speed: event.tokens_per_second.toFixed(0),
          left: duration(event.eta_seconds),
        });
        if (process.stderr.isTTY) output.progress(line);
        else if (event.step === 1 || event.step % 10 === 0) output.say(line);
        return;
      }
      case 'probe':
        output.say(
          translate(language, 'progress.probe', { step: event.step, scores: scoreLine(language, event.scores) }),
        );
        return;
      case 'result':
        printResult(output, event);
    }
  };
  return (event) => {
    if (!output.json) words(event);
    else if (event.event === 'result') output.event({ event: 'result', ...pickResult(event) });
    // How the program ends says it: the line of a run is its first one, and nothing stands between.
    else if (event.event !== 'status') output.event(event);
  };
}
