// Adapter base: what transformers is to open under an exported adapter, for its README and for the window alike.
import type { AdapterBase } from '../../shared/export.ts';

/** A run's model as its provenance tells it; `base` is missing in runs of earlier versions. */
export interface OriginModel {
  /** A .gguf file, or a folder in Hugging Face's layout. */
  file: string;
  /** Of a folder: the repository that it came from, or the folder again. */
  base?: string | undefined;
  architecture?: string | undefined;
}

/**
 * The base of a run's adapter; null = it is not known what the run was made from. `elsewhere`: it goes to another machine, where
 * the folders of this one are not.
 */
export function adapterBase(model: OriginModel | null, elsewhere = false): AdapterBase {
  // transformers has no code of its own for these: the model's Python files are it.
  const own_code = model?.architecture === 'internlm2';
  // Of a file in another format people have to find the original themselves.
  if (model === null || /\.gguf$/i.test(model.file)) return { repository: null, folder: null, own_code };
  const { file, base = file } = model;
  // The repository first: it holds files that are not fetched, such as a model's own code.
  return base === file ? { repository: null, folder: elsewhere ? null : file, own_code } : { repository: base, folder: null, own_code };
}
