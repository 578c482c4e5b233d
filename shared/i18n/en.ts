// English words. Every key exists in zh.ts with the same placeholders; a test compares them. ICU message format.
import { errors } from './en/errors.ts';
import { program } from './en/program.ts';
import { desktop } from './en/desktop.ts';
import { page } from './en/page.ts';
import { name } from './en/name.ts';
import { learn } from './en/learn.ts';
import { train } from './en/train.ts';
import { compare } from './en/compare.ts';
import { takeHome } from './en/take-home.ts';
import { assistants } from './en/assistants.ts';
import { settings } from './en/settings.ts';

export const en = { ...errors, ...program, ...desktop, ...page, ...name, ...learn, ...train, ...compare, ...takeHome, ...assistants, ...settings } as const;
