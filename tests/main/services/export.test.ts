import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import { Home } from '../../../main/home.ts';
import { adapterBase } from '../../../main/services/adapter-base.ts';
import { adapterReadme } from '../../../main/services/adapter-readme.ts';
import { ChatPartners } from '../../../main/services/chat-partner.ts';
import { ExportService } from '../../../main/services/export.ts';
import { ModelService } from '../../../main/services/model.ts';
import { loadCatalogue } from '../../../main/resources.ts';
import { openDatabase } from '../../../main/store/db.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { RunStore, type RunRecord } from '../../../main/store/runs.ts';
import type { ExportProgress } from '../../../shared/export.ts';
import { rejectedBy } from '../../support/errors.ts';
import { fixture, temporaryFolder } from '../../support/files.ts';
import { finishedRun } from '../../support/finished-run.ts';
import { evaluatedRecipe } from '../../support/tiny-home.ts';
import { readZip } from '../../support/zip.ts';

vi.setConfig({ testTimeout: 60_000 });

const names = ['adapter_model.safetensors', 'adapter_config.json', 'README.md'];

function tinyExports() {
  const home = new Home(temporaryFolder());
  const db = openDatabase(home.database);
  onTestFinished(() => {
    db.close();
  });
  const runs = new RunStore(db);
  const models = new ModelService(home, new ModelStore(db), { log: () => undefined, onBytes: () => undefined });
  const start = () => startEngine({ priority: 'normal' });
  return { home, runs, exports: new ExportService(home, runs, new ChatPartners(home, runs, models, start, () => ({ threads: 1, isa: 'auto' }))) };
}

describe('ExportService', () => {
  it('writes the adapter and how to load it, probes the files, and packs them', async () => {
    const { home, runs, exports } = tinyExports();
    const run = finishedRun(home, runs, evaluatedRecipe(home.folder, { from_step: 1, every_steps: 1 }));
    const told: ExportProgress[] = [];
    const exported = await exports.adapter(run, null, { onProgress: (progress) => void told.push(progress) });
    expect([...new Set(told.map(({ phase }) => phase))]).toEqual(['writing', 'loading', 'asking']);
    const { knows, alone } = exported.count ?? { knows: null, alone: null };
    expect(exported.scores?.en).toMatchObject({ recall: (knows?.right ?? 0) / (knows?.of ?? 0), leak: 1 - (alone?.right ?? 0) / (alone?.of ?? 0) });
    expect(told.at(-1)?.total).toBe((knows?.of ?? 0) + (alone?.of ?? 0));
    expect(exported.folder).toBe(join(home.exports, `${run}-adapter`));
    expect(exported.files).toEqual(names.map((name) => join(exported.folder, name)));
    for (const name of names.slice(0, 2)) {
      expect(readFileSync(join(exported.folder, name))).toEqual(readFileSync(fixture('golden', 'tiny-llama', 'adapter', name)));
    }
    expect(exported.bytes).toBe(exported.files.reduce((sum, file) => sum + readFileSync(file).length, 0));
    expect(exported.scores?.en).toMatchObject({ recall: expect.any(Number) as unknown, leak: expect.any(Number) as unknown });
    // The golden adapter was trained: it is not the base.
    expect(exported.scores?.retention.kl).toBeGreaterThan(0);

    const archive = await exports.archive(exported);
    expect((await readZip(archive)).map(([name, content]) => [name, content.length])).toEqual(
      names.map((name) => [`${run}-adapter/${name}`, readFileSync(join(exported.folder, name)).length]),
    );
    // Again: beside the first one.
    expect((await exports.adapter(run)).folder).toBe(join(home.exports, `${run}-adapter-2`));
    expect(readdirSync(home.exports).sort()).toEqual([`${run}-adapter`, `${run}-adapter-2`, `${run}-adapter.zip`]);
  });

  it('made for download goes after a week, folder and archive; what a person took by another way stays', async () => {
    const { home, runs, exports } = tinyExports();
    const run = finishedRun(home, runs);
    const made = () => exports.adapter(run, null, { forDownload: true });
    const [old, recent] = [await made(), await made()];
    for (const exported of [old, recent]) await exports.archive(exported);
    expect(old.folder).toBe(join(home.downloads, `${run}-adapter`));
    // Under the very names that downloads have: the person's all the same.
    const own = await exports.adapter(run);
    const theirs = [own.folder, await exports.archive(own), join(home.downloads, 'theirs.zip')];
    writeFileSync(join(home.downloads, 'theirs.zip'), '');
    const age = (path: string, days: number): void => utimesSync(path, 0, Date.now() / 1000 - days * 24 * 3600);
    for (const path of [old.folder, `${old.folder}.zip`, ...theirs]) age(path, 8);
    for (const path of [recent.folder, `${recent.folder}.zip`]) age(path, 6);
    const newest = await made();
    expect(newest.folder).toBe(old.folder);
    expect(readdirSync(home.downloads).sort()).toEqual([newest.folder, recent.folder, `${recent.folder}.zip`, 'theirs.zip'].map((path) => basename(path)).sort());
    expect(theirs.every((path) => existsSync(path))).toBe(true);
  });

  it('tells the window the base that the README names, and no folder of this machine to another one', async () => {
    const { home, runs, exports } = tinyExports();
    const run = finishedRun(home, runs);
    const from = (model: object): void => writeFileSync(home.run(run).provenance, JSON.stringify({ model: { sha256: '', ...model }, engine: { backend: 'cpu', isa: 'avx2' } }));
    const readme = ({ folder }: { folder: string }): string => readFileSync(join(folder, 'README.md'), 'utf8');
    expect((await exports.adapter(run)).base).toEqual({ repository: null, folder: null, own_code: false });
    from({ file: '/models/internlm2', base: 'owner/internlm2', architecture: 'internlm2' });
    for (const forDownload of [false, true]) {
      const exported = await exports.adapter(run, null, { forDownload });
      expect(exported.base).toEqual({ repository: 'owner/internlm2', folder: null, own_code: true });
      expect(readme(exported)).toContain('base = "owner/internlm2"\n');
    }
    from({ file: '/models/qwen', base: '/models/qwen', architecture: 'qwen2' });
    const [here, elsewhere] = [await exports.adapter(run), await exports.adapter(run, null, { forDownload: true })];
    expect([here.base, elsewhere.base]).toEqual([{ repository: null, folder: '/models/qwen', own_code: false }, { repository: null, folder: null, own_code: false }]);
    expect(readme(here)).toContain('base = "/models/qwen"\n');
    expect(readme(elsewhere)).not.toContain('/models/qwen');
  });

  it('has no scores where the run has no probes', async () => {
    const { home, runs, exports } = tinyExports();
    expect((await exports.adapter(finishedRun(home, runs))).scores).toBeNull();
  });

  it('has no scores where the person’s probes are gone; the files are theirs all the same', async () => {
    const { home, runs, exports } = tinyExports();
    const run = finishedRun(home, runs, evaluatedRecipe(home.folder, { from_step: 1, every_steps: 1 }));
    rmSync(join(home.folder, 'probes.json'));
    const { files, scores } = await exports.adapter(run);
    expect(scores).toBeNull();
    expect(files.every((file) => existsSync(file))).toBe(true);
  });

  it('asks the run’s own copy of the person’s probes, whatever became of theirs', async () => {
    const { home, runs, exports } = tinyExports();
    const run = finishedRun(home, runs, evaluatedRecipe(home.folder, { from_step: 1, every_steps: 1 }));
    copyFileSync(join(home.folder, 'probes.json'), home.run(run).questions);
    const { scores } = await exports.adapter(run);
    expect(scores).not.toBeNull();
    rmSync(join(home.folder, 'probes.json'));
    expect((await exports.adapter(run)).scores).toEqual(scores);
  });

  it('takes an empty folder, and never one that holds something', async () => {
    const { home, runs, exports } = tinyExports();
    const run = finishedRun(home, runs);
    const out = join(home.folder, 'out');
    mkdirSync(out);
    expect((await exports.adapter(run, out)).folder).toBe(out);
    const before = readdirSync(out);
    expect((await rejectedBy(exports.adapter(run, out))).code).toBe('export.not_empty');
    expect(readdirSync(out)).toEqual(before);
    const file = join(home.folder, 'file');
    writeFileSync(file, 'mine');
    expect((await rejectedBy(exports.adapter(run, file))).code).toBe('disk.unwritable');
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect((await rejectedBy(exports.adapter(run, join(file, 'below')))).code).toBe('disk.unwritable');
  });

  it('refuses a run without an adapter, and leaves nothing', async () => {
    const { home, runs, exports } = tinyExports();
    const run = finishedRun(home, runs);
    runs.create('begun', runs.get(run).recipe);
    expect((await rejectedBy(exports.adapter('begun'))).code).toBe('run.no_checkpoint');
    expect((await rejectedBy(exports.adapter('none'))).code).toBe('run.unknown');
    rmSync(home.run(run).adapter, { recursive: true });
    expect((await rejectedBy(exports.adapter(run))).code).toBe('adapter.unreadable');
    expect(existsSync(home.exports)).toBe(false);
  });

  it('keeps the files where the asking is cancelled', async () => {
    const { home, runs, exports } = tinyExports();
    const run = finishedRun(home, runs, evaluatedRecipe(home.folder, { from_step: 1, every_steps: 1 }));
    const out = join(home.folder, 'out');
    expect((await rejectedBy(exports.adapter(run, out, { signal: AbortSignal.abort() }))).code).toBe('cancelled');
    expect(readdirSync(out).sort()).toEqual([...names].sort());
  });
});

describe('adapterReadme', () => {
  const record = (change: object, recipe: object = {}): RunRecord => {
    const { home, runs } = tinyExports();
    const found = runs.get(finishedRun(home, runs));
    return { ...found, ...change, recipe: { ...found.recipe, ...recipe } };
  };
  const { models } = loadCatalogue();
  const unknown = adapterBase(null);

  it('names base and licence of a catalogue model, and the system text', () => {
    const { recipe } = record({});
    const readme = adapterReadme(record({}, { model: { ref: models[0]?.id, precision: 'as-stored' }, data: { ...recipe.data, systems: ['Be\nbrief.'] } }), models, unknown);
    expect(readme).toContain(models[0]?.name);
    expect(readme).toContain(`licence of the base model: ${models[0]?.licence}`);
    expect(readme).toContain('    Be\n    brief.');
    expect(readme).toContain('PeftModel.from_pretrained');
  });

  it('says where the system text is one of several', () => {
    const { data } = record({}).recipe;
    const withSystems = (systems: (string | null)[]) => adapterReadme(record({}, { data: { ...data, systems } }), models, unknown);
    expect(withSystems(['Be brief.'])).toContain('under this system text; give it first');
    expect(withSystems(['Be brief.', null, ''])).toContain('under this system text (the first of 3 that it was trained under); give it first');
    expect(withSystems([null, 'Be brief.'])).toContain('without a system text of its own (the first of 2 that it was trained under): leave');
  });

  it('names a folder as peft opens it, and the form of a conversation with what ends an answer', () => {
    const form = { prompt: '<|im_start|>user\n…<|im_end|>\n<|im_start|>assistant\n', stops: ['<|im_end|>', '<|endoftext|>'] };
    const readme = adapterReadme(record({}, { model: { ref: 'my-qwen', precision: 'nf4' } }), models, adapterBase({ file: '/models/My "Qwen"' }), form);
    expect(readme).toContain('- base model: the folder `/models/My "Qwen"`');
    expect(readme).toContain('base = "/models/My \\"Qwen\\""\n');
    expect(readme).toContain('    <|im_start|>user\n    …<|im_end|>\n    <|im_start|>assistant\n');
    expect(readme).toContain('it ends at `<|im_end|>` or `<|endoftext|>`');
    const ofFile = adapterReadme(record({}), models, adapterBase({ file: '/models/a.gguf', base: 'a' }));
    expect(ofFile).toContain('base = "…"');
    expect(ofFile).not.toContain('The form of a conversation');
    expect(ofFile).not.toContain('trust_remote_code');
    // A template may write a form whose end no token marks.
    const endless = adapterReadme(record({}), models, unknown, { ...form, stops: [] });
    expect(endless).toContain('\nThe answer follows.\n');
    expect(endless).not.toContain('stop there');
  });

  it('loads a model with code of its own from its repository; a folder has to hold that code', () => {
    const [own, fetched] = [{ file: '/models/internlm2', architecture: 'internlm2' }, { file: '/home/models/x', base: 'owner/internlm2', architecture: 'internlm2' }];
    const ofRepository = adapterReadme(record({}), models, adapterBase(fetched));
    expect(ofRepository).toContain('- base model: the repository `owner/internlm2`');
    expect(ofRepository).toContain('base = "owner/internlm2"\n');
    expect(ofRepository).toContain('AutoTokenizer.from_pretrained(base, trust_remote_code=True)');
    expect(ofRepository).toContain('AutoModelForCausalLM.from_pretrained(base, trust_remote_code=True)');
    expect(ofRepository).not.toContain('.py files');
    const ofFolder = adapterReadme(record({}), models, adapterBase(own));
    expect(ofFolder).toContain('base = "/models/internlm2"\n');
    expect(ofFolder).toContain('(base, trust_remote_code=True)');
    expect(ofFolder).toContain("A folder must hold the model's own .py files");
    expect(adapterReadme(record({}), models, adapterBase({ file: '/models/qwen', architecture: 'qwen2' }))).not.toContain('.py files');
  });

  it('talks to it in the precision in which it was trained and scored', () => {
    const { evaluate } = evaluatedRecipe(temporaryFolder(), { from_step: 1, every_steps: 1 });
    const of = (precision: string, recipe: object = {}): string => adapterReadme(record({}, { model: { ref: 'm', precision }, ...recipe }), models, unknown);
    expect(of('nf4', { evaluate })).toContain('`namesake chat --model m --adapter THIS_FOLDER --precision nf4`\n\nIt was trained, and its scores were measured, on the base model in that precision (nf4)');
    expect(of('nf4')).toContain('It was trained on the base model in that precision (nf4)');
    const asStored = of('as-stored', { evaluate });
    expect(asStored).toContain('`namesake chat --model m --adapter THIS_FOLDER`');
    expect(asStored).not.toContain('precision');
  });

  it('keeps a name from being anything but a name', () => {
    const readme = adapterReadme(record({ name: '# <script>\n- [x](http://evil) `code`' }, { model: { ref: "/tmp/a'; rm `x`.gguf", precision: 'as-stored' } }), models, unknown);
    expect(readme.split('\n')[0]).toBe('# \\# \\<script\\> - \\[x\\](http://evil) \\`code\\`');
    expect(readme).toContain("``/tmp/a'; rm `x`.gguf``");
    expect(readme).toContain(`--model '/tmp/a'\\''; rm`);
  });
});
