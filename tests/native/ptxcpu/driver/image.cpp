#include "driver/image.h"

#include <dlfcn.h>

#include <cstring>

#include "driver/state.h"
#include "execute/settings.h"

namespace ptxcpu {
namespace {

using Byte = unsigned char;

// No document describes fat binaries: sizes and flags are what nvcc writes.
constexpr std::uint32_t kWrapperMagic = 0x466243b1, kFatbinMagic = 0xba55ed50;
constexpr std::uint16_t kPtxEntry = 1;
constexpr std::uint64_t kLz4 = 0x2000, kZstd = 0x8000;
constexpr std::size_t kEntryHeader = 64;

template <class T>
T read(const Byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// One entry's header.
struct Entry {
  std::uint16_t kind;
  std::uint32_t header, compressed, arch;
  std::uint64_t size, flags, plain_size;
  const Byte* data;

  explicit Entry(const Byte* at)
      : kind(read<std::uint16_t>(at)),
        header(read<std::uint32_t>(at + 4)),
        compressed(read<std::uint32_t>(at + 16)),
        arch(read<std::uint32_t>(at + 28)),
        size(read<std::uint64_t>(at + 8)),
        flags(read<std::uint64_t>(at + 40)),
        plain_size(read<std::uint64_t>(at + 56)),
        data(at + header) {}
  std::size_t stored() const { return compressed ? compressed : size; }
};

/// A length of LZ4's: `start`, and where that is 15 the bytes that follow, up to one that is not 255.
std::size_t lz4_length(std::size_t start, const Byte*& at, const Byte* end) {
  if (start < 15) return start;
  while (at < end) {
    const Byte more = *at++;
    start += more;
    if (more != 255) break;
  }
  return start;
}

/// LZ4 block format.
bool unpack_lz4(const Byte* at, std::size_t size, std::size_t wanted, std::string* out) {
  const Byte* end = at + size;
  while (at < end && out->size() < wanted) {
    const Byte token = *at++;
    const std::size_t literals = lz4_length(token >> 4, at, end);
    if (literals > static_cast<std::size_t>(end - at)) return false;
    out->append(reinterpret_cast<const char*>(at), literals);
    at += literals;
    if (end - at < 2 || out->size() >= wanted) break;
    const std::size_t distance = at[0] | static_cast<std::size_t>(at[1]) << 8;
    at += 2;
    const std::size_t length = lz4_length(token & 15, at, end) + 4;
    if (!distance || distance > out->size()) return false;
    for (std::size_t i = 0; i < length; ++i) out->push_back((*out)[out->size() - distance]);
  }
  return out->size() == wanted;
}

/// By libzstd, where the machine has it.
bool unpack_zstd(const Byte* at, std::size_t size, std::size_t wanted, std::string* out) {
  using Decompress = std::size_t (*)(void*, std::size_t, const void*, std::size_t);
  static const auto decompress = [] {
    void* library = dlopen("libzstd.so.1", RTLD_NOW);
    return reinterpret_cast<Decompress>(library ? dlsym(library, "ZSTD_decompress") : nullptr);
  }();
  if (!decompress) return false;
  out->resize(wanted);
  return decompress(out->data(), wanted, at, size) == wanted;
}

CUresult unpack(const Entry& entry, std::string* ptx) {
  std::string plain;
  if (entry.flags & kZstd) {
    if (!unpack_zstd(entry.data, entry.stored(), entry.plain_size, &plain)) {
      return refuse("fat binary: zstd entry that is corrupt, or no libzstd.so.1 here", CUDA_ERROR_INVALID_IMAGE);
    }
  } else if (entry.flags & kLz4) {
    if (!unpack_lz4(entry.data, entry.stored(), entry.plain_size, &plain)) {
      return refuse("fat binary: corrupt lz4 entry", CUDA_ERROR_INVALID_IMAGE);
    }
  } else {
    plain.assign(reinterpret_cast<const char*>(entry.data), entry.size);
  }
  *ptx = plain.c_str();
  return CUDA_SUCCESS;
}

CUresult ptx_of_fatbin(const Byte* fatbin, std::string* ptx) {
  const Byte* at = fatbin + read<std::uint16_t>(fatbin + 6);
  const Byte* end = at + read<std::uint64_t>(fatbin + 8);
  int best = -1;
  while (at + kEntryHeader <= end) {
    const Entry entry(at);
    at = entry.data + entry.size;
    const int arch = static_cast<int>(entry.arch);
    if (entry.kind != kPtxEntry || arch > settings().profile.arch || arch <= best) continue;
    if (const CUresult error = unpack(entry, ptx); error != CUDA_SUCCESS) return error;
    best = arch;
  }
  if (best < 0) return refuse("fat binary without PTX that the device can run", CUDA_ERROR_NO_BINARY_FOR_GPU);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult ptx_of_image(const void* image, std::string* ptx) {
  const auto* at = static_cast<const Byte*>(image);
  if (read<std::uint32_t>(at) == kWrapperMagic) at = read<const Byte*>(at + 8);
  if (read<std::uint32_t>(at) == kFatbinMagic) return ptx_of_fatbin(at, ptx);
  if (std::memcmp(at, "\177ELF", 4) == 0) return refuse("the image is machine code, not PTX", CUDA_ERROR_NO_BINARY_FOR_GPU);
  *ptx = reinterpret_cast<const char*>(at);
  if (ptx->find(".version") == ptx->npos) return refuse("the image is no PTX", CUDA_ERROR_INVALID_IMAGE);
  return CUDA_SUCCESS;
}

}  // namespace ptxcpu
