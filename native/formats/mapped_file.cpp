#include "formats/mapped_file.h"

#include <cstdint>
#include <functional>
#include <utility>

#ifdef _WIN32
#include "formats/windows_file.h"
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#endif

namespace namesake {

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

namespace {

/// The whole pages in `bytes` at `data`.
struct Pages {
  std::uintptr_t begin, end;

  Pages(const std::byte* data, std::size_t bytes, std::size_t page)
      : begin((reinterpret_cast<std::uintptr_t>(data) + page - 1) / page * page),
        end((reinterpret_cast<std::uintptr_t>(data) + bytes) / page * page) {}
  void* data() const { return reinterpret_cast<void*>(begin); }
  std::size_t bytes() const { return end > begin ? end - begin : 0; }
};

}  // namespace

void MappedFile::release_pages(const std::byte* data, std::size_t bytes) const {
  if (data_ == nullptr || std::less<>()(data, data_) || std::less<>()(data_ + size_, data + bytes)) return;
#ifdef _WIN32
  SYSTEM_INFO system;
  GetSystemInfo(&system);
  const Pages pages(data, bytes, system.dwPageSize);
  // Pages that are not locked leave the working set by being unlocked.
  if (pages.bytes() > 0) VirtualUnlock(pages.data(), pages.bytes());
#else
  const Pages pages(data, bytes, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
  if (pages.bytes() > 0) ::madvise(pages.data(), pages.bytes(), MADV_DONTNEED);
#endif
}

#ifdef _WIN32

Result<MappedFile> MappedFile::open(const std::string& path, Code unreadable) {
  const auto failed = [&](const char* what) {
    return Status::error(unreadable, path + ": " + what + ": Windows error " + std::to_string(GetLastError()));
  };
  const HANDLE file = CreateFileW(windows::wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                                  OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return failed("cannot be opened");
  const windows::Handle close_file(file);
  LARGE_INTEGER size;
  if (GetFileType(file) != FILE_TYPE_DISK || !GetFileSizeEx(file, &size)) return failed("is not a regular file");
  MappedFile mapped;
  if (size.QuadPart == 0) return mapped;
  if (static_cast<std::uint64_t>(size.QuadPart) > SIZE_MAX) return failed("is larger than the address space");
  const HANDLE mapping = CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
  if (mapping == nullptr) return failed("cannot be mapped");
  const windows::Handle close_mapping(mapping);  // the view keeps the mapping alive
  const void* view = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
  if (view == nullptr) return failed("cannot be mapped");
  mapped.data_ = static_cast<const std::byte*>(view);
  mapped.size_ = static_cast<std::size_t>(size.QuadPart);
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) UnmapViewOfFile(data_);
}

#else

Result<MappedFile> MappedFile::open(const std::string& path, Code unreadable) {
  const auto failed = [&](const char* what) {
    return Status::error(unreadable, path + ": " + what + ": " + std::strerror(errno));
  };
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return failed("cannot be opened");
  struct stat info;
  MappedFile mapped;
  Status status;
  if (::fstat(file, &info) != 0) {
    status = failed("cannot be read");
  } else if (!S_ISREG(info.st_mode)) {
    status = Status::error(unreadable, path + ": is not a regular file");
  } else if (static_cast<std::uintmax_t>(info.st_size) > SIZE_MAX) {
    status = Status::error(unreadable, path + ": is larger than the address space");
  } else if (info.st_size > 0) {
    void* memory = ::mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED) {
      status = failed("cannot be mapped");
    } else {
      mapped.data_ = static_cast<const std::byte*>(memory);
      mapped.size_ = static_cast<std::size_t>(info.st_size);
    }
  }
  ::close(file);
  if (!status.ok()) return status;
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

#endif

}  // namespace namesake
