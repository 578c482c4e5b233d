// @ts-check
// Runs a TypeScript program of the tests as vite understands it (`import.meta.glob` and all): node tests/support/run.mjs FILE [ARGUMENTS]
import { resolve } from 'node:path';
import { runnerImport } from 'vite';

const [file = ''] = process.argv.splice(2, 1);
await runnerImport(resolve(file), { configFile: false, logLevel: 'error' });
