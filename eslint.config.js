// @ts-check
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import svelte from 'eslint-plugin-svelte';
import { readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

/**
 * A rule against imports whose path matches one of `patterns`, with what to do instead.
 * @param {{ regex: string, message: string }[]} patterns
 * @returns {['error', { patterns: { regex: string, message: string }[] }]}
 */
function forbid(...patterns) {
  return ['error', { patterns }];
}

const electron = {
  regex: '^(electron|electron/.*)$',
  message: 'Only main/desktop and preload know Electron. Take what you need as an argument, or put it in main/desktop.',
};
const node = {
  regex: `^(node:.*|(${builtinModules.filter((name) => !name.startsWith('_')).join('|')})(/.*)?)$`,
  message: 'This runs without Node. Ask for it through shared/api.ts and do it in main/services.',
};
const binding = {
  regex: '(^|/)binding(\\.ts)?$',
  message: 'Only main/engine/host.ts loads the addon. Talk to the engine through main/engine/client.ts.',
};
const host = {
  regex: '(^|/)engine/host(\\.ts)?$|^\\./host(\\.ts)?$',
  message: 'The host is an entry file of its own process. Talk to it through main/engine/client.ts.',
};
const engine = {
  regex: '(^|/)engine/(?!client)',
  message: 'Talk to the engine through main/engine/client.ts and the interface in shared/engine.ts.',
};
/**
 * Folders that a layer must not import: those above it and beside it.
 * @param {string[]} folders
 */
function above(...folders) {
  return {
    regex: `^\\.\\.?/(.*/)?(${folders.join('|')})(/|$)`,
    message: `Imports go downward: doors → api → core → services → store, pipeline, engine client → shared. ${folders.join(', ')} lie above or beside this file: move what is common down (a noun's type into shared/), or take it as an argument.`,
  };
}

const doors = ['cli', 'serve', 'desktop'];
/** What services and everything below them must not know: the doors, the API behind them, and who makes the services. */
const tops = [...doors, 'api', 'core\\.ts'];

/** What no file of the page may import. */
const outside = [electron, node, above('main', 'preload', 'tests', 'tools')];
const door = {
  regex: '(^|/)door/',
  message: 'Only main.ts and api.ts know the doors. Take what you need of a connection from renderer/api.ts.',
};
const components = {
  regex: '\\.svelte$|^(\\.\\./)+(ui|frame|screens)/',
  message: 'State and behaviour know no components: components use them.',
};
/**
 * Folders of the page that a part of it must not import.
 * @param {string} folders a regular expression
 * @param {string} message
 */
function notFrom(folders, message) {
  return { regex: `^(\\.\\.?/)+(${folders})`, message };
}
const screens = readdirSync(new URL('renderer/screens', import.meta.url));

export default defineConfig(
  globalIgnores(['node_modules', 'out', 'dist', 'native', 'coverage', 'test-results', 'tests/fixtures/**/*.mjs']),
  js.configs.recommended,
  tseslint.configs.strict,
  svelte.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: 'module' },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: tseslint.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
    rules: {
      // TypeScript knows the globals; $bindable and $props want let.
      'no-undef': 'off',
      'prefer-const': 'off',
      'svelte/prefer-const': ['error', { destructuring: 'all' }],
    },
  },
  // TypeScript itself knows the globals; the plain JavaScript of tools/ and the configuration runs in Node.
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: Object.fromEntries(['process', 'Buffer', 'URL', 'setTimeout', 'clearTimeout'].map((name) => [name, 'readonly'])),
    },
  },
  {
    files: ['shared/**/*.ts'],
    rules: {
      'no-restricted-imports': forbid(electron, node, above('main', 'renderer', 'preload', 'tests', 'tools')),
      'no-restricted-globals': [
        'error',
        ...['process', 'Buffer', 'window', 'document', 'navigator', 'localStorage', '__dirname', 'require'].map((name) => ({
          name,
          message: 'shared/ is the contract of all sides: it has neither Node nor a page.',
        })),
      ],
    },
  },
  {
    files: ['renderer/**/*.{ts,svelte}', 'preload/**/*.ts'],
    rules: { 'no-restricted-imports': forbid(node, above('main', 'tests', 'tools')) },
  },
  { files: ['renderer/**/*.{ts,svelte}'], rules: { 'no-restricted-imports': forbid(...outside, door) } },
  { files: ['renderer/{main,api}.ts', 'renderer/door/**'], rules: { 'no-restricted-imports': forbid(...outside) } },
  { files: ['renderer/state/**', 'renderer/{format,languages}.ts'], rules: { 'no-restricted-imports': forbid(...outside, door, components) } },
  {
    files: ['renderer/ui/**'],
    rules: {
      'no-restricted-imports': forbid(
        ...outside,
        door,
        notFrom('api\\.ts|screens/|frame/|Frame|state/app\\.', 'renderer/ui/ shows what it is given: take data and callbacks as properties.'),
      ),
    },
  },
  // What two screens need lies in renderer/ui or renderer/state.
  ...screens.map((screen) => ({
    files: [`renderer/screens/${screen}/**`],
    rules: {
      'no-restricted-imports': forbid(
        ...outside,
        door,
        notFrom(
          `(screens/)?(${screens.filter((other) => other !== screen).join('|')})/|frame/|Frame`,
          'Screens know neither each other nor the frame: put what two need into renderer/ui or renderer/state.',
        ),
      ),
    },
  })),
  {
    files: ['main/**/*.ts'],
    rules: { 'no-restricted-imports': forbid(electron, binding, host, above('renderer', 'preload', 'tests', ...tops, 'services')) },
  },
  {
    files: ['main/services/**/*.ts'],
    rules: { 'no-restricted-imports': forbid(electron, engine, above('renderer', 'preload', 'tests', ...tops)) },
  },
  {
    files: ['main/pipeline/**/*.ts'],
    rules: {
      'no-restricted-imports': forbid(
        electron,
        binding,
        host,
        above('renderer', 'preload', 'tests', ...tops, 'services', 'store', 'engine'),
      ),
    },
  },
  {
    files: ['main/store/**/*.ts'],
    rules: {
      'no-restricted-imports': forbid(
        electron,
        binding,
        host,
        above('renderer', 'preload', 'tests', ...tops, 'services', 'pipeline', 'engine'),
      ),
    },
  },
  {
    files: ['main/engine/**/*.ts'],
    rules: {
      'no-restricted-imports': forbid(electron, binding, host, above('renderer', 'preload', 'tests', ...tops, 'services', 'store')),
    },
  },
  {
    files: ['main/engine/host.ts'],
    rules: { 'no-restricted-imports': forbid(electron, above('renderer', 'preload', 'tests', ...tops, 'services', 'store')) },
  },
  // The core makes the services and knows nothing of who uses them; the API answers windows, whatever door they came through.
  { files: ['main/core.ts'], rules: { 'no-restricted-imports': forbid(electron, binding, host, above('renderer', 'preload', 'tests', ...doors, 'api')) } },
  {
    files: ['main/api/**/*.ts'],
    rules: { 'no-restricted-imports': forbid(electron, engine, above('renderer', 'preload', 'tests', ...doors, 'store', 'pipeline')) },
  },
  {
    files: ['main/serve/**/*.ts'],
    rules: { 'no-restricted-imports': forbid(electron, binding, host, above('renderer', 'preload', 'tests', 'cli', 'desktop')) },
  },
  // `serve` is a command too.
  {
    files: ['main/cli/**/*.ts'],
    rules: { 'no-restricted-imports': forbid(electron, binding, host, above('renderer', 'preload', 'tests', 'desktop')) },
  },
  {
    files: ['main/desktop/**/*.ts'],
    rules: { 'no-restricted-imports': forbid(binding, host, above('renderer', 'tests', 'cli', 'serve')) },
  },
);
