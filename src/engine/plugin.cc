#include "engine/plugin.h"

#include <dlfcn.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <filesystem>
#include <set>

#include "engine/checks.h"

namespace snug::engine {
namespace {

// The part of the table that every plug-in of this ABI version has: all up to `recognises`.
constexpr size_t kTableBytesMin = offsetof(snug_engine_api, recognises);
constexpr size_t kEngineNameBytesMax = 64;

Result<const snug_engine_api*> CallEntry(const std::string& path, void* symbol) {
  try {
    auto entry = reinterpret_cast<snug_engine_get_api_fn>(symbol);
    if (const snug_engine_api* table = entry(SNUG_ENGINE_ABI_VERSION)) return table;
    return FailedPrecondition("engine plug-in {}: it does not serve version {} of the engine contract", path,
                              SNUG_ENGINE_ABI_VERSION);
  } catch (const std::exception& e) {
    return FailedPrecondition("engine plug-in {}: {} threw: {}", path, SNUG_ENGINE_ENTRY, e.what());
  } catch (...) {
    return FailedPrecondition("engine plug-in {}: {} threw", path, SNUG_ENGINE_ENTRY);
  }
}

bool IsEngineName(const std::string& name) {
  bool safe = std::all_of(name.begin(), name.end(),
                          [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
  return safe && !name.empty() && name.size() <= kEngineNameBytesMax && !name.starts_with("lib") &&
         !name.ends_with("_parser");
}

// The engine's own library is not where the plug-in was told to look.
const char* Hint(std::string_view error) {
  if (error.find("cannot open shared object file") == std::string_view::npos) return "";
  return "; make the engines' environment with tools/setup/venvs.sh runtime, or name the library's folder in "
         "LD_LIBRARY_PATH";
}

}  // namespace

Result<std::shared_ptr<const Plugin>> Plugin::Open(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    std::string error = dlerror();
    return FailedPrecondition("engine plug-in {} cannot be opened: {}{}", path, error, Hint(error));
  }
  void* symbol = dlsym(library, SNUG_ENGINE_ENTRY);
  if (symbol == nullptr) {
    return FailedPrecondition("engine plug-in {} does not export {}(): is it an engine?", path,
                              SNUG_ENGINE_ENTRY);
  }
  SNUG_ASSIGN_OR_RETURN(const snug_engine_api* table, CallEntry(path, symbol));
  std::shared_ptr<Plugin> plugin(new Plugin);
  SNUG_RETURN_IF_ERROR(plugin->Check(path, *table));
  return std::shared_ptr<const Plugin>(plugin);
}

Status Plugin::Check(const std::string& path, const snug_engine_api& table) {
  if (table.abi_version != SNUG_ENGINE_ABI_VERSION) {
    return FailedPrecondition(
        "engine plug-in {} is built for version {} of the engine contract, this host for {}", path,
        table.abi_version, SNUG_ENGINE_ABI_VERSION);
  }
  if (table.struct_size < kTableBytesMin) {
    return FailedPrecondition("engine plug-in {}: its table says {} bytes, the contract needs at least {}",
                              path, table.struct_size, kTableBytesMin);
  }
  std::memcpy(&api_, &table, std::min<size_t>(table.struct_size, sizeof api_));
  const std::pair<bool, const char*> required[] = {{api_.create != nullptr, "create"},
                                                   {api_.destroy != nullptr, "destroy"},
                                                   {api_.load != nullptr, "load"},
                                                   {api_.unload != nullptr, "unload"},
                                                   {api_.describe != nullptr, "describe"},
                                                   {api_.create_instance != nullptr, "create_instance"},
                                                   {api_.destroy_instance != nullptr, "destroy_instance"},
                                                   {api_.execute != nullptr, "execute"}};
  for (const auto& [present, function] : required) {
    if (!present)
      return FailedPrecondition("engine plug-in {}: its table lacks the function {}", path, function);
  }
  name_ = CleanText(api_.name, kEngineNameBytesMax);
  version_ = CleanText(api_.version, kEngineNameBytesMax);
  if (name_.empty()) return FailedPrecondition("engine plug-in {} does not say its name", path);
  return {};
}

std::vector<std::string> ListPlugins(const std::vector<std::string>& directories) {
  std::set<std::string> names;
  for (const std::string& directory : directories) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
      if (entry.path().extension() == ".so" && IsEngineName(entry.path().stem()))
        names.insert(entry.path().stem());
    }
  }
  return {names.begin(), names.end()};
}

Result<std::string> FindPlugin(const std::vector<std::string>& directories, const std::string& name) {
  if (IsEngineName(name)) {
    for (const std::string& directory : directories) {
      std::string path = directory + "/" + name + ".so";
      if (std::error_code ignored; std::filesystem::is_regular_file(path, ignored)) return path;
    }
  }
  return NotFound("there is no engine \"{}\"; there are: {} (searched in {})",
                  CleanText(name.c_str(), kEngineNameBytesMax), fmt::join(ListPlugins(directories), ", "),
                  fmt::join(directories, ", "));
}

}  // namespace snug::engine
