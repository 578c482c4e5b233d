#!/bin/sh
# Makes ../fixtures from the kernels here, with nvcc 13.0 (NVCC=… for another one's path). The tests read the committed files.
# .version is lowered to the least that has these instructions, which older drivers take too.
set -e
cd "$(dirname "$0")"
nvcc=${NVCC:-nvcc}
for name in compute matrix instructions faults; do
  for arch in 75 80; do
    "$nvcc" -ptx "-arch=compute_$arch" "$name.cu" -o - | sed 's/^\.version .*/.version 7.0/' > "../fixtures/${name}_$arch.ptx"
  done
done
"$nvcc" -fatbin \
  -gencode arch=compute_75,code=compute_75 -gencode arch=compute_80,code=compute_80 instructions.cu -o ../fixtures/instructions.fatbin
"$nvcc" -fatbin --no-compress -arch=compute_80 instructions.cu -o ../fixtures/instructions_plain.fatbin
