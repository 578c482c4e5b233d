// Template sandbox: runs a model file's Jinja template under limits of work, size and time. The file comes from anywhere,
// so its template may loop for ever or fill the memory.
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { createContext, Script } from 'node:vm';

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

/** The functions and constants of a chat template. No clock: the same rows must give the same tokens on any day. */
const globals = {
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
}

/**
 * Parses a template and returns the function that renders it. Both throw Error with the reason: a syntax error, what the
 * template itself raises, or a limit that it went over.
 */
export function compileTemplate(source: string): (values: TemplateValues) => string {
  const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
  // Only inside a vm script can a call be ended from outside, wherever it hangs.
  let work = (): void => undefined;
  const context = createContext({ run: () => work() });
  const script = new Script('run()');
  return (values) => {
    const size = values.messages.reduce((sum, { content }) => sum + content.length, 0);
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...globals, ...values })) environment.set(name, value);
    const interpreter = new LimitedInterpreter(environment, values.messages.length, size);
    let text = '';
    work = () => {
      text = String(interpreter.run(program).value);
    };
    script.runInContext(context, { timeout: MAX_MS });
    return text;
  };
}
