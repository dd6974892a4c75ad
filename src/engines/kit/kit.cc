#include "engines/kit/kit.h"

#include <dlfcn.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace snug::kit {

struct Options::Values {
  nlohmann::json json;
};

snug_code Fail(snug_error* error, snug_code code, const char* text) noexcept {
  std::snprintf(error->text, sizeof error->text, "%s", text);
  return code;
}

Options::Options(std::string_view json, std::initializer_list<std::string_view> known)
    : values_(std::make_unique<Values>()) {
  values_->json = nlohmann::json::parse(json, nullptr, false);
  if (!values_->json.is_object()) throw Failure(SNUG_INVALID_ARGUMENT, "options are not a JSON object");
  for (const auto& [key, value] : values_->json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    throw Failure(SNUG_INVALID_ARGUMENT,
                  fmt::format("unknown engine option \"{}\"; known: {}", key, fmt::join(known, ", ")));
  }
}

Options::~Options() = default;

int64_t Options::Integer(const char* name, int64_t otherwise, int64_t min, int64_t max) const {
  auto found = values_->json.find(name);
  if (found == values_->json.end()) return otherwise;
  if (found->is_number_integer()) {
    auto value = found->get<int64_t>();
    if (value >= min && value <= max) return value;
  }
  throw Failure(SNUG_INVALID_ARGUMENT,
                fmt::format("engine option \"{}\" must be a whole number from {} to {}, got {}", name, min,
                            max, found->dump()));
}

bool Options::Boolean(const char* name, bool otherwise) const {
  auto found = values_->json.find(name);
  if (found == values_->json.end()) return otherwise;
  if (found->is_boolean()) return found->get<bool>();
  throw Failure(SNUG_INVALID_ARGUMENT,
                fmt::format("engine option \"{}\" must be true or false, got {}", name, found->dump()));
}

std::string Options::Text(const char* name, std::string otherwise) const {
  auto found = values_->json.find(name);
  if (found == values_->json.end()) return otherwise;
  if (found->is_string()) return found->get<std::string>();
  throw Failure(SNUG_INVALID_ARGUMENT,
                fmt::format("engine option \"{}\" must be a text, got {}", name, found->dump()));
}

std::string Options::Choice(const char* name, std::string otherwise,
                            std::initializer_list<std::string_view> choices) const {
  std::string value = Text(name, std::move(otherwise));
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  throw Failure(SNUG_INVALID_ARGUMENT, fmt::format("engine option \"{}\" must be one of {}, got \"{}\"", name,
                                                   fmt::join(choices, ", "), value));
}

std::string Options::Object(const char* name) const {
  auto found = values_->json.find(name);
  if (found == values_->json.end()) return "{}";
  if (found->is_object()) return found->dump();
  throw Failure(SNUG_INVALID_ARGUMENT,
                fmt::format("engine option \"{}\" must be a map, got {}", name, found->dump()));
}

namespace {

Options::Declared DeclaredTensor(const char* option, std::string name, const nlohmann::json& about) {
  auto refuse = [option, name](const std::string& what) -> Failure {
    return {SNUG_INVALID_ARGUMENT,
            fmt::format("engine option \"{}\": \"{}\": {}; expected as in {{dtype: FP32, shape: [-1, 4]}}",
                        option, name, what)};
  };
  if (!about.is_object() || !about.contains("dtype") || !about.contains("shape"))
    throw refuse("no dtype or no shape");
  Options::Declared tensor{std::move(name), 0, {}};
  if (about["dtype"].is_string()) tensor.dtype = DTypeOfName(about["dtype"].get<std::string>());
  if (tensor.dtype == 0) throw refuse("dtype " + about["dtype"].dump() + " is no element type");
  for (const auto& dim : about["shape"]) {
    if (!dim.is_number_integer() || dim.get<int64_t>() < -1) throw refuse("shape " + about["shape"].dump());
    tensor.dims.push_back(dim.get<int64_t>());
  }
  return tensor;
}

}  // namespace

std::vector<Options::Declared> Options::Tensors(const char* name) const {
  std::vector<Declared> tensors;
  auto found = values_->json.find(name);
  if (found == values_->json.end()) return tensors;
  if (!found->is_object() && !found->is_array()) {
    throw Failure(SNUG_INVALID_ARGUMENT,
                  fmt::format("engine option \"{}\" must be a list or map of tensors", name));
  }
  for (const auto& [key, about] : found->items()) {
    const bool named =
        found->is_array() && about.is_object() && about.contains("name") && about["name"].is_string();
    tensors.push_back(DeclaredTensor(name, named ? about["name"].get<std::string>() : key, about));
  }
  return tensors;
}

void AddDeclared(const Options& options, const char* option, SpecList& specs) {
  for (auto& tensor : options.Tensors(option)) {
    specs.Add(std::move(tensor.name), tensor.dtype, std::move(tensor.dims));
  }
}

namespace {

// By snug_dtype's number.
constexpr std::string_view kDTypeNames[] = {"",       "BOOL", "UINT8", "UINT16", "UINT32",
                                            "UINT64", "INT8", "INT16", "INT32",  "INT64",
                                            "FP16",   "FP32", "FP64",  "BF16",   "BYTES"};

}  // namespace

std::string_view DTypeName(snug_dtype dtype) {
  return dtype > 0 && dtype < static_cast<snug_dtype>(std::size(kDTypeNames)) ? kDTypeNames[dtype] : "";
}

snug_dtype DTypeOfName(std::string_view name) {
  auto found = std::find(std::begin(kDTypeNames), std::end(kDTypeNames), name);
  return found == std::end(kDTypeNames) ? 0 : static_cast<snug_dtype>(found - std::begin(kDTypeNames));
}

void SpecList::Add(std::string name, snug_dtype dtype, std::vector<int64_t> dims) {
  kept_.push_back(std::make_unique<Kept>(Kept{std::move(name), std::move(dims)}));
  const Kept& kept = *kept_.back();
  specs_.push_back({kept.name.c_str(), dtype, static_cast<int32_t>(kept.dims.size()), kept.dims.data()});
}

bool SpecList::FirstIsFree() const {
  return std::all_of(kept_.begin(), kept_.end(),
                     [](const auto& k) { return !k->dims.empty() && k->dims[0] == -1; });
}

void Describe(const SpecList& inputs, const SpecList& outputs, uint64_t memory_bytes, int threads,
              const std::string& description, snug_model_info* info) {
  info->input_count = static_cast<uint32_t>(inputs.size());
  info->inputs = inputs.specs().data();
  info->output_count = static_cast<uint32_t>(outputs.size());
  info->outputs = outputs.specs().data();
  info->memory_bytes = memory_bytes;
  info->batch_is_free = inputs.FirstIsFree() && outputs.FirstIsFree();
  info->threads_per_instance = threads;
  info->description = description.c_str();
}

size_t ElementBytes(snug_dtype dtype) {
  switch (dtype) {
    case SNUG_BOOL:
    case SNUG_UINT8:
    case SNUG_INT8:
      return 1;
    case SNUG_UINT16:
    case SNUG_INT16:
    case SNUG_FP16:
    case SNUG_BF16:
      return 2;
    case SNUG_UINT32:
    case SNUG_INT32:
    case SNUG_FP32:
      return 4;
    case SNUG_UINT64:
    case SNUG_INT64:
    case SNUG_FP64:
      return 8;
    default:
      return 0;
  }
}

bool IsStatic(const std::vector<int64_t>& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t dim) { return dim >= 0; });
}

std::vector<std::string> FilesWith(const std::string& directory,
                                   std::initializer_list<std::string_view> extensions) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string extension = entry.path().extension().string();
    if (std::find(extensions.begin(), extensions.end(), extension) != extensions.end())
      found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string OneFile(const std::string& directory, std::initializer_list<std::string_view> extensions,
                    const std::string& preferred) {
  const std::vector<std::string> found = FilesWith(directory, extensions);
  std::string best = (std::filesystem::path(directory) / preferred).string();
  if (std::find(found.begin(), found.end(), best) != found.end()) return best;
  if (found.size() == 1) return found[0];
  std::string kinds;
  for (std::string_view extension : extensions) kinds.append(kinds.empty() ? "" : " or ").append(extension);
  throw Failure(SNUG_INVALID_ARGUMENT,
                directory + (found.empty() ? " holds no " : " holds several ") + kinds +
                    (found.empty() ? " file: expected " : " files: call one of them ") + preferred);
}

std::string PluginDirectory() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&PluginDirectory), &info) == 0 || info.dli_fname == nullptr) {
    throw Failure(SNUG_INTERNAL, "the plug-in does not know where it lies");
  }
  return std::filesystem::absolute(info.dli_fname).parent_path().string();
}

uint64_t PrivateBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    unsigned long long kib = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %llu kB", &kib) == 1) return kib * 1024;
  }
  return 0;
}

}  // namespace snug::kit
