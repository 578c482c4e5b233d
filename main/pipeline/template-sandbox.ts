// Template sandbox: runs a model file's Jinja template under limits of work, size and time. The file comes from anywhere,
// so its template may loop for ever or fill the memory.
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { createContext, Script } from 'node:vm';
import { pythonStrip, type Sides } from './python-strip.ts';

/** Expressions and statements that one rendering may evaluate, beside those that its messages need. */
const MAX_NODES = 50_000;
const NODES_PER_MESSAGE = 2_000;
/** Longest string and list that may come up, beside what the messages' own length explains. */
const MAX_TEXT = 200_000;
const MAX_LIST = 10_000;
const MAX_MS = 2_000;

type Node = Parameters<Interpreter['evaluate']>[0];
type Value = ReturnType<Interpreter['evaluate']>;

/** An interpreter that gives up instead of using up the machine. */
class LimitedInterpreter extends Interpreter {
  #nodes: number;
  readonly #text: number;
  readonly #list: number;

  /** For messages of `count` and `size` characters altogether. */
  constructor(environment: Environment, count: number, size: number) {
    super(environment);
    this.#nodes = MAX_NODES + NODES_PER_MESSAGE * count;
    this.#text = MAX_TEXT + 2 * size;
    this.#list = MAX_LIST + count + size;
  }

  override evaluate(node: Node, environment: Environment): Value {
    if (this.#nodes-- === 0) throw new Error('it does not come to an end');
    const value = super.evaluate(node, environment);
    const found: unknown = value.value;
    if (typeof found === 'string' && found.length > this.#text) throw new Error(`it makes a text of ${found.length} characters`);
    if (Array.isArray(found) && found.length > this.#list) throw new Error(`it makes a list of ${found.length} elements`);
    return value;
  }
}

/** Python's range, as far as a template can need it. */
function range(from: number, to?: number, step = 1): number[] {
  const [start, stop] = to === undefined ? [0, from] : [from, to];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= MAX_LIST)) throw new Error(`it makes a range of ${length} elements`);
  return Array.from({ length }, (_, i) => start + i * step);
}

/** Python's strip as a template's function. */
function stripped(sides: Sides): (text: unknown, characters: unknown) => string {
  return (text, characters) => {
    if (typeof text !== 'string') throw new Error('it strips what is no text');
    return pythonStrip(text, sides, typeof characters === 'string' ? characters : undefined);
  };
}

const stripNames = new Map([
  ['strip', '%strip'],
  ['lstrip', '%lstrip'],
  ['rstrip', '%rstrip'],
]);

/** The parts of the parsed template that are of interest here. */
interface Shape {
  type?: unknown;
  callee?: Shape;
  computed?: unknown;
  object?: unknown;
  property?: Shape;
  value?: unknown;
  args?: unknown[];
  operand?: unknown;
  filter?: Shape;
}

/**
 * Has `text.strip(…)` and `text | trim` call the functions here: the library's own forget which characters to strip, and
 * strip JavaScript's blanks. Changes the parsed template in place.
 */
function stripAsPython(program: unknown): void {
  const open: unknown[] = [program];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    if (node instanceof Map) open.push(...node.keys());
    open.push(...(node instanceof Map ? node.values() : Object.values(node)));
    const shape = node as Shape;
    const { type, callee, filter } = shape;
    const call = (name: string, args: unknown[]): void => {
      Object.assign(shape, { type: 'CallExpression', callee: { type: 'Identifier', value: name }, args });
    };
    if (type === 'CallExpression' && callee?.type === 'MemberExpression' && callee.computed !== true) {
      const name = stripNames.get(String(callee.property?.value));
      if (name !== undefined) call(name, [callee.object, ...(shape.args ?? [])]);
    } else if (type === 'FilterExpression' && filter?.type === 'Identifier' && filter.value === 'trim') {
      call('%strip', [shape.operand]);
    }
  }
}

/**
 * The functions and constants of a chat template. No clock (`strftime_now`): the same rows must give the same tokens on any
 * day. The templates of Llama 3 have a date of their own for that case.
 */
const globals = {
  '%strip': stripped('both'),
  '%lstrip': stripped('left'),
  '%rstrip': stripped('right'),
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception: (message: unknown) => {
    throw new Error(String(message));
  },
};

/** What a chat template is called with. */
export interface TemplateValues {
  messages: { role: string; content: string }[];
  add_generation_prompt: boolean;
  bos_token: string;
  eos_token: string;
  /** Qwen 3's templates ask for it: an answer begins behind an empty block of thoughts. */
  enable_thinking: boolean;
}

/** A compiled template. Both functions throw Error with the reason: what the template itself raises, or a limit that it went over. */
export interface Template {
  render(values: TemplateValues): string;
  /**
   * Gives what `work` gives; all that it renders shares one limit of time, since a limit costs a millisecond: it takes a thread.
   * Where that does not do, `work` is begun again and each rendering has a limit of its own.
   */
  together<T>(work: () => T): T;
}

/** Parses a template. Throws Error with the reason. */
export function compileTemplate(source: string): Template {
  const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
  stripAsPython(program);
  // Only inside a vm script can a call be ended from outside, wherever it hangs.
  let limited: (() => void) | null = null;
  const context = createContext({ run: () => limited?.() });
  const script = new Script('run()');
  const within = <T>(work: () => T): T => {
    const made: T[] = [];
    limited = () => void made.push(work());
    try {
      script.runInContext(context, { timeout: MAX_MS });
    } finally {
      limited = null;
    }
    return made[0] as T;
  };
  const together = <T>(work: () => T): T => {
    if (limited !== null) return work();
    try {
      return within(work);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      return work();
    }
  };
  const render = (values: TemplateValues): string => {
    const size = values.messages.reduce((sum, { content }) => sum + content.length, 0);
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...globals, ...values })) environment.set(name, value);
    const interpreter = new LimitedInterpreter(environment, values.messages.length, size);
    const run = (): string => String(interpreter.run(program).value);
    return limited === null ? within(run) : run();
  };
  return { render, together };
}
