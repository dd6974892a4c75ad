#include "cli/model_call.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "cli/api_client.h"
#include "cli/exit_code.h"
#include "cli/json_access.h"
#include "cli/limits.h"
#include "cli/model_metadata.h"
#include "os/files.h"

namespace snug::cli {
namespace {

std::string ContentTypeOf(const std::string& file) {
  std::string extension = file.substr(std::min(file.rfind('.'), file.size()));
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (extension == ".png") return "image/png";
  if (extension == ".jpg" || extension == ".jpeg") return "image/jpeg";
  if (extension == ".json") return "application/json";
  if (extension == ".txt") return "text/plain";
  if (extension == ".wav") return "audio/wav";
  return "";  // the parser looks at the bytes
}

// {"inputs":[{…,"shape":…,"datatype":…},…]} is KServe v2; any other JSON is the parser's own business.
bool IsInferRequest(const std::string& bytes) {
  size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || bytes[first] != '{') return false;
  Json json = Json::parse(bytes, nullptr, false);
  const Json& inputs = ListOf(json, "inputs");
  return !inputs.empty() && std::all_of(inputs.begin(), inputs.end(), [](const Json& input) {
    return input.is_object() && input.contains("shape") && input.contains("datatype");
  });
}

Result<std::string> ReadStream(std::istream& in) {
  std::string bytes;
  std::vector<char> buffer(1 << 16);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0) {
    bytes.append(buffer.data(), static_cast<size_t>(in.gcount()));
    if (bytes.size() > kPayloadBytesMax) {
      return Error(Code::kResourceExhausted, "standard input: more than {} bytes", kPayloadBytesMax);
    }
  }
  return bytes;
}

Result<Payload> GivenPayload(const Session& session, const PredictOptions& options) {
  Payload payload;
  if (options.data) {
    payload.bytes = *options.data;
    bool json = !Json::parse(payload.bytes, nullptr, false).is_discarded();
    payload.content_type = json ? "application/json" : "text/plain";
  } else if (options.file == "-") {
    SNUG_ASSIGN_OR_RETURN(payload.bytes, ReadStream(session.terminal.in));
  } else {
    SNUG_ASSIGN_OR_RETURN(payload.bytes, os::ReadFile(options.file, kPayloadBytesMax));
    payload.content_type = ContentTypeOf(options.file);
  }
  if (!options.content_type.empty()) payload.content_type = options.content_type;
  payload.infer = IsInferRequest(payload.bytes);
  return payload;
}

std::string ErrorText(const os::HttpResponse& response) {
  Json json = Json::parse(response.body, nullptr, false);
  std::string text = TextOf(json, "error");
  if (text.empty()) text = TextOf(Field(json, "error"), "message");
  if (!text.empty()) return text;
  return fmt::format("HTTP status {}: {}", response.status, response.body.substr(0, 500));
}

Status NoFrontDoor(const std::string& door) {
  return Unavailable("no front door answers at {}: see `snug status`, or start the platform with `snug up`",
                     door);
}

Result<std::string> FindFrontDoor(const Session& session, const std::string& given) {
  if (!given.empty()) return given;
  SNUG_ASSIGN_OR_RETURN(ApiClient api, ApiClient::Create(session.globals));
  return api.FrontDoor();
}

Result<Payload> MakePayload(const Session& session, const PredictOptions& options, const std::string& door) {
  if (!options.zeros) return GivenPayload(session, options);
  auto metadata = FetchMetadata(door, options.name, options.version);
  if (metadata.status().code() == Code::kUnavailable) return NoFrontDoor(door);
  SNUG_RETURN_IF_ERROR(metadata.status());
  SNUG_ASSIGN_OR_RETURN(Json request, ZerosRequest(*metadata, options.shapes));
  return Payload{Dump(request), "application/json", true};
}

std::string PredictPath(const PredictOptions& options, const Payload& payload) {
  if (payload.infer) return ModelPath("/v2/models/", options.name, options.version) + "/infer";
  std::string url = ModelPath("/v1/predict/", options.name, options.version);
  char separator = '?';
  for (const auto& [key, value] : options.parameters) {
    url += separator + PercentEncode(key) + "=" + PercentEncode(value);
    separator = '&';
  }
  return url;
}

// What the front door refused, as exit statuses tell it: a model without a ready copy is "not ready", not
// "the platform is not running".
Status Refused(const os::HttpResponse& response, const std::string& name) {
  std::string text = ErrorText(response);
  switch (response.status) {
    case 404:
      return NotFound("{} (`snug models` lists those there are)", text);
    case 503:
      return Error(Code::kDeadlineExceeded, "{} (`snug models {}` shows how it is)", text, name);
    case 504:
      return Error(Code::kAborted, "{} (--timeout gives it longer)", text);
    case 429:
      return Error(Code::kResourceExhausted, "{}", text);
    default:
      return Error(Code::kUnknown, "{}", text);
  }
}

}  // namespace

bool HasInput(const PredictOptions& options) {
  return options.zeros || options.data || !options.file.empty();
}

int NothingToSend(const Session& session) {
  session.terminal.err
      << "snug: nothing to send: give --file FILE, --data TEXT, - for standard input, or --zeros to "
         "try the model with zeros\n";
  return kExitUsage;
}

Result<ModelCall> MakeCall(const Session& session, const PredictOptions& options) {
  ModelCall call;
  SNUG_ASSIGN_OR_RETURN(call.front_door, FindFrontDoor(session, options.front_door));
  SNUG_ASSIGN_OR_RETURN(call.payload, MakePayload(session, options, call.front_door));
  call.path = PredictPath(options, call.payload);
  return call;
}

Result<std::string> Ask(const ModelCall& call, const PredictOptions& options) {
  auto timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.timeout_seconds));
  os::HttpRequest request{.method = "POST",
                          .url = "http://" + call.front_door + call.path,
                          .body = call.payload.bytes,
                          .timeout = timeout};
  if (!call.payload.content_type.empty()) request.headers["Content-Type"] = call.payload.content_type;
  auto response = os::Fetch(request);
  if (!response.ok() && response.status().code() == Code::kUnavailable) return NoFrontDoor(call.front_door);
  if (!response.ok() && response.status().code() == Code::kDeadlineExceeded) {
    return Error(Code::kAborted, "no answer from {} within {} s (--timeout gives it longer)", options.name,
                 options.timeout_seconds);
  }
  SNUG_RETURN_IF_ERROR(response.status());
  if (response->status != 200) return Refused(*response, options.name);
  return std::move(response->body);
}

}  // namespace snug::cli
