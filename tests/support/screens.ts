// Screens: the page as a person uses it, found by what it says in the person's language: no test knows a class or an id.
import type { Locator, Page } from 'playwright-core';
import { translate, type MessageKey } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';

type Values = Record<string, string | number>;

const UNKNOWN = 8_675_309;

export class Screens {
  readonly page: Page;
  readonly language: Language;
  readonly #marked: boolean;

  /** `marked`: the page was built with all of its words in brackets. */
  constructor(page: Page, language: Language, { marked = false } = {}) {
    this.page = page;
    this.language = language;
    this.#marked = marked;
  }

  /** The words of a key in the language of this person. */
  say(key: MessageKey, values: Values = {}): string {
    const words = translate(this.language, key, values);
    return this.#marked ? `⟦${words}⟧` : words;
  }

  /** Words of which a part is not known: every placeholder takes anything. */
  like(key: MessageKey, ...names: string[]): RegExp {
    // A number, because some placeholders count; one that no words of the page hold.
    const words = this.say(key, Object.fromEntries(names.map((name) => [name, UNKNOWN])));
    return new RegExp(words.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(new RegExp(`${UNKNOWN}|${UNKNOWN.toLocaleString('en')}`, 'g'), '.*'));
  }

  button(key: MessageKey, values?: Values): Locator {
    return this.page.getByRole('button', { name: this.say(key, values), exact: true });
  }

  /** A button that says how many there are behind its words. */
  countedButton(key: MessageKey): Locator {
    return this.page.getByRole('button', { name: new RegExp(`^${this.say(key)}\\s*\\d+$`) });
  }

  link(key: MessageKey): Locator {
    return this.page.getByRole('link', { name: this.say(key), exact: true });
  }

  field(key: MessageKey): Locator {
    return this.page.getByLabel(this.say(key), { exact: true });
  }

  heading(key: MessageKey, values?: Values): Locator {
    return this.page.getByRole('heading', { name: this.say(key, values) });
  }

  words(key: MessageKey, values?: Values): Locator {
    return this.page.getByText(this.say(key, values));
  }

  get list(): Locator {
    return this.page.getByRole('navigation', { name: this.say('page.runs') });
  }

  /** The run's state in words, as its screen says it. */
  state(key: MessageKey): Locator {
    return this.page.getByRole('main').getByText(this.say(key), { exact: true }).first();
  }

  /** A step of the bar over the screen. */
  step(key: 'name' | 'learn' | 'train' | 'compare' | 'take-home'): Locator {
    return this.page.getByRole('navigation', { name: this.say('steps.label') }).getByRole('link', { name: this.say(`steps.${key}`) });
  }

  /** Fills the form of a new assistant in. */
  async name(owner: string, name: string): Promise<void> {
    await this.field('name.owner').fill(owner);
    await this.field('name.name').fill(name);
  }

  /** Takes a model out of the picker by the name on its card. */
  async takeModel(name: string): Promise<void> {
    await this.button('name.change').click();
    const dialog = this.page.getByRole('dialog');
    await dialog.getByRole('listitem').filter({ hasText: name }).getByRole('button', { name: this.say('model.use'), exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
  }

  /** Presses the button, and waits until the run is watched. */
  async make(): Promise<void> {
    await this.button('name.make').click();
    await this.page.waitForURL(/#run\/[\w-]+\/train$/);
  }

  /** Waits until steps are trained, before which the base is asked. */
  async training(): Promise<void> {
    await this.page.getByRole('figure', { name: this.say('run.loss') }).waitFor({ timeout: 300_000 });
  }

  /** Waits until the run that is watched is done, which leads to the comparison. */
  async compared(timeout = 240_000): Promise<void> {
    await this.page.waitForURL(/#run\/[\w-]+\/compare$/, { timeout });
    await this.field('compare.input').waitFor();
  }

  /** Asks both sides and gives their answers when both are there. */
  async ask(question: string): Promise<string[]> {
    const input = this.field('compare.input');
    await input.fill(question);
    await input.press('Enter');
    return this.answered(question);
  }

  /** Waits until both sides have answered the last question; what they said. */
  async answered(question: string): Promise<string[]> {
    const turn = this.turn(question);
    await turn.waitFor();
    await this.button('compare.stop').waitFor({ state: 'detached', timeout: 120_000 });
    return Promise.all((['before', 'after'] as const).map((side) => this.#answer(turn, side)));
  }

  /** What a side said, without what the page says beside it. */
  async #answer(turn: Locator, side: 'before' | 'after'): Promise<string> {
    const label = this.say(`result.${side}`);
    const text = await turn.getByText(label, { exact: true }).locator('..').innerText();
    return text
      .split('\n')
      .filter((line) => ![label, this.say('compare.copy_answer'), this.say('compare.cut_length_stored'), ''].includes(line.trim()))
      .filter((line) => !this.like('compare.cut_length', 'tokens').test(line))
      .join('\n');
  }

  /** A question of the conversation with its answers. */
  turn(question: string): Locator {
    return this.page.getByRole('article', { name: question, exact: true }).last();
  }

  /** Makes the files on "take home" and waits for their proof; `press` presses a button by its words. */
  async takeHome(press: (words: string) => Promise<void> = (words) => this.page.getByRole('button', { name: words, exact: true }).click()): Promise<void> {
    await this.heading('take_home.adapter').waitFor();
    await press(this.say('take_home.write'));
    await this.words('take_home.written').waitFor({ timeout: 300_000 });
    await this.words('take_home.proof').waitFor();
  }

  /** Opens what can be done with an assistant in the list of all of them, and does one of it. */
  async act(name: string, action: MessageKey): Promise<void> {
    await this.page.getByRole('main').getByRole('row').filter({ hasText: name }).getByRole('button').last().click();
    await this.page.getByRole('menuitem', { name: this.say(action), exact: true }).click();
  }
}
