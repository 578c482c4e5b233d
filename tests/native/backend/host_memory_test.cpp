// What this machine can still give, read from made-up /proc and /sys trees.
#include "backend/host_memory.h"

#if defined(__linux__)
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "doctest/doctest.h"
#include "formats/temporary_folder.h"
#include "namesake/model.h"

namespace namesake::test {

namespace {

constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();

/// A system tree of a test.
class Tree {
 public:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = folder_ / path;
    std::filesystem::create_directories(file.parent_path());
    write_text(file.string(), text);
  }
  std::uint64_t available() const { return available_host_memory(folder_.path()); }

 private:
  TemporaryFolder folder_;
};

void free_kilobytes(Tree& tree, const std::string& kilobytes) {
  tree.write("proc/meminfo", "MemTotal:       32000 kB\nMemFree:         1000 kB\nMemAvailable:   " + kilobytes + " kB\n");
}

}  // namespace

TEST_CASE("without limits it is MemAvailable; without a tree it is unknown") {
  Tree tree;
  CHECK(tree.available() == kUnknown);
  free_kilobytes(tree, "20000");
  CHECK(tree.available() == 20000 * 1024);
}

TEST_CASE("cgroup v2: the tightest of a group and its parents; file pages that can go do not count as used") {
  Tree tree;
  free_kilobytes(tree, "20000");
  tree.write("proc/self/cgroup", "0::/app/job\n");
  const std::string app = "sys/fs/cgroup/app/", job = app + "job/";
  tree.write(job + "memory.max", "max\n");
  tree.write(job + "memory.current", "5000000\n");
  CHECK(tree.available() == 20000 * 1024);
  tree.write(app + "memory.max", "9000000\n");
  tree.write(app + "memory.current", "5000000\n");
  CHECK(tree.available() == 4000000);
  tree.write(app + "memory.stat", "anon 100\ninactive_file 1000000\n");
  CHECK(tree.available() == 5000000);
  tree.write(job + "memory.max", "5500000\n");
  CHECK(tree.available() == 500000);
  tree.write(job + "memory.current", "6000000\n");
  CHECK(tree.available() == 0);
}

TEST_CASE("cgroup v1, and a container whose path does not exist below its mount") {
  Tree tree;
  free_kilobytes(tree, "20000");
  tree.write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n");
  const std::string mount = "sys/fs/cgroup/memory/";
  tree.write(mount + "memory.limit_in_bytes", "8000000\n");
  tree.write(mount + "memory.usage_in_bytes", "3000000\n");
  tree.write(mount + "memory.stat", "cache 7\ninactive_file 1\ntotal_inactive_file 500000\n");
  CHECK(tree.available() == 5500000);
  tree.write(mount + "docker/abc/memory.limit_in_bytes", "4000000\n");
  tree.write(mount + "docker/abc/memory.usage_in_bytes", "3000000\n");
  CHECK(tree.available() == 1000000);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("RLIMIT_AS: what the limit leaves is available, and more is refused before it is allocated") {
  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const std::uint64_t room = std::uint64_t{256} << 20;
  rlimit tight = before;
  tight.rlim_cur = pages * 4096 + room;
  REQUIRE(setrlimit(RLIMIT_AS, &tight) == 0);
  const std::uint64_t available = available_host_memory();
  setrlimit(RLIMIT_AS, &before);
  CHECK(available <= room);
  CHECK(available > room / 2);
}
#endif

}  // namespace namesake::test
#endif
