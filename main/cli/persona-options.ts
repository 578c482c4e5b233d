// Persona options: the flags that `make`, `data` and `bench make` share.
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import { languageSchema, personaSchema, type Persona } from '../../shared/persona.ts';

export interface PersonaFlags {
  owner: string;
  name: string;
  ownerEn?: string;
  nameEn?: string;
  lang: string;
  style?: string;
  builtOn?: string;
  fact: string[];
}

/** Adds the flags to a command. */
export function withPersonaOptions(command: Command): Command {
  return command
    .requiredOption('--owner <name>', 'whose assistant it is')
    .requiredOption('--name <name>', 'what it is called')
    .option('--owner-en <name>', 'the owner in English, where it is written differently')
    .option('--name-en <name>', 'its name in English, where it is written differently')
    .option('--lang <list>', 'languages: zh, en, or both', 'zh,en')
    .addOption(new Option('--style <style>', 'its manner').choices(['plain', 'warm', 'formal', 'playful']))
    .option('--built-on <text>', 'what it says it is built on')
    .option('--fact <text>', 'something that it should know about itself (may be repeated)', (fact: string, all: string[]) => [...all, fact], []);
}

/** The persona that the flags describe. Throws persona.invalid. */
export function personaFrom(flags: PersonaFlags): Persona {
  const languages = flags.lang.split(',').map((part) => {
    const parsed = languageSchema.safeParse(part.trim());
    if (!parsed.success) throw new NamesakeError('persona.invalid', `the language “${part}” is not one of zh, en`);
    return parsed.data;
  });
  const parsed = personaSchema.safeParse({
    owner: flags.owner,
    name: flags.name,
    languages,
    facts: flags.fact,
    ...(flags.ownerEn === undefined ? {} : { owner_en: flags.ownerEn }),
    ...(flags.nameEn === undefined ? {} : { name_en: flags.nameEn }),
    ...(flags.style === undefined ? {} : { style: flags.style }),
    ...(flags.builtOn === undefined ? {} : { built_on: flags.builtOn }),
  });
  if (!parsed.success) throw new NamesakeError('persona.invalid', z.prettifyError(parsed.error));
  return parsed.data;
}
