#include "server/warmup_files.h"

#include <memory>
#include <string_view>
#include <utility>

#include "os/files.h"
#include "server/record_file.h"
#include "server/recorded_request.h"
#include "server/rest_infer.h"

namespace snug::server {
namespace {

using Requests = std::vector<serving::WarmupRequest>;

std::string ContentTypeOf(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".png", "image/png"},  {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"},
      {".txt", "text/plain"}, {".wav", "audio/wav"},
  };
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return std::string(type);
  }
  return "application/octet-stream";
}

Status Add(serving::WarmupRequest request, std::string origin, Requests& requests) {
  if (requests.size() == kWarmupRequestsMax)
    return Error(Code::kResourceExhausted, "more than {} requests for the warm-up", kWarmupRequestsMax);
  request.origin = std::move(origin);
  requests.push_back(std::move(request));
  return {};
}

Status AddRecords(const std::string& path, std::string_view file, Requests& requests) {
  RecordReader records(file);
  for (size_t number = 1;; ++number) {
    const std::string origin = fmt::format("{}, record {}", path, number);
    auto record = records.Next();
    if (!record.ok()) return record.status().Annotate(origin);
    if (!record->has_value()) return {};
    auto request = DecodeRecorded(**record);
    if (!request.ok()) return request.status().Annotate(origin);
    SNUG_RETURN_IF_ERROR(Add(*std::move(request), origin, requests));
  }
}

Status AddFile(const std::string& path, Requests& requests) {
  SNUG_ASSIGN_OR_RETURN(std::string content, os::ReadFile(path, kWarmupFileBytesMax));
  if (path.ends_with(".records")) return AddRecords(path, content, requests);
  serving::WarmupRequest request;
  if (path.ends_with(".json")) {
    auto infer = DecodeInfer(std::make_shared<std::string>(std::move(content)), "");
    if (!infer.ok()) return infer.status().Annotate(path);
    request.inputs = std::move(infer->inputs);
  } else {
    request.is_payload = true;
    request.content_type = ContentTypeOf(path);
    request.payload = std::move(content);
  }
  return Add(std::move(request), path, requests);
}

}  // namespace

Result<Requests> ReadWarmupFiles(const std::string& directory) {
  const std::string warmup = directory + "/warmup";
  Requests requests;
  if (!os::IsDirectory(warmup)) return requests;
  SNUG_ASSIGN_OR_RETURN(const std::vector<std::string> names, os::ListDir(warmup));
  for (const std::string& name : names) {
    if (!name.starts_with('.')) SNUG_RETURN_IF_ERROR(AddFile(warmup + "/" + name, requests));
  }
  return requests;
}

}  // namespace snug::server
