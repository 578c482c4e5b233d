// Which C++ folder may include which: addon → include → engine → formats, backend/ops.h → backend/*.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const native = join(import.meta.dirname, '..', '..', 'native');

/** Per layer: the folders (or files) that it may include beside its own. The first layer that holds a file is its own. */
const layers: { layer: string; holds: RegExp; may: RegExp }[] = [
  { layer: 'addon', holds: /^addon\//, may: /^(addon|include|formats)\// },
  { layer: 'include', holds: /^include\//, may: /^(include\/|formats\/blocks\.h$|backend\/ops\.h$)/ },
  { layer: 'engine', holds: /^engine\//, may: /^(engine|include|formats)\/|^backend\/[a-z_0-9]+\.h$/ },
  { layer: 'formats', holds: /^formats\//, may: /^(formats\/|include\/namesake\/status\.h$)/ },
  ...['reference', 'cpu', 'cuda'].map((name) => ({
    layer: `backend/${name}`,
    holds: new RegExp(`^backend/${name}/`),
    may: new RegExp(`^(backend/${name}/|backend/[a-z_0-9]+\\.h$|formats/|include/namesake/(status|gpu|peak)\\.h$)`),
  })),
  { layer: 'ladder', holds: /^ladder\//, may: /^(ladder|backend\/cuda\/kernels)\// },
  // What stands in backend/ itself declares the operations and picks an implementation.
  { layer: 'backend', holds: /^backend\/[^/]+$/, may: /^(backend\/|formats\/|include\/namesake\/(status|gpu)\.h$)/ },
];

/** Headers from outside that only one place may see. */
const guarded: { header: RegExp; only: RegExp; why: string }[] = [
  { header: /^(napi|node_api|js_native_api)[a-z_-]*\.h$/, only: /^addon\//, why: 'only addon/ sees N-API' },
  { header: /^yyjson\.h$/, only: /^formats\//, why: 'only formats/ parses JSON' },
  { header: /^(?!cuda_(api|backend)\.h$)(cuda|cuda_runtime|nvrtc|cublas)[a-z_0-9]*\.h$/, only: /^$/, why: 'backend/cuda declares what it needs itself' },
];

/** What is wrong with the includes of `file` (a path below native/) whose text is `text`. */
function problems(file: string, text: string): string[] {
  const own = layers.find(({ holds }) => holds.test(file));
  if (own === undefined) return [`${file} is in no layer`];
  const found: string[] = [];
  for (const [, header = ''] of text.matchAll(/^\s*#\s*include\s*[<"]([^">]+)[">]/gm)) {
    const guard = guarded.find((one) => one.header.test(posix.basename(header)));
    if (guard !== undefined) {
      if (!guard.only.test(file)) found.push(`${file} includes ${header}: ${guard.why}`);
      continue;
    }
    // As the compiler searches: beside the file, then native/, then native/include. A header that is not there counts by
    // its name, so that the check does not depend on the state of the tree.
    const beside = posix.join(posix.dirname(file), header);
    const named = header.startsWith('namesake/') ? `include/${header}` : header;
    const target = existsSync(join(native, beside)) ? beside : named;
    if (layers.some(({ holds }) => holds.test(target)) && !own.may.test(target)) found.push(`${file} includes ${target}: ${own.layer} must not see it`);
  }
  return found;
}

function sources(folder: string): string[] {
  return readdirSync(join(native, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cpp|h|cu)$/.test(name))
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')));
}

describe('C++ include directions', () => {
  const files = ['addon', 'include', 'engine', 'formats', 'backend', 'ladder'].filter((name) => existsSync(join(native, name))).flatMap(sources);

  it('covers the tree', () => {
    expect(files).toContain('include/namesake/model.h');
    expect(files).toContain('backend/ops.h');
  });

  it('holds in every source file', () => {
    expect(files.flatMap((file) => problems(file, readFileSync(join(native, file), 'utf8')))).toEqual([]);
  });

  it.each([
    ['addon/a.cpp', 'engine/graph.h'],
    ['addon/a.cpp', 'backend/cpu/gemm.h'],
    ['engine/a.cpp', 'addon/convert.h'],
    ['engine/a.cpp', 'backend/cpu/gemm.h'],
    ['engine/a.cpp', 'napi.h'],
    ['engine/a.cpp', 'yyjson.h'],
    ['formats/a.cpp', 'engine/graph.h'],
    ['formats/a.cpp', 'namesake/model.h'],
    ['formats/a.cpp', 'backend/ops.h'],
    ['backend/cpu/a.cpp', 'engine/graph.h'],
    ['backend/cpu/a.cpp', 'backend/reference/ops.h'],
    ['backend/cuda/a.cpp', 'cuda.h'],
    ['backend/cuda/a.cpp', 'cuda_runtime_api.h'],
    ['backend/cuda/a.cpp', 'namesake/model.h'],
    ['addon/a.cpp', 'backend/cuda/driver.h'],
    ['engine/a.cpp', 'backend/cuda/driver.h'],
    ['include/namesake/a.h', 'engine/graph.h'],
    ['backend/cuda/a.cpp', 'ladder/rungs_args.h'],
    ['ladder/a.cu', 'backend/cuda/gemm.h'],
  ])('%s must not include %s', (file, header) => {
    expect(problems(file, `#include "${header}"\n`)).toHaveLength(1);
    expect(problems(file, `  #  include <${header}>\n`)).toHaveLength(1);
  });

  it.each([
    ['addon/a.cpp', 'napi.h'],
    ['addon/a.cpp', 'namesake/trainer.h'],
    ['addon/a.cpp', 'formats/gguf.h'],
    ['engine/a.cpp', 'backend/ops.h'],
    ['engine/a.cpp', 'formats/gguf.h'],
    ['backend/cpu/a.cpp', 'formats/blocks.h'],
    ['backend/a.cpp', 'backend/cpu/backend.h'],
    ['backend/cuda/a.cpp', 'backend/cuda/cuda_api.h'],
    ['backend/cuda/a.cpp', 'namesake/gpu.h'],
    ['formats/safetensors.cpp', 'yyjson.h'],
    ['ladder/a.cu', '../backend/cuda/kernels/half.cuh'],
    ['formats/a.cpp', 'vector'],
  ])('%s may include %s', (file, header) => {
    expect(problems(file, `#include "${header}"\n`)).toEqual([]);
  });
});
