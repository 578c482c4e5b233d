#include "translate/translator.h"

#include "ptx/text.h"
#include "translate/data.h"
#include "translate/function_body.h"

namespace ptxcpu {
namespace {

/// The table entries of one kernel: its parameters, then itself.
struct KernelTables {
  std::string params, kernels;
  std::size_t count = 0;

  void add(const Function& function, const TranslatedFunction& translated) {
    std::string list;
    std::uint64_t bytes = 0;
    for (const Parameter& param : function.params) {
      list += text("{$, $}, ", param.offset, param.size);
      bytes = param.offset + param.size;
    }
    params += text("static const ParameterInfo params_$[] = {$ {}};\n", function.cpp, list);
    kernels += text("{\"$\", $, params_$, $, $, $, $, $},\n", function.name, function.cpp, function.cpp, function.params.size(), bytes,
                    translated.shared_bytes, translated.local_bytes, function.max_threads);
    ++count;
  }
};

std::string site_table(const std::vector<int>& sites) {
  std::string out = "static const u32 site_lines[] = {";
  for (std::size_t i = 0; i < sites.size(); ++i) out += text("$,$", sites[i], i % 24 == 23 ? "\n" : "");
  return out + "0};\n";
}

}  // namespace

std::string translate(std::string_view ptx) {
  const Module module = parse(ptx);
  std::vector<int> sites;
  std::vector<std::string> unknown;
  std::string declared = address_slots(module), bodies;
  KernelTables kernels;
  for (const Function& function : module.functions) {
    if (!function.defined) continue;
    declared += signature_of(function) + ";\n";
    const TranslatedFunction translated = translate_function(module, function, sites, unknown);
    bodies += translated.cpp;
    if (function.entry) kernels.add(function, translated);
  }
  if (!unknown.empty()) {
    std::string all;
    for (const std::string& one : unknown) all += (all.empty() ? "" : "; ") + one;
    throw std::runtime_error("unknown PTX instruction: " + all);
  }
  return "#include \"runtime/module.h\"\n" + declared + bodies + variable_tables(module) + kernels.params +
         text("static const KernelInfo kernels[] = {$ {}};\n", kernels.kernels) + site_table(sites) +
         text("extern \"C\" const ModuleInfo ptxcpu_module = {variables, $, relocations, $, kernels, $, site_lines, $, &callbacks};\n",
              module.variables.size(), relocation_count(module), kernels.count, sites.size());
}

}  // namespace ptxcpu
