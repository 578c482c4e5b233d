// Atomic files and folders: readers see the old contents or the new, never a half, also after a power cut.
// Every failure is disk.full (ENOSPC, EDQUOT) or disk.unwritable (anything else), naming the path.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "namesake/status.h"

namespace namesake {

/// A file being written as path + ".tmp". commit() puts it in the place of `path`; without it nothing is left behind.
class AtomicFile {
 public:
  /// Begins the file; its folder must exist. An old path + ".tmp" is replaced; a link of that name is not followed.
  static Result<AtomicFile> create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  /// Appends `size` bytes.
  Status write(const void* data, std::size_t size);
  /// Flushes to the disk, renames over `path`, flushes the folder. The last call on this object.
  Status commit();

 private:
  AtomicFile() = default;
  void discard();

  std::string path_;
  std::string temporary_;
  void* handle_ = nullptr;  // HANDLE on Windows; descriptor + 1 elsewhere, so that nullptr means closed
};

/// Writes a whole small file through AtomicFile.
Status write_file_atomically(const std::string& path, std::string_view contents);

/// Makes `folder` + ".tmp", empty: one that an earlier crash left is removed. Its path is `folder` + ".tmp"; the parent must exist.
Status begin_folder(const std::string& folder);
/// Flushes `folder` + ".tmp", renames it to `folder` (which must not exist) and flushes the parent.
Status commit_folder(const std::string& folder);
/// Removes `folder` + ".tmp" with what is in it, after a failure.
void discard_folder(const std::string& folder);

}  // namespace namesake
