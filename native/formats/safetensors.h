// safetensors: an 8-byte little-endian header length, a JSON header, then raw data (huggingface/safetensors README).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "namesake/status.h"

namespace namesake {

/// One tensor to write, of f32 or of bytes (u8). Its values are asked for when their turn comes, so that no two tensors are in
/// memory for it.
struct TensorToWrite {
  std::string name;
  std::vector<std::int64_t> shape;
  std::function<Status(std::byte* values)> read;  ///< puts all its values there
  bool bytes = false;                             ///< u8
};

/// One tensor read, as f32: from f32, f16 and bf16, and from u8, i32 and i64 whose values f32 holds exactly (up to 2^24).
struct TensorRead {
  std::vector<std::int64_t> shape;
  std::vector<float> data;
};

struct SafetensorsFile {
  std::map<std::string, TensorRead> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads a whole file (adapters and states are small). Hostile lengths, overlaps, gaps, duplicate names and unknown types give
/// adapter.unreadable (no such file, I/O) or adapter.invalid.
Result<SafetensorsFile> read_safetensors(const std::string& path);
/// The same over memory (tests, fuzzing).
Result<SafetensorsFile> parse_safetensors(const std::byte* data, std::size_t size);

/// Writes tensors in the given order (bytes depend on nothing else) to path + ".tmp", fsyncs, renames, fsyncs the folder.
/// disk.full | disk.unwritable, and what a tensor's `read` says; nothing is left behind on failure. Takes the memory of the largest tensor.
Status write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace namesake
