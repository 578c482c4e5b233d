#include <map>

#include "ptx/text.h"
#include "translate/emitter.h"

namespace ptxcpu {
namespace {

/// %tid.x and its like: threads' and blocks' places and sizes, in three dimensions.
std::string dimension(const std::string& name) {
  if (name.size() < 3 || name[name.size() - 2] != '.') return "";
  const std::string base = name.substr(1, name.size() - 3);
  const int axis = name.back() - 'x';
  if (base == "clusterid" || base == "cluster_ctaid") return "0u";
  if (base == "nclusterid" || base == "cluster_nctaid") return "1u";
  if (base != "tid" && base != "ntid" && base != "ctaid" && base != "nctaid") return "";
  return axis < 0 || axis > 2 ? "0u" : text("$->$[$]", base == "tid" ? "t" : "b", base, axis);
}

}  // namespace

// PTX ISA, "Special Registers". One multiprocessor runs everything; clocks are the CPU's.
std::string special_register(const std::string& name) {
  static const std::map<std::string, std::string> table = {
      {"%laneid", "t->lane"},
      {"%warpid", "t->warp"},
      {"%nwarpid", "((b->threads + 31) / 32)"},
      {"%smid", "0u"},
      {"%nsmid", "1u"},
      {"%gridid", "1ull"},
      {"%clock", "(u32)__builtin_ia32_rdtsc()"},
      {"%clock_hi", "(u32)(__builtin_ia32_rdtsc() >> 32)"},
      {"%clock64", "(u64)__builtin_ia32_rdtsc()"},
      {"%globaltimer", "(u64)__builtin_ia32_rdtsc()"},
      {"%globaltimer_lo", "(u32)__builtin_ia32_rdtsc()"},
      {"%lanemask_eq", "(1u << t->lane)"},
      {"%lanemask_lt", "((1u << t->lane) - 1)"},
      {"%lanemask_le", "((2u << t->lane) - 1)"},
      {"%lanemask_gt", "~((2u << t->lane) - 1)"},
      {"%lanemask_ge", "~((1u << t->lane) - 1)"},
      {"%dynamic_smem_size", "b->dynamic_size"},
      {"%total_smem_size", "b->shared_size"},
      {"WARP_SZ", "32u"},
  };
  const auto found = table.find(name);
  return found == table.end() ? dimension(name) : found->second;
}

}  // namespace ptxcpu
