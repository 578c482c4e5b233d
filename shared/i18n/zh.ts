// 中文文案。键和占位符与 en.ts 完全一致，由测试比对。ICU 消息格式。
import type { en } from './en.ts';
import { errors } from './zh/errors.ts';
import { program } from './zh/program.ts';
import { desktop } from './zh/desktop.ts';
import { page } from './zh/page.ts';
import { name } from './zh/name.ts';
import { learn } from './zh/learn.ts';
import { train } from './zh/train.ts';
import { compare } from './zh/compare.ts';
import { takeHome } from './zh/take-home.ts';
import { assistants } from './zh/assistants.ts';
import { settings } from './zh/settings.ts';

export const zh: Record<keyof typeof en, string> = { ...errors, ...program, ...desktop, ...page, ...name, ...learn, ...train, ...compare, ...takeHome, ...assistants, ...settings };
