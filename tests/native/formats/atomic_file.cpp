// Atomic files: the old contents or the new, nothing left behind, and the code that tells a person what to do.
#include "formats/atomic_file.h"

#include <filesystem>

#include "doctest/doctest.h"
#include "formats/safetensors.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_to_write.h"

#ifdef __linux__
#include <sys/mount.h>
#include <unistd.h>
#endif

namespace namesake {
namespace {

using test::TemporaryFolder;
using test::tensor_to_write;
using Names = std::vector<std::string>;

#ifdef __linux__
/// A file system of 256 KiB in memory, where this process may mount one.
class SmallDisk {
 public:
  SmallDisk() : mounted_(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=256k") == 0) {}
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const TemporaryFolder& folder() const { return folder_; }

 private:
  TemporaryFolder folder_;
  bool mounted_;
};
#endif

}  // namespace

TEST_CASE("atomic file: replaces the old file whole, and is not there before commit") {
  const TemporaryFolder folder;
  const std::string path = folder / "名字.txt";
  REQUIRE(write_file_atomically(path, "old").ok());
  {
    Result<AtomicFile> file = AtomicFile::create(path);
    REQUIRE(file.ok());
    REQUIRE(file.value().write("new", 3).ok());
    CHECK(test::read_text(path) == "old");
  }
  CHECK(test::read_text(path) == "old");  // dropped without commit
  CHECK(folder.names() == Names{"名字.txt"});

  test::write_text(path + ".tmp", "left by a crash, longer than what follows");
  REQUIRE(write_file_atomically(path, "new").ok());
  CHECK(test::read_text(path) == "new");
  CHECK(folder.names() == Names{"名字.txt"});
}

#ifndef _WIN32
TEST_CASE("atomic file: a link where it is being written is replaced, not followed") {
  const TemporaryFolder folder;
  test::write_text(folder / "other", "somebody's");
  std::filesystem::create_symlink(folder / "other", folder / "file.tmp");
  REQUIRE(write_file_atomically(folder / "file", "new").ok());
  CHECK(test::read_text(folder / "file") == "new");
  CHECK(!std::filesystem::is_symlink(folder / "file"));
  CHECK(test::read_text(folder / "other") == "somebody's");
}
#endif

TEST_CASE("atomic file: a path that cannot be written is disk.unwritable and named") {
  const TemporaryFolder folder;
  const Status missing = write_file_atomically(folder / "absent/file", "x");
  CHECK(missing.code == Code::disk_unwritable);
  CHECK(missing.message.find("absent/file") != std::string::npos);
  test::write_text(folder / "file", "x");
  CHECK(write_file_atomically(folder / "file/inside", "x").code == Code::disk_unwritable);
  std::filesystem::create_directories(folder / "folder/full");
  CHECK(write_file_atomically(folder / "folder", "x").code == Code::disk_unwritable);
  CHECK(folder.names() == Names{"file", "folder"});
}

TEST_CASE("atomic folder: appears whole, once") {
  const TemporaryFolder folder;
  const std::string path = folder / "step-000001";
  std::filesystem::create_directories(path + ".tmp/left/by/a/crash");
  REQUIRE(begin_folder(path).ok());
  CHECK(std::filesystem::is_empty(path + ".tmp"));
  REQUIRE(write_file_atomically(path + ".tmp/a", "1").ok());
  REQUIRE(commit_folder(path + "/").ok());
  CHECK(folder.names() == Names{"step-000001"});
  CHECK(test::read_text(path + "/a") == "1");

  // A second one of the same name does not replace the first.
  REQUIRE(begin_folder(path).ok());
  REQUIRE(write_file_atomically(path + ".tmp/a", "2").ok());
  CHECK(commit_folder(path).code == Code::disk_unwritable);
  discard_folder(path);
  CHECK(folder.names() == Names{"step-000001"});
  CHECK(test::read_text(path + "/a") == "1");
  CHECK(begin_folder(folder / "absent/step").code == Code::disk_unwritable);
}

#ifdef __linux__
TEST_CASE("atomic file: a full disk is disk.full and leaves the old file") {
  const SmallDisk disk;
  if (!disk.mounted()) {
    MESSAGE("skipped: full disk (this user cannot mount a tmpfs)");
    return;
  }
  const TemporaryFolder& folder = disk.folder();
  REQUIRE(write_file_atomically(folder / "kept", "old").ok());
  const Status status = write_file_atomically(folder / "kept", std::string(1 << 20, 'x'));
  CHECK(status.code == Code::disk_full);
  CHECK(test::read_text(folder / "kept") == "old");
  const std::vector<float> values(1 << 18, 1.0f);
  CHECK(write_safetensors(folder / "adapter", {tensor_to_write("a", {1 << 18}, values.data())}, {}).code == Code::disk_full);
  CHECK(folder.names() == Names{"kept"});
  CHECK(write_safetensors(folder / "adapter", {tensor_to_write("a", {1 << 10}, values.data())}, {}).ok());  // there is room again
}

TEST_CASE("atomic file: a read-only file system is disk.unwritable") {
  const SmallDisk disk;
  if (!disk.mounted() || ::mount(nullptr, disk.folder().path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
    MESSAGE("skipped: read-only disk (this user cannot mount a tmpfs)");
    return;
  }
  CHECK(write_file_atomically(disk.folder() / "file", "x").code == Code::disk_unwritable);
  CHECK(begin_folder(disk.folder() / "folder").code == Code::disk_unwritable);
}
#endif

}  // namespace namesake
