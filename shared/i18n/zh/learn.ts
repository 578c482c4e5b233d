// “学什么”页。
import type { learn as en } from '../en/learn.ts';

export const learn: Record<keyof typeof en, string> = {
};
