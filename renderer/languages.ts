// Languages and manners that the form offers and what models are good for, in the page's order, and each language's name for itself.
import type { ModelCard } from '../shared/model.ts';
import type { Language, Persona } from '../shared/persona.ts';

export const ownNames: Readonly<Record<Language, string>> = { zh: '中文', en: 'English' };
export const languages = Object.keys(ownNames) as Language[];

const everyStyle: Readonly<Record<Persona['style'], true>> = { plain: true, warm: true, formal: true, playful: true };
export const styles = Object.keys(everyStyle) as Persona['style'][];

const everyPurpose: Readonly<Record<ModelCard['purpose'], true>> = { smallest: true, balanced: true, chinese: true, strong: true, own: true };
export const modelPurposes = Object.keys(everyPurpose) as ModelCard['purpose'][];
