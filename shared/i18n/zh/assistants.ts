// 过去的助手列表及其操作。
import type { assistants as en } from '../en/assistants.ts';

export const assistants: Record<keyof typeof en, string> = {
};
