#include "execute/compiler.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "execute/report.h"
#include "ptx/text.h"

namespace ptxcpu {
namespace {

namespace fs = std::filesystem;

// -ffp-contract=off: a GPU fuses only what the PTX says. Signed overflow wraps and pointers may alias, as in PTX.
constexpr const char* kFlags =
    " -march=native -std=c++17 -ffp-contract=off -fno-strict-aliasing -fwrapv -fno-math-errno -fno-exceptions"
    " -fno-asynchronous-unwind-tables -fno-stack-protector -w -fPIC -shared";

std::string variable(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

/// FNV-1a with a shift that spreads high bits downwards.
std::uint64_t checksum(const std::string& bytes, std::uint64_t seed) {
  for (const unsigned char c : bytes) {
    seed = (seed ^ c) * 1099511628211ull;
    seed ^= seed >> 29;
  }
  return seed;
}

/// All of the runtime: a change of it makes every cached library stale.
std::string runtime_text() {
  std::string out;
  for (const char* name : {"abi", "arithmetic", "bits", "convert", "matrix", "memory", "module", "warp"}) {
    out += contents(fs::path(PTXCPU_SOURCE) / "runtime" / (std::string(name) + ".h"));
  }
  return out;
}

/// The flags line of /proc/cpuinfo: what -march=native means here.
std::string cpu_flags() {
  const std::string info = contents("/proc/cpuinfo");
  const std::size_t flags = info.find("flags");
  return flags == info.npos ? "" : info.substr(flags, info.find('\n', flags) - flags);
}

bool compile(const std::string& command, const std::string& translated, const fs::path& library, std::string* log) {
  const std::string unique = text("$.$", library.string(), getpid());
  const fs::path source = unique + ".cpp", object = unique + ".so", words = unique + ".log";
  std::ofstream(source) << translated;
  const std::string line = text("$ -o '$' '$' -lm 2> '$'", command, object.string(), source.string(), words.string());
  const bool done = std::system(line.c_str()) == 0;
  if (done) {
    fs::rename(object, library);
  } else {
    *log = "the C++ compiler refused translated PTX: " + contents(words).substr(0, 1500);
  }
  fs::remove(words);
  if (!std::getenv("PTXCPU_KEEP")) fs::remove(source);
  return done;
}

}  // namespace

void* compile_and_open(const std::string& translated, std::string* log) {
  const fs::path folder = variable("PTXCPU_CACHE", text("$/ptxcpu-cache-$", fs::temp_directory_path().string(), getuid()));
  fs::create_directories(folder);
  fs::permissions(folder, fs::perms::owner_all);
  const std::string command = variable("PTXCPU_CXX", "g++") + " " + variable("PTXCPU_OPT", "-O2") + kFlags + " -I'" PTXCPU_SOURCE "'";
  const std::string all = text("$|$|$|$", translated, runtime_text(), command, cpu_flags());
  const std::string key = hex(checksum(all, 14695981039346656037ull)) + hex(checksum(all, 0x123456789abcdefull)).substr(2);
  const fs::path library = folder / (key.substr(2) + ".so");
  if (!fs::exists(library)) {
    tell(text("compiling $ bytes of translated PTX", translated.size()));
    if (!compile(command, translated, library, log)) return nullptr;
  }
  static std::atomic<int> copies{0};
  const fs::path copy = folder / text("load.$.$.so", getpid(), ++copies);
  fs::copy_file(library, copy, fs::copy_options::overwrite_existing);
  void* opened = dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
  fs::remove(copy);
  if (!opened) *log = dlerror();
  return opened;
}

}  // namespace ptxcpu
