// Rows of a frozen matrix out of their blocks, to the 16-bit operand of a product or to f32 (rows of an embedding).
// Grid: enough blocks of 256 threads for one thread per eight values, count * ceil(cols / 8) of them (less than 2^31).
#include "block_decode.cuh"

namespace namesake::cuda {

template <class Format>
__device__ __forceinline__ void decode_rows(const DecodeArgs& args) {
  __shared__ float tables[Format::kTables + 1];
  fill_tables<Format>(tables);
  const unsigned across = static_cast<unsigned>((args.matrix.cols + kDecoded - 1) / kDecoded);
  const unsigned index = blockIdx.x * blockDim.x + threadIdx.x, line = index / across;
  if (line >= args.count) return;
  const std::int64_t col = std::int64_t{index - line * across} * kDecoded, row = args.ids ? args.ids[line] : args.first + line;
  float v[kDecoded];
  Format::decode(args.matrix, row, col, tables, v);
  if (args.half) {
    const uint4 rounded = make_uint4(round_to_halves(v[0], v[1]), round_to_halves(v[2], v[3]), round_to_halves(v[4], v[5]),
                                     round_to_halves(v[6], v[7]));
    *reinterpret_cast<uint4*>(args.half + line * args.ld + col) = rounded;
    return;
  }
  float* out = args.values + line * args.matrix.cols + col;
  if (col + kDecoded <= args.matrix.cols && at_16(out)) {
    reinterpret_cast<float4*>(out)[0] = make_float4(v[0], v[1], v[2], v[3]);
    reinterpret_cast<float4*>(out)[1] = make_float4(v[4], v[5], v[6], v[7]);
  } else {
#pragma unroll
    for (int j = 0; j < kDecoded; ++j) {
      if (col + j < args.matrix.cols) out[j] = v[j];
    }
  }
}

#define NAMESAKE_DECODE_KERNEL(name, Format) \
  extern "C" __global__ void __launch_bounds__(256) decode_##name(DecodeArgs args) { decode_rows<Format>(args); }
NAMESAKE_BLOCK_FORMATS(NAMESAKE_DECODE_KERNEL)
#undef NAMESAKE_DECODE_KERNEL

}  // namespace namesake::cuda
