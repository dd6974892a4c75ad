#include "cli/api_client.h"

#include <sstream>
#include <thread>

#include "cli/json_access.h"
#include "cli/limits.h"
#include "cli/platform_state.h"
#include "os/files.h"

namespace snug::cli {
namespace {

constexpr char kDefaultApi[] = "http://127.0.0.1:8080";

Code CodeFromName(std::string_view name) {
  for (int number = 1; number <= 16; ++number) {
    if (CodeName(static_cast<Code>(number)) == name) return static_cast<Code>(number);
  }
  return Code::kUnknown;
}

Code CodeFromHttp(int status) {
  switch (status) {
    case 400:
      return Code::kInvalidArgument;
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 409:
      return Code::kAlreadyExists;
    case 413:
      return Code::kResourceExhausted;
    case 503:
      return Code::kUnavailable;
    default:
      return Code::kUnknown;
  }
}

Status ErrorOf(const os::HttpResponse& response) {
  Json json = Json::parse(response.body, nullptr, false);
  const Json& error = Field(json, "error");
  std::string text = TextOf(error, "message");
  if (text.empty()) {
    return Status(CodeFromHttp(response.status),
                  fmt::format("HTTP status {}: {}", response.status, response.body.substr(0, 500)));
  }
  if (response.status == 401) text += " (give the token with --token-file FILE)";
  return Status(CodeFromName(TextOf(error, "code")), text);
}

Status CheckToken(const std::string& token, const std::string& file) {
  if (token.empty()) return InvalidArgument("{} is empty: expected a token on its first line", file);
  for (unsigned char c : token) {
    if (c <= 0x20 || c >= 0x7f)
      return InvalidArgument("{}: a token has no spaces or control characters", file);
  }
  return {};
}

// The first of the lines "TOKEN" or "NAME:TOKEN", as the controller reads them.
Result<std::string> ReadToken(const std::string& file) {
  SNUG_ASSIGN_OR_RETURN(std::string text, os::ReadFile(file, 64 << 10));
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line) && (line.empty() || line[0] == '#')) line.clear();
  line.erase(line.find_last_not_of(" \r") + 1);
  std::string token = line.substr(line.rfind(':') + 1);
  SNUG_RETURN_IF_ERROR(CheckToken(token, file));
  return token;
}

std::string UpCommand(const Globals& globals) {
  return globals.state_given ? "snug up --state " + globals.state : "snug up";
}

bool IsSupervised(const std::string& state) {
  return FindSupervisor(state).ok() || FindController(state).ok();
}

}  // namespace

std::string PercentEncode(std::string_view text) {
  std::string encoded;
  for (unsigned char c : text) {
    bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 std::string_view("-._~").find(static_cast<char>(c)) != std::string_view::npos;
    encoded += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return encoded;
}

Result<Addresses> FindAddresses(const Globals& globals) {
  if (!globals.api.empty()) return Addresses{globals.api, "", false};
  bool supervised = IsSupervised(globals.state);
  auto file = ReadControllerFile(globals.state);
  // A controller that is being restarted has not written it yet.
  for (TimePoint deadline = SystemClock().Now() + kRetryLimit;
       supervised && !file.ok() && SystemClock().Now() < deadline; file = ReadControllerFile(globals.state)) {
    std::this_thread::sleep_for(kPollPause);
  }
  if (file.ok() && !file->api.empty()) return Addresses{file->api, file->front_door, supervised};
  if (!globals.state_given) return Addresses{kDefaultApi, "", false};
  return Unavailable("the platform of {} is not running: start it with `{}`", globals.state,
                     UpCommand(globals));
}

Result<ApiClient> ApiClient::Create(const Globals& globals) {
  ApiClient client(globals);
  SNUG_ASSIGN_OR_RETURN(client.addresses_, FindAddresses(globals));
  std::string token_file = globals.token_file;
  if (token_file.empty() &&
      globals.api.empty()) {  // the platform of this state directory was started with one
    auto config = ReadConfig(globals.state);
    if (config.ok()) token_file = config->token_file;
  }
  if (!token_file.empty()) {
    SNUG_ASSIGN_OR_RETURN(client.token_, ReadToken(token_file));
  }
  return client;
}

Status ApiClient::NotReachable(const Status& status) const {
  if (!globals_.api.empty()) {
    return Unavailable("no controller answers at {} ({}): is the address right, and is the platform running?",
                       addresses_.api, status.text());
  }
  return Unavailable("the platform is not running (no answer from {}): start it with `{}`", addresses_.api,
                     UpCommand(globals_));
}

Result<os::HttpResponse> ApiClient::FetchPatiently(os::HttpRequest request, const std::string& target) const {
  auto deadline = SystemClock().Now() + kRetryLimit;
  for (;;) {
    auto response = os::Fetch(request);
    bool unreachable = !response.ok() && response.status().code() == Code::kUnavailable;
    if (!unreachable || !addresses_.supervised || SystemClock().Now() > deadline) return response;
    std::this_thread::sleep_for(kRetryPause);
    auto file = ReadControllerFile(globals_.state);  // a new controller may have another port
    if (file.ok() && !file->api.empty()) request.url = file->api + target;
  }
}

Result<Json> ApiClient::Call(os::HttpRequest request, const std::string& target, bool may_repeat) const {
  request.url = addresses_.api + target;
  if (!token_.empty()) request.headers["Authorization"] = "Bearer " + token_;
  auto response = may_repeat ? FetchPatiently(request, target) : os::Fetch(request);
  if (!response.ok()) {
    return response.status().code() == Code::kUnavailable ? NotReachable(response.status())
                                                          : response.status();
  }
  if (response->status < 200 || response->status > 299) return ErrorOf(*response);
  return ParseJson(response->body, "the controller's answer");
}

Result<Json> ApiClient::Get(const std::string& target, Duration timeout) const {
  return Call({.timeout = timeout}, target, true);
}

Result<Json> ApiClient::Send(const std::string& method, const std::string& target, const Json& body) const {
  os::HttpRequest request{.method = method, .headers = {{"Content-Type", "application/json"}}};
  if (!body.is_null()) request.body = Dump(body);
  return Call(std::move(request), target, true);
}

Result<Json> ApiClient::Upload(const std::string& target, const std::string& file) const {
  SNUG_ASSIGN_OR_RETURN(Json status, Get("/api/v1/status"));  // whether it is there, before gigabytes go out
  os::HttpRequest request{.method = "POST",
                          .headers = {{"Content-Type", "application/x-tar"}},
                          .body_file = file,
                          .timeout = std::chrono::minutes(30)};
  return Call(std::move(request), target, false);
}

Result<std::string> ApiClient::FrontDoor() const {
  if (!addresses_.front_door.empty()) return addresses_.front_door;
  SNUG_ASSIGN_OR_RETURN(Json status, Get("/api/v1/status"));
  std::string address = TextOf(status, "front_door");
  if (address.empty()) return Unavailable("the front door does not run yet: see `snug status`");
  return address;
}

}  // namespace snug::cli
