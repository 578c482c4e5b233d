// MappedFile: a whole regular file as read-only memory.
#pragma once

#include <cstddef>
#include <string>

#include "namesake/status.h"

namespace namesake {

/// Read-only memory of a file; unmapped at the end of its life. Move-only. Another program that shortens the file meanwhile can
/// still fault the process (SIGBUS): the engine runs in a process of its own for that reason among others.
class MappedFile {
 public:
  /// Maps `path` (UTF-8). `unreadable` is the code for a missing file, a folder, a pipe, no permission or no mapping.
  static Result<MappedFile> open(const std::string& path, Code unreadable);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::byte* data() const { return data_; }  ///< nullptr for an empty file
  std::size_t size() const { return size_; }

  /// The machine may drop the pages that lie whole in these bytes until they are read again. Does nothing for memory of others.
  void release_pages(const std::byte* data, std::size_t bytes) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace namesake
