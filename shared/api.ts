// API: every request and every event of the product, the same through both window doors (Electron's IPC and serve's web
// socket). Inputs are parsed with zod on the trusted side; results and events are made there, so their types are enough.
import { z } from 'zod';
import { samplingSchema, type Answer, type StopReason } from './chat.ts';
import type { Draft, DraftSummary, ImportReport, OwnQuestions, RowsChange, RowsPage, RowsSummary } from './draft.ts';
import type { DiskUse } from './disk-use.ts';
import type { DoctorReport } from './doctor.ts';
import type { ErrorCode, ErrorParams } from './errors.ts';
import type { MemoryBudget } from './memory.ts';
import type { DownloadState, ModelCard } from './model.ts';
import { personaSchema } from './persona.ts';
import { deviceSchema, recipeSchema } from './recipe.ts';
import { rowKinds, rowSchema, type Message } from './row.ts';
import type { RowLife, RowPlace } from './row-life.ts';
import type { Phase, RunWarning } from './run-events.ts';
import type { CheckpointScores, DeletedRun, QuestionAnswer, RunDifference, RunEngine, RunFacts, RunSummary, ScoredProbe, Scores, StepMetric } from './run.ts';
import { settingsChangeSchema, type Settings, type TokenKept } from './settings.ts';
import type { ExportProgress, ExportResult, ExportState } from './export.ts';

/** A run's id, as a folder name: nothing that could lead out of HOME/runs. */
export const runIdSchema = z.string().regex(/^[0-9A-Za-z][0-9A-Za-z-]{0,63}$/);
/** A file that a person handed over (chosen, dropped, uploaded), or one that is ready to be taken: never a path. */
export const fileIdSchema = z.string().regex(/^[0-9a-f]{32}$/);
const draftIdSchema = z.string().regex(/^[0-9a-f]{16}$/);
/** A catalogue id, the id of a file that was added, or a place on a hub: never the path of a file. */
const modelRefSchema = z
  .string()
  .max(200)
  .regex(/^(?:[\p{L}\p{N}_][\p{L}\p{N}._-]*|(?:hf|modelscope):[\w.-]+\/[\w.-]+(?:@[\w./-]+)?(?:#[\w./-]+\.gguf)?)$/u);
const chatIdSchema = z.int().positive();
const nothing = z.strictObject({});
const run = z.strictObject({ run: runIdSchema });
const draft = z.strictObject({ draft: draftIdSchema });
const draftOrRun = z.union([draft, run]);
const ownQuestionsSchema = z.array(z.string().trim().min(1).max(500)).max(200);
const rowNumber = z.int().min(0).max(1_000_000_000);
const fileFormats = ['auto', 'openai', 'alpaca', 'sharegpt', 'lesson'] as const;

/** Declares a request: how its input is checked, and the type of what it answers. */
function request<Result>() {
  return <Input extends z.ZodType>(input: Input) => ({ input, result: undefined as Result });
}

export const requests = {
  // the program
  'app.about': request<{ version: string; door: 'desktop' | 'serve'; home: string; platform: string }>()(nothing),
  'app.doctor': request<DoctorReport>()(nothing),
  /** Shows a folder of the user's data in the system's file manager; door.unsupported in a browser. */
  'app.show': request<null>()(z.strictObject({ what: z.enum(['home', 'run', 'exports', 'crashes']), run: runIdSchema.optional() })),
  /** Removes all of the user's data. Ends what runs first. */
  'app.delete_everything': request<null>()(z.strictObject({ confirm: z.literal('delete everything') })),
  /** What the home takes of the disk. */
  'app.disk': request<DiskUse>()(nothing),
  /** The program's licence and those of what it is made of. */
  'app.licences': request<{ text: string }>()(nothing),
  /** Whether the window that asks is seen: one that is not hears events once a second. A new one counts as seen. */
  'window.visible': request<null>()(z.strictObject({ visible: z.boolean() })),
  'settings.get': request<Settings>()(nothing),
  'settings.set': request<Settings>()(settingsChangeSchema),
  /** How the tokens for gated models are kept. */
  'settings.tokens': request<Record<'huggingface' | 'modelscope', TokenKept>>()(nothing),
  /** Token for gated models; kept encrypted by the system where it can, else in memory. null forgets it. */
  'settings.set_token': request<{ kept: 'encrypted' | 'memory' | 'none' }>()(
    z.strictObject({ source: z.enum(['huggingface', 'modelscope']), token: z.string().min(1).max(500).regex(/^[\x21-\x7e]+$/).nullable() }),
  ),

  // models
  'models.list': request<ModelCard[]>()(nothing),
  'models.download': request<null>()(z.strictObject({ model: modelRefSchema, accept_licence: z.boolean() })),
  'models.pause': request<null>()(z.strictObject({ model: modelRefSchema })),
  'models.remove': request<null>()(z.strictObject({ model: modelRefSchema })),
  'models.add': request<{ id: string }>()(z.strictObject({ file: fileIdSchema })),
  /** What a run of this recipe would take: on the draft's rows, or on those that its persona makes. */
  'models.memory': request<MemoryBudget>()(z.strictObject({ recipe: recipeSchema, draft: draftIdSchema.optional() })),

  // what it learns from: a draft is a recipe with its rows, before it becomes a run
  'persona.preview': request<{ rows: { question: string; answer: string }[] }>()(z.strictObject({ persona: personaSchema })),
  'drafts.create': request<Draft>()(
    z.strictObject({
      persona: personaSchema,
      model: modelRefSchema.optional(),
      device: deviceSchema.optional(),
      steps: z.int().min(1).max(1_000_000).optional(),
      seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
    }),
  ),
  /** The recipe and rows of a run, to be changed and run again ("duplicate"). */
  'drafts.from_run': request<Draft>()(run),
  /** Drafts that wait to be started, the one that was touched last first. */
  'drafts.list': request<DraftSummary[]>()(nothing),
  'drafts.get': request<Draft>()(draft),
  /** Puts another recipe in place; where the persona changed, the wizard's rows are written anew. */
  'drafts.change': request<Draft>()(z.strictObject({ draft: draftIdSchema, recipe: recipeSchema })),
  'drafts.delete': request<null>()(draft),
  /** The person's own evaluation questions; null where the built-in ones are asked. */
  'drafts.questions': request<OwnQuestions | null>()(draft),
  /** Puts them in place; null goes back to the built-in ones. */
  'drafts.set_questions': request<Draft>()(
    z.strictObject({ draft: draftIdSchema, questions: z.strictObject({ identity: ownQuestionsSchema, ordinary: ownQuestionsSchema }).nullable() }),
  ),
  'rows.summary': request<RowsSummary>()(z.strictObject({ of: draftOrRun })),
  'rows.page': request<RowsPage>()(
    z.strictObject({
      of: draftOrRun,
      offset: rowNumber,
      limit: z.int().min(1).max(200),
      kind: z.enum(rowKinds).optional(),
      lang: z.string().min(1).max(40).optional(),
      search: z.string().max(200).optional(),
    }),
  ),
  /** A row on its way from words to tokens. */
  'rows.life': request<RowLife>()(z.strictObject({ of: draftOrRun, number: rowNumber })),
  /** Where a row is in the steps of training; null where the model is not here. Takes long where many rows were never counted. */
  'rows.place': request<RowPlace | null>()(z.strictObject({ of: draftOrRun, number: rowNumber })),
  'rows.edit': request<null>()(z.strictObject({ draft: draftIdSchema, number: rowNumber, row: rowSchema })),
  'rows.add': request<{ number: number }>()(z.strictObject({ draft: draftIdSchema, row: rowSchema })),
  'rows.delete': request<null>()(z.strictObject({ draft: draftIdSchema, numbers: z.array(rowNumber).min(1).max(10_000) })),
  /** Takes the last change of the rows back, and says what it was; null where there was none. */
  'rows.undo': request<{ undone: boolean; change: RowsChange | null }>()(draft),
  'rows.import': request<ImportReport>()(z.strictObject({ draft: draftIdSchema, file: fileIdSchema, format: z.enum(fileFormats) })),

  // runs
  'runs.start': request<{ run: string }>()(draft),
  'runs.list': request<RunSummary[]>()(nothing),
  /** What the list of assistants shows beside: models, scores, disk use. Reads folders. */
  'runs.facts': request<RunFacts[]>()(nothing),
  /** Deleted runs that can be brought back, the last one first. */
  'runs.deleted': request<DeletedRun[]>()(nothing),
  'runs.get': request<RunDetails>()(run),
  /** The curve behind `after`, as far as it goes now: what a reconnected window lacks. */
  'runs.metrics': request<StoredMetric[]>()(z.strictObject({ run: runIdSchema, after: z.int().min(0) })),
  'runs.probes': request<ScoredProbe[]>()(z.strictObject({ run: runIdSchema, step: z.int().min(0) })),
  'runs.pause': request<null>()(run),
  /** From the last checkpoint; on another device than the recipe's where one is named, as when its card is gone. */
  'runs.resume': request<null>()(z.strictObject({ run: runIdSchema, device: deviceSchema.optional() })),
  /** Stop and keep. */
  'runs.stop': request<null>()(run),
  /** Throw away. */
  'runs.cancel': request<null>()(run),
  'runs.rename': request<null>()(z.strictObject({ run: runIdSchema, name: z.string().trim().min(1).max(120) })),
  /** Keeps another checkpoint than the chosen one, of a run that came to its end. It is asked the showcase questions first. */
  'runs.choose': request<null>()(z.strictObject({ run: runIdSchema, step: z.int().min(1) })),
  'runs.delete': request<null>()(run),
  /** Brings a run back that was deleted within the last minutes. */
  'runs.undelete': request<null>()(run),
  'runs.diff': request<RunDifference[]>()(z.strictObject({ a: runIdSchema, b: runIdSchema })),

  // chat: both sides answer from one copy of the weights
  'chats.open': request<OpenedChat>()(
    z.strictObject({
      /** `step` is a checkpoint of the run that is still there; the chosen adapter where it is not given. */
      target: z.union([z.strictObject({ run: runIdSchema, step: z.int().min(1).nullable().default(null) }), z.strictObject({ model: modelRefSchema })]),
      /** undefined = the run's own, or the template's default. */
      system: z.string().max(2000).nullable().optional(),
    }),
  ),
  /** Goes on with a stored chat. */
  'chats.reopen': request<OpenedChat>()(z.strictObject({ chat: chatIdSchema })),
  'chats.say': request<Spoken>()(
    z.strictObject({
      chat: chatIdSchema,
      text: z.string().min(1).max(20_000),
      sides: z.array(z.enum(['before', 'after'])).min(1).max(2),
      /** Takes the last turn back and puts this one in its place. */
      again: z.boolean().default(false),
      max_tokens: z.int().min(1).max(4096).default(256),
      sampling: samplingSchema.prefault({}),
    }),
  ),
  'chats.cancel': request<null>()(z.strictObject({ chat: chatIdSchema })),
  'chats.close': request<null>()(z.strictObject({ chat: chatIdSchema })),
  'chats.list': request<ChatSummary[]>()(nothing),
  'chats.delete': request<null>()(z.strictObject({ chat: chatIdSchema })),

  // taking it home
  'export.adapter': request<ExportResult>()(run),
  'export.state': request<ExportState>()(run),
} as const;

export type RequestName = keyof typeof requests;
export type RequestInput<Name extends RequestName> = z.input<(typeof requests)[Name]['input']>;
/** What a handler gets: defaults filled in. */
export type ParsedInput<Name extends RequestName> = z.output<(typeof requests)[Name]['input']>;
export type RequestResult<Name extends RequestName> = (typeof requests)[Name]['result'];

export function isRequestName(name: unknown): name is RequestName {
  return typeof name === 'string' && Object.hasOwn(requests, name);
}

/** The answer to a request as it crosses a door: errors by code, with what their wording needs. */
export type Reply =
  | { ok: true; result: unknown }
  | { ok: false; error: { code: ErrorCode; detail: string; params: ErrorParams } };

export type StoredMetric = Omit<StepMetric, 'eta_seconds'>;

export interface RunDetails extends RunSummary {
  recipe: z.output<typeof recipeSchema>;
  error_detail: string | null;
  /** The values that the words of its error need. */
  error_params: ErrorParams;
  /** Evaluated and saved checkpoints; step 0 is the base. */
  checkpoints: CheckpointScores[];
  metrics: StoredMetric[];
  /** What it began to be computed with; null before that. */
  engine: RunEngine | null;
  /** What it is doing, while it goes on. */
  phase: RunProgress | null;
  right: boolean | null;
  missed: string[];
  before: QuestionAnswer[];
  after: QuestionAnswer[];
  folder: string;
  bytes_on_disk: number;
  /** Of the disk that the run's folder is on. */
  free_disk_bytes: number;
}

export interface RunProgress {
  phase: Phase;
  done: number | null;
  total: number | null;
  eta_seconds: number | null;
}

export type Side = 'before' | 'after';

export interface OpenedChat {
  chat: number;
  model: string;
  run: string | null;
  /** The checkpoint that answers as "after"; null = the run's chosen adapter. */
  step: number | null;
  /** The system text in use; null = the template's default. */
  system: string | null;
  sides: Side[];
  turns: ChatTurn[];
  /** The answer that is being spoken now, as far as it goes: text events go on from here. */
  speaking: (ChatTurn & { again: boolean }) | null;
}

/** A question and what either side said. */
export interface ChatTurn {
  user: Message;
  answers: Partial<Record<Side, Message>>;
  /** Sides whose answer ended before the model was done, and why. */
  cut: Partial<Record<Side, Exclude<StopReason, 'stop'>>>;
}

export interface ChatSummary {
  chat: number;
  model: string;
  run: string | null;
  step: number | null;
  created_at: string;
  /** When something was said in it last. */
  used_at: string;
  /** What was said first, or its beginning; of one in which nothing was said but is being answered now, that. */
  first: string;
}

export interface Spoken {
  answers: Partial<Record<Side, Answer>>;
  /** Turns at the beginning that no longer fit the model's context and were left out. */
  dropped_turns: number;
  tokens_per_second: number;
}

/**
 * What the core tells every window, at most ten times a second: events of the same subject are merged. A window that was
 * away asks for the state again; `lost` says that it has to.
 */
export type ApiEvent =
  /** The run's present state; the last one counts. */
  | ({ event: 'run' } & RunSummary & { progress: RunProgress | null })
  | ({ event: 'warning'; run: string } & RunWarning)
  /**
   * Steps since the last event, in order. They take the place of everything behind step `after` (shared/curve.ts): a run that
   * went back to its checkpoint tells so with no steps at all.
   */
  | { event: 'steps'; run: string; after: number; steps: StoredMetric[] }
  | { event: 'probe'; run: string; step: number; scores: Scores }
  /** The list of runs is another one: made, renamed, deleted. */
  | { event: 'runs' }
  | ({ event: 'download' } & DownloadState)
  | { event: 'models' }
  /** How far an export is; null = it is over (export.state says how). */
  | { event: 'export'; run: string; progress: ExportProgress | null }
  /** A piece of the answer that this chat's side speaks; `at` is its place in it (UTF-16 units): what stands from there on is replaced. */
  | { event: 'text'; chat: number; side: Side; at: number; text: string }
  /** An answer began or ended in this chat, or it was deleted: who shows it opens it again, who lists chats lists them again. */
  | { event: 'chat'; chat: number }
  | { event: 'settings'; settings: Settings }
  /** Chosen in the desktop's menu: the page goes there. */
  | { event: 'command'; command: 'new' | 'settings' }
  /** Events were dropped because this window took them too slowly. */
  | { event: 'lost' };
