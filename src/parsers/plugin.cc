#include "parsers/plugin.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace snug::parsers {
namespace {

// The part of the table that every plug-in of this ABI version has: all up to the optional end_request.
constexpr size_t kTableBytesMin = offsetof(snug_parser_api, end_request);
constexpr size_t kParserNameBytesMax = 64;
constexpr std::string_view kFileSuffix = "_parser";

Result<const snug_parser_api*> CallEntry(const std::string& origin, snug_parser_get_api_fn entry) {
  try {
    if (const snug_parser_api* table = entry(SNUG_PARSER_ABI_VERSION)) return table;
    return FailedPrecondition("parser plug-in {}: it does not serve version {} of the parser contract",
                              origin, SNUG_PARSER_ABI_VERSION);
  } catch (const std::exception& e) {
    return FailedPrecondition("parser plug-in {}: {} threw: {}", origin, SNUG_PARSER_ENTRY, e.what());
  } catch (...) {
    return FailedPrecondition("parser plug-in {}: {} threw", origin, SNUG_PARSER_ENTRY);
  }
}

Status CheckVersionAndSize(const std::string& origin, const snug_parser_api& table) {
  if (table.abi_version != SNUG_PARSER_ABI_VERSION) {
    return FailedPrecondition(
        "parser plug-in {} is built for version {} of the parser contract, this host for {}", origin,
        table.abi_version, SNUG_PARSER_ABI_VERSION);
  }
  if (table.struct_size >= kTableBytesMin) return {};
  return FailedPrecondition("parser plug-in {}: its table says {} bytes, the contract needs at least {}",
                            origin, table.struct_size, kTableBytesMin);
}

Status CheckFunctions(const std::string& origin, const snug_parser_api& api) {
  const std::pair<bool, const char*> required[] = {{api.create != nullptr, "create"},
                                                   {api.destroy != nullptr, "destroy"},
                                                   {api.parse != nullptr, "parse"},
                                                   {api.format != nullptr, "format"}};
  for (const auto& [present, function] : required) {
    if (!present) {
      return FailedPrecondition("parser plug-in {}: its table lacks the function {}", origin, function);
    }
  }
  return {};
}

bool IsParserName(std::string_view name) {
  auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kParserNameBytesMax &&
         std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

Result<std::shared_ptr<const Plugin>> Plugin::Open(const std::string& path) {
  auto library = os::SharedLibrary::Open(path);
  if (!library.ok()) return library.status().Annotate("parser plug-in");
  void* symbol = (*library)->Symbol(SNUG_PARSER_ENTRY);
  if (symbol == nullptr) {
    return FailedPrecondition("parser plug-in {} does not export {}(): is it a parser?", path,
                              SNUG_PARSER_ENTRY);
  }
  return Make(path, reinterpret_cast<snug_parser_get_api_fn>(symbol), std::move(library).value());
}

Result<std::shared_ptr<const Plugin>> Plugin::FromEntry(const std::string& origin,
                                                        snug_parser_get_api_fn entry) {
  return Make(origin, entry, nullptr);
}

Result<std::shared_ptr<const Plugin>> Plugin::Make(const std::string& origin, snug_parser_get_api_fn entry,
                                                   std::shared_ptr<const os::SharedLibrary> library) {
  SNUG_ASSIGN_OR_RETURN(const snug_parser_api* table, CallEntry(origin, entry));
  SNUG_RETURN_IF_ERROR(CheckVersionAndSize(origin, *table));
  std::shared_ptr<Plugin> plugin(new Plugin(std::move(library)));
  std::memcpy(&plugin->api_, table, std::min<size_t>(table->struct_size, sizeof plugin->api_));
  SNUG_RETURN_IF_ERROR(CheckFunctions(origin, plugin->api_));
  return std::shared_ptr<const Plugin>(std::move(plugin));
}

std::vector<std::string> ListParsers(const std::vector<std::string>& directories) {
  std::set<std::string> names;
  for (const std::string& directory : directories) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
      std::string stem = entry.path().stem();
      if (entry.path().extension() != ".so" || !stem.ends_with(kFileSuffix)) continue;
      stem.resize(stem.size() - kFileSuffix.size());
      if (IsParserName(stem)) names.insert(std::move(stem));
    }
  }
  return {names.begin(), names.end()};
}

Result<std::string> FindParser(const std::vector<std::string>& directories, const std::string& name) {
  if (IsParserName(name)) {
    for (const std::string& directory : directories) {
      std::string path = fmt::format("{}/{}{}.so", directory, name, kFileSuffix);
      if (std::error_code ignored; std::filesystem::is_regular_file(path, ignored)) return path;
    }
  }
  const std::vector<std::string> known = ListParsers(directories);
  return NotFound("there is no parser \"{}\"; there are: {} (searched {}{}.so in {})",
                  CleanText(name.c_str(), kParserNameBytesMax),
                  known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")), "NAME", kFileSuffix,
                  fmt::join(directories, ", "));
}

}  // namespace snug::parsers
