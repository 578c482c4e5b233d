// “带回家”页。
import type { takeHome as en } from '../en/take-home.ts';

export const takeHome: Record<keyof typeof en, string> = {
};
