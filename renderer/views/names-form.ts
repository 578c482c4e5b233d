// Names form: two names, and what the assistant will say with them, as they are typed.
import type { MessageKey } from '../../shared/i18n/translate.ts';
import type { ModelCard } from '../../shared/model.ts';
import type { PersonaInput } from '../../shared/persona.ts';
import type { QuestionAnswer } from '../../shared/run.ts';
import type { Api } from '../api.ts';
import { h, View } from '../dom.ts';
import { languages, ownNames, styles } from '../languages.ts';
import { bytes, t } from '../words.ts';
import type { Notices } from './notices.ts';

const PREVIEW_DELAY_MS = 250;
/** As shared/persona.ts has it; the core checks again. */
const NAME_PATTERN = '[^\\p{Cc}\\p{Cs}\\p{Co}\\{\\}<>\\|]+';

export class NamesForm extends View {
  override readonly element: HTMLElement;
  readonly #api: Api;
  readonly #notices: Notices;
  readonly #onMade: (run: string) => void;
  readonly #form: HTMLFormElement;
  readonly #owner = this.#nameInput('owner');
  readonly #name = this.#nameInput('name');
  readonly #languages = languages.map((language) => h('input', { type: 'checkbox', name: 'language', value: language, checked: true, change: () => this.#changed() }));
  readonly #style = h('select', { id: 'style', change: () => this.#changed() });
  readonly #model = h('select', { id: 'model' });
  readonly #make: HTMLButtonElement;
  readonly #preview = h('div', { class: 'preview-lines' });
  #models: ModelCard[] = [];
  #lines: QuestionAnswer[] = [];
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #unsubscribe: (() => void)[];

  /** `onMade` hears of the run that was begun. */
  constructor(api: Api, notices: Notices, onMade: (run: string) => void) {
    super();
    this.#api = api;
    this.#notices = notices;
    this.#onMade = onMade;
    this.#style.append(...styles.map((style) => h('option', { value: style }, this.text(() => t(`style.${style}`)))));
    this.#make = h('button', { type: 'submit', class: 'primary' }, this.text(() => t('form.make')));
    this.#form = h('form', { submit: (event: SubmitEvent) => void this.#submit(event) },
      this.#field('owner', this.#owner),
      this.#field('name', this.#name),
      h('fieldset', {},
        h('legend', {}, this.text(() => t('form.languages'))),
        h('div', { class: 'choices' },
          ...this.#languages.map((input, i) => h('label', {}, input, ownNames[languages[i] ?? 'en'])),
        ),
      ),
      this.#field('style', this.#style),
      this.#field('model', this.#model),
      this.#make,
    );
    this.live(() => this.#drawModels());
    this.live(() => this.#drawPreview());
    this.element = h('section', { class: 'make', 'aria-labelledby': 'make-title' },
      h('h2', { id: 'make-title' }, this.text(() => t('form.title'))),
      h('p', { class: 'quiet' }, this.text(() => t('form.intro'))),
      h('div', { class: 'columns' },
        this.#form,
        h('section', { class: 'preview', 'aria-labelledby': 'preview-title' }, h('h3', { id: 'preview-title' }, this.text(() => t('preview.title'))), this.#preview),
      ),
    );
    this.#unsubscribe = [api.on('models', () => this.#readModels()), api.on('lost', () => this.#readModels())];
    this.#readModels();
  }

  /** Puts the cursor where one begins. */
  focus(): void {
    this.#owner.focus();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #nameInput(id: 'owner' | 'name'): HTMLInputElement {
    const input = h('input', { id, type: 'text', required: true, maxlength: 60, pattern: NAME_PATTERN, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': `${id}-hint`, input: () => this.#changed() });
    input.addEventListener('invalid', () => {
      if (input.validity.patternMismatch) input.setCustomValidity(t('form.name_wrong'));
    });
    return input;
  }

  #field(id: 'owner' | 'name' | 'style' | 'model', control: HTMLElement): HTMLElement {
    const hint = id === 'owner' || id === 'name' ? h('span', { id: `${id}-hint`, class: 'quiet' }, this.text(() => t(`form.${id}_hint`))) : null;
    return h('div', { class: 'field' }, h('label', { for: id }, this.text(() => t(`form.${id}`))), control, hint);
  }

  /** The persona as typed; null where it is not one yet. */
  #persona(): PersonaInput | null {
    const chosen = languages.filter((_, i) => this.#languages[i]?.checked);
    const names = [this.#owner, this.#name];
    for (const input of names) input.setCustomValidity('');
    this.#languages[0]?.setCustomValidity(chosen.length === 0 ? t('form.languages_wrong') : '');
    if (chosen.length === 0 || names.some((input) => input.value.trim() === '' || !input.validity.valid)) return null;
    return { owner: this.#owner.value.trim(), name: this.#name.value.trim(), languages: chosen, style: this.#style.value as PersonaInput['style'] };
  }

  #changed(): void {
    // At once: what was wrong before must not hold back a quick Enter.
    for (const input of [this.#owner, this.#name]) input.setCustomValidity('');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#readPreview(), PREVIEW_DELAY_MS);
  }

  async #readPreview(): Promise<void> {
    const persona = this.#persona();
    const asked = ++this.#asked;
    let lines: QuestionAnswer[] = [];
    try {
      if (persona !== null) lines = (await this.#api.request('persona.preview', { persona })).rows;
    } catch (error) {
      this.#notices.failQuietly(error);
    }
    // Typed on in the meantime: the later answer is the one to show.
    if (asked !== this.#asked) return;
    this.#lines = lines;
    this.#drawPreview();
  }

  #drawPreview(): void {
    if (this.#lines.length === 0) return this.#preview.replaceChildren(h('p', { class: 'quiet' }, t('preview.empty')));
    this.#preview.replaceChildren(
      h('dl', {}, ...this.#lines.flatMap(({ question, answer }) => [h('dt', { dir: 'auto' }, question), h('dd', { dir: 'auto' }, answer)])),
    );
  }

  #readModels(): void {
    this.#api.request('models.list', {}).then(
      (models) => {
        this.#models = models;
        this.#drawModels();
      },
      (error: unknown) => this.#notices.failQuietly(error),
    );
  }

  #drawModels(): void {
    const chosen = this.#model.value;
    const options = this.#models.map(({ id, name, size_bytes, here, fits }) => {
      const state: MessageKey = fits === false ? 'form.model_too_large' : here ? 'model.here' : 'model.absent';
      const words = t('form.model_option', { name, size: size_bytes === null ? '?' : bytes(size_bytes), state: t(state) });
      return h('option', { value: id, disabled: fits === false }, words);
    });
    this.#model.replaceChildren(h('option', { value: '' }, t('form.model_auto')), ...options);
    this.#model.value = this.#models.some(({ id }) => id === chosen) ? chosen : '';
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const persona = this.#persona();
    if (persona === null) return void this.#form.reportValidity();
    this.#make.disabled = true;
    this.#notices.close();
    try {
      const model = this.#model.value;
      const { draft } = await this.#api.request('drafts.create', { persona, ...(model === '' ? {} : { model }) });
      const { run } = await this.#api.request('runs.start', { draft });
      this.#onMade(run);
    } catch (error) {
      this.#notices.fail(error);
    } finally {
      this.#make.disabled = false;
    }
  }
}
