// The module that stands in for `electron` in the main process.
import { answerTests } from './control.ts';
import * as electron from './exports.ts';

export * from './exports.ts';
answerTests(electron);
