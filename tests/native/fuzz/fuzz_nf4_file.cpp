// Fuzz target: any bytes as a file of quantised matrices, by itself and with a right frame around it, so that the parser gets past
// the checksum. Whatever parses must lie inside the input and decode; run under sanitizers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "formats/checksum.h"
#include "formats/nf4_file.h"

namespace {

constexpr std::uint64_t kKey = 42;

void walk(const std::vector<namesake::Nf4Shape>& shapes, const std::byte* data, std::size_t size) {
  using namespace namesake;
  const auto parsed = parse_nf4_file(data, size, kKey, shapes);
  if (!parsed.ok()) {
    if (parsed.status().code != Code::model_invalid || parsed.status().message.empty()) std::abort();
    return;
  }
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Nf4FileMatrix& read = parsed.value()[i];
    const Matrix matrix{BlockType::nf4, shapes[i].rows, shapes[i].cols, read.codes, &read.scales};
    if (read.codes < data || reinterpret_cast<const std::byte*>(read.scales.nested + shapes[i].nested()) > data + size) std::abort();
    std::vector<float> row(static_cast<std::size_t>(matrix.cols));
    for (std::int64_t r = 0; r < matrix.rows; ++r) decode_row(matrix, r, row.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace namesake;
  if (size < 4) return 0;
  // The first bytes choose the shapes that are asked for.
  const std::vector<Nf4Shape> shapes = {{1 + data[0] % 9, 64 * (1 + data[1] % 3)}, {1 + data[2], 64}};
  const std::vector<std::uint8_t> plain(data + 4, data + size);
  walk(shapes, reinterpret_cast<const std::byte*>(plain.data()), plain.size());

  std::vector<std::byte> framed(nf4_file_size(shapes));
  const std::uint32_t version = 1, matrices = 2;
  const std::uint64_t bytes = framed.size();
  std::memcpy(framed.data(), "NSKNF4", 6);
  std::memcpy(framed.data() + 8, &version, sizeof version);
  std::memcpy(framed.data() + 12, &matrices, sizeof matrices);
  std::memcpy(framed.data() + 16, &kKey, sizeof kKey);
  std::memcpy(framed.data() + 24, &bytes, sizeof bytes);
  for (std::size_t i = 64; i + 64 < framed.size() && !plain.empty(); ++i) framed[i] = std::byte{plain[i % plain.size()]};
  Checksum checksum;
  checksum.add(framed.data(), framed.size() - 64);
  const std::uint64_t sum = checksum.value();
  std::memcpy(framed.data() + framed.size() - 64, &sum, sizeof sum);
  // In a right frame only scales are refused, where they are not finite.
  const auto parsed = parse_nf4_file(framed.data(), framed.size(), kKey, shapes);
  if (!parsed.ok() && parsed.status().message.find("not finite") == std::string::npos) std::abort();
  walk(shapes, framed.data(), framed.size());
  return 0;
}
