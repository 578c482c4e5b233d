#include "formats/atomic_file.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "formats/native_path.h"
#ifdef _WIN32
#include "formats/windows_file.h"
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#endif

namespace namesake {
namespace {

std::string temporary_name(const std::string& path) { return path + ".tmp"; }

/// A system error as this engine's code: what a person can do differs between a full disk and one that refuses.
Status disk_error(const std::string& path, int number) {
  const std::error_code error(number, std::system_category());
#ifdef _WIN32
  constexpr int kQuotaExceeded = 1295;  // ERROR_DISK_QUOTA_EXCEEDED, which not every SDK declares
  const bool full = number == ERROR_DISK_FULL || number == ERROR_HANDLE_DISK_FULL || number == kQuotaExceeded;
#else
  const bool full = number == ENOSPC || number == EDQUOT;
#endif
  return Status::error(full ? Code::disk_full : Code::disk_unwritable, path + ": " + error.message());
}

#ifdef _WIN32

int last_error() { return static_cast<int>(GetLastError()); }

bool open_new(const std::string& path, void*& handle) {
  const HANDLE file = CreateFileW(windows::wide(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr, CREATE_ALWAYS,
                                  FILE_ATTRIBUTE_NORMAL, nullptr);
  handle = file == INVALID_HANDLE_VALUE ? nullptr : file;
  return handle != nullptr;
}

bool write_some(void* handle, const char* data, std::size_t size, std::size_t& written) {
  DWORD count = 0;
  const bool done = WriteFile(handle, data, static_cast<DWORD>(std::min<std::size_t>(size, 1u << 30)), &count, nullptr);
  written = count;
  return done;
}

bool flush(void* handle) { return FlushFileBuffers(handle); }
bool close(void* handle) { return CloseHandle(handle); }

bool move_over(const std::string& from, const std::string& to) {
  return MoveFileExW(windows::wide(from).c_str(), windows::wide(to).c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
}

/// MOVEFILE_WRITE_THROUGH has flushed the move; Windows cannot flush a folder.
Status flush_folder(const std::filesystem::path&) { return {}; }

#else

int last_error() { return errno; }

int descriptor(void* handle) { return static_cast<int>(reinterpret_cast<std::intptr_t>(handle)) - 1; }

bool open_new(const std::string& path, void*& handle) {
  const auto open_once = [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666); };
  int file = open_once();
  // What an earlier crash left goes, as does a link: what it points to is not ours to write.
  if (file < 0 && errno == EEXIST && ::unlink(path.c_str()) == 0) file = open_once();
  if (file >= 0) handle = reinterpret_cast<void*>(static_cast<std::intptr_t>(file) + 1);
  return file >= 0;
}

bool write_some(void* handle, const char* data, std::size_t size, std::size_t& written) {
  ssize_t count;
  do {
    count = ::write(descriptor(handle), data, std::min<std::size_t>(size, 1u << 30));
  } while (count < 0 && errno == EINTR);
  written = count < 0 ? 0 : static_cast<std::size_t>(count);
  return count >= 0;
}

/// To the disk itself: on macOS fsync leaves it in the drive's own cache, which a power cut takes.
bool flush_descriptor(int file) {
#ifdef F_FULLFSYNC
  if (::fcntl(file, F_FULLFSYNC) == 0) return true;
#endif
  return ::fsync(file) == 0;
}

bool flush(void* handle) { return flush_descriptor(descriptor(handle)); }
bool close(void* handle) { return ::close(descriptor(handle)) == 0; }
bool move_over(const std::string& from, const std::string& to) { return std::rename(from.c_str(), to.c_str()) == 0; }

Status flush_folder(const std::filesystem::path& folder) {
  const std::string name = folder.empty() ? "." : folder.string();
  const int file = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return disk_error(name, errno);
  // Some file systems cannot flush a folder and say EINVAL: nothing more can be done there.
  const int number = flush_descriptor(file) || errno == EINVAL ? 0 : errno;
  ::close(file);
  return number == 0 ? Status{} : disk_error(name, number);
}

#endif

/// `path` without a separator at its end, which would hide the parent.
std::string trimmed(std::string path) {
  while (path.size() > 1 && (path.back() == '/' || path.back() == '\\')) path.pop_back();
  return path;
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  AtomicFile file;
  file.path_ = path;
  file.temporary_ = temporary_name(path);
  if (!open_new(file.temporary_, file.handle_)) return disk_error(file.temporary_, last_error());
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      handle_(std::exchange(other.handle_, nullptr)) {}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() {
  if (handle_ != nullptr) close(std::exchange(handle_, nullptr));
  if (temporary_.empty()) return;
  std::error_code ignored;  // the failure that led here is the one to report
  std::filesystem::remove(native_path(temporary_), ignored);
  temporary_.clear();
}

Status AtomicFile::write(const void* data, std::size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    std::size_t written = 0;
    if (!write_some(handle_, bytes, size, written)) return disk_error(temporary_, last_error());
    bytes += written;
    size -= written;
  }
  return {};
}

Status AtomicFile::commit() {
  if (!flush(handle_)) return disk_error(temporary_, last_error());
  if (!close(std::exchange(handle_, nullptr))) return disk_error(temporary_, last_error());
  if (!move_over(temporary_, path_)) return disk_error(path_, last_error());
  temporary_.clear();
  return flush_folder(native_path(path_).parent_path());
}

Status write_file_atomically(const std::string& path, std::string_view contents) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok()) return file.status();
  NAMESAKE_TRY(file.value().write(contents.data(), contents.size()));
  return file.value().commit();
}

Status begin_folder(const std::string& folder) {
  const std::string temporary = temporary_name(trimmed(folder));
  std::error_code error;
  std::filesystem::remove_all(native_path(temporary), error);
  if (error) return disk_error(temporary, error.value());
  std::filesystem::create_directory(native_path(temporary), error);
  return error ? disk_error(temporary, error.value()) : Status{};
}

Status commit_folder(const std::string& folder) {
  const std::string path = trimmed(folder), temporary = temporary_name(path);
  NAMESAKE_TRY(flush_folder(native_path(temporary)));
  if (!move_over(temporary, path)) return disk_error(path, last_error());
  return flush_folder(native_path(path).parent_path());
}

void discard_folder(const std::string& folder) {
  std::error_code ignored;  // the failure that led here is the one to report
  std::filesystem::remove_all(native_path(temporary_name(trimmed(folder))), ignored);
}

}  // namespace namesake
