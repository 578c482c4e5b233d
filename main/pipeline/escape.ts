// Escape: keeps a model's specials out of text that a person wrote, while the template puts both into one string.

/** Starts an escape: a noncharacter of Unicode. Four more of them, U+FDD1 to U+FDE0, are one UTF-16 unit in hex digits. */
const MARK = '\uFDD0';
const FIRST_DIGIT = 0xfdd1;
const ESCAPE = new RegExp(`${MARK}([\\uFDD1-\\uFDE0]{4})`, 'g');

export interface Escape {
  /** Hides the first unit of every special (and every MARK), so that none is left anywhere in the text. */
  escape(text: string): string;
  unescape(text: string): string;
  /** Text parted at the specials: plain parts at even places, specials at odd ones. */
  split(text: string): string[];
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function hide(unit: string): string {
  const digits = unit.charCodeAt(0).toString(16).padStart(4, '0');
  return MARK + String.fromCharCode(...[...digits].map((digit) => FIRST_DIGIT + parseInt(digit, 16)));
}

/** The escape of a tokenizer's specials, given longest first. */
export function createEscape(specials: readonly string[]): Escape {
  const any = [...specials.map(escapeRegExp), '(?!)'].join('|');
  const starts = new RegExp(`(?=${any}|${MARK})[^]`, 'g');
  const whole = new RegExp(`(${any})`);
  return {
    escape: (text) => text.replace(starts, hide),
    unescape: (text) =>
      text.replace(ESCAPE, (_, digits: string) => {
        const hex = [...digits].map((digit) => (digit.charCodeAt(0) - FIRST_DIGIT).toString(16)).join('');
        return String.fromCharCode(parseInt(hex, 16));
      }),
    split: (text) => text.split(whole),
  };
}
