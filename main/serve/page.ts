// Page: the plain pages that this door writes itself, without script or style.
import type { NamesakeError } from '../../shared/errors.ts';
import { explainError } from '../../shared/i18n/translate.ts';
import type { Language } from '../../shared/persona.ts';

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as it may stand in HTML, in an element or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] as string);
}

function document(language: Language, head: string, body: string): string {
  return `<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">${head}<title>Namesake</title></head>
<body><h1>Namesake</h1>${body}</body>
</html>
`;
}

/** The first of the browser's languages that is spoken here; `fallback` where it names none. */
export function languageOf(acceptLanguage: string | undefined, fallback: Language): Language {
  const wishes = (acceptLanguage ?? '').slice(0, 200).split(',').flatMap((wish) => {
    const [tag = '', weight] = wish.trim().split(/;\s*q=/i);
    const language = /^(zh|en)\b/i.exec(tag)?.[1]?.toLowerCase() as Language | undefined;
    return language === undefined ? [] : [{ language, weight: weight === undefined ? 1 : Number(weight) || 0 }];
  });
  return wishes.sort((a, b) => b.weight - a.weight)[0]?.language ?? fallback;
}

/** What was refused, why, and what to do. */
export function refusalPage(language: Language, error: NamesakeError): string {
  return document(language, '', `<p>${escapeHtml(explainError(language, error))}</p>`);
}

/**
 * Goes on to `path` at once. A redirect would belong to the page whose link was followed, and a browser sends no strict
 * cookie then; a page of this door's own may go on with one.
 */
export function forwardPage(language: Language, path: string): string {
  return document(language, `<meta http-equiv="refresh" content="0; url=${escapeHtml(path)}">`, '');
}
