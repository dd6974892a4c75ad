#include "server/rest_service.h"

#include <array>
#include <optional>

#include "server/repository_call.h"
#include "server/rest_documents.h"
#include "server/rest_infer.h"
#include "server/rest_settings.h"
#include "server/rest_shared_memory.h"

namespace snug::server {
namespace {

constexpr std::string_view kKnownPaths =
    "GET /v2, /v2/health/live, /v2/health/ready, /v2/models/stats, /v2/snug/slowest, "
    "/v2/models/{model}[/versions/{version}][/ready | /config | /stats], /metrics; "
    "POST /v2/models/{model}[/versions/{version}]/infer, /v1/predict/{model}[/versions/{version}], "
    "/v2/repository/index, /v2/repository/models/{model}/load, …/unload; "
    "/v2/systemsharedmemory[/region/{region}]/status, …/register, …/unregister; "
    "/v2/logging, /v2[/models/{model}]/trace/setting";
constexpr size_t kSegmentsMax = 8;

struct Exchange {
  Core& core;
  net::Request request;
  const net::Responder& respond;
  std::string model;
  std::string version;
};
using Action = void (*)(Exchange&);

struct Route {
  std::string_view method;
  Action action = nullptr;
};

net::Response Json(std::string body) {
  net::Response response;
  response.body = std::move(body);
  return response;
}

void Reply(const Exchange& exchange, const Status& status) {
  exchange.respond(ErrorAnswer(status));
}

void Live(Exchange& exchange) {
  exchange.respond(Json(R"({"live":true})"));
}

void ServerReady(Exchange& exchange) {
  const bool ready = exchange.core.Ready();
  net::Response response = Json(ready ? R"({"ready":true})" : R"({"ready":false})");
  response.status = ready ? 200 : 503;
  exchange.respond(std::move(response));
}

void ServerMetadata(Exchange& exchange) {
  exchange.respond(Json(ServerMetadataJson(exchange.core)));
}

void Metrics(Exchange& exchange) {
  net::Response response = Json(MetricsPage(exchange.core));
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  exchange.respond(std::move(response));
}

void Slowest(Exchange& exchange) {
  exchange.respond(Json(SlowestJson(exchange.core.models.Slowest())));
}

void ModelReady(Exchange& exchange) {
  Status status = exchange.core.models.Ready(exchange.model, exchange.version);
  if (!status.ok()) return Reply(exchange, status);
  exchange.respond(Json(R"({"ready":true})"));
}

template <std::string (*Document)(const serving::ModelDescription&)>
void Describe(Exchange& exchange) {
  auto answer = [&core = exchange.core, model = exchange.model, version = exchange.version,
                 respond = exchange.respond](const Status& loaded) {
    auto description =
        loaded.ok() ? core.models.Describe(model, version) : Result<serving::ModelDescription>(loaded);
    respond(description.ok() ? Json(Document(*description)) : ErrorAnswer(description.status()));
  };
  exchange.core.models.WhenLoaded(exchange.model, exchange.version, TimePoint::max(), nullptr, answer);
}

void Statistics(Exchange& exchange) {
  auto numbers = exchange.core.models.Statistics(exchange.model, exchange.version);
  if (!numbers.ok()) return Reply(exchange, numbers.status());
  exchange.respond(Json(StatisticsJson(*numbers)));
}

void Index(Exchange& exchange) {
  auto call = ParseRepositoryCall(exchange.request.body);
  if (!call.ok()) return Reply(exchange, call.status());
  exchange.respond(Json(IndexJson(RepositoryIndex(exchange.core, call->only_ready))));
}

template <void (*Change)(serving::ModelManager&, const std::string&, RepositoryCall,
                         serving::ModelManager::Done)>
void ChangeModel(Exchange& exchange) {
  Status allowed = CheckControl(exchange.core);
  if (!allowed.ok()) return Reply(exchange, allowed);
  auto call = ParseRepositoryCall(exchange.request.body);
  if (!call.ok()) return Reply(exchange, call.status());
  Change(exchange.core.models, exchange.model, *std::move(call),
         [respond = exchange.respond](const Status& status) {
           respond(status.ok() ? Json("{}") : ErrorAnswer(status));
         });
}

net::Response InferResponse(const Core& core, const RestInferRequest& request,
                            Result<serving::InferResponse> result) {
  if (!result.ok()) return ErrorAnswer(result.status());
  auto placed = FinishOutputs(core, request.extras, *result);
  if (!placed.ok()) return ErrorAnswer(placed.status());
  auto answer = EncodeInfer(request, *std::move(result), *placed);
  if (!answer.ok()) return ErrorAnswer(answer.status());
  net::Response response = Json(std::move(answer->json));
  if (answer->binary.empty()) return response;
  response.content_type = "application/octet-stream";
  response.headers.emplace_back("Inference-Header-Content-Length", std::to_string(response.body.size()));
  for (std::string_view tensor : answer->binary) response.tail.emplace_back(tensor, answer->owner);
  return response;
}

void Infer(Exchange& exchange) {
  auto body = std::make_shared<std::string>(std::move(exchange.request.body));
  auto decoded = DecodeInfer(body, exchange.request.Header("Inference-Header-Content-Length"));
  if (!decoded.ok()) return Reply(exchange, decoded.status());
  auto call = std::make_shared<RestInferRequest>(*std::move(decoded));
  Status read = ReadSharedInputs(exchange.core.shared_memory, call->extras, call->inputs);
  if (!read.ok()) return Reply(exchange, read);
  serving::InferRequest request;
  request.model = std::move(exchange.model);
  request.version = std::move(exchange.version);
  request.arrival = exchange.request.arrival;
  request.trace = TraceParentOf(exchange.request.Header("traceparent"));
  request.deadline = WithTimeout(TimePoint::max(), request.arrival, call->timeout_us);
  request.priority = PriorityOf(call->priority);
  request.sequence = std::move(call->sequence);
  request.inputs = std::move(call->inputs);
  request.outputs = call->outputs;
  auto trace = exchange.core.tracer->Begin(request, call->id, "rest", exchange.request.Header("traceparent"));
  exchange.core.models.Infer(std::move(request),
                             [&core = exchange.core, call, trace, respond = exchange.respond](auto result) {
                               Status status = result.status();
                               auto response = InferResponse(core, *call, std::move(result));
                               if (trace) trace->End(status, SystemClock().Now());
                               respond(std::move(response));
                             });
}

net::Response PredictResponse(Result<serving::PredictResponse> result) {
  if (!result.ok()) return ErrorAnswer(result.status());
  net::Response response;
  response.body = std::move(result->payload);
  response.content_type = std::move(result->content_type);
  response.headers.emplace_back("x-snug-model-version", std::to_string(result->version));
  return response;
}

// curl calls every body a form; for a payload that says nothing, and the parser looks at the bytes.
std::string PayloadType(std::string_view content_type) {
  return content_type.starts_with("application/x-www-form-urlencoded") ? "" : std::string(content_type);
}

void Predict(Exchange& exchange) {
  auto body = std::make_shared<std::string>(std::move(exchange.request.body));
  serving::PredictRequest request;
  request.model = std::move(exchange.model);
  request.version = std::move(exchange.version);
  request.arrival = exchange.request.arrival;
  request.trace = TraceParentOf(exchange.request.Header("traceparent"));
  request.content_type = PayloadType(exchange.request.Header("Content-Type"));
  request.payload = *body;
  request.payload_owner = body;
  for (auto& [key, value] : exchange.request.query)
    request.parameters.insert_or_assign(std::move(key), std::move(value));
  auto trace = exchange.core.tracer->Begin(request, "", "rest", exchange.request.Header("traceparent"));
  exchange.core.models.Predict(std::move(request), [trace, respond = exchange.respond](auto result) {
    if (trace) trace->End(result.status(), SystemClock().Now());
    respond(PredictResponse(std::move(result)));
  });
}

// What answers at once with a document, to the name in the path (may be empty) and the body.
template <Result<std::string> (*Answer)(Core&, const std::string&, const std::string&)>
void Answered(Exchange& exchange) {
  auto document = Answer(exchange.core, exchange.model, exchange.request.body);
  if (!document.ok()) return Reply(exchange, document.status());
  exchange.respond(Json(*std::move(document)));
}

struct Segments {
  std::array<std::string_view, kSegmentsMax> at;
  size_t count = 0;
  bool Is(size_t i, std::string_view text) const { return i < count && at[i] == text; }
};

std::optional<Segments> Split(std::string_view path) {
  Segments segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t length = std::min(path.find('/'), path.size());
    if (length == 0 && path.empty()) break;  // a slash at the end
    if (length == 0 || segments.count == kSegmentsMax) return std::nullopt;
    segments.at[segments.count++] = path.substr(0, length);
    path.remove_prefix(length);
  }
  return segments;
}

// …/{model}[/versions/{version}] from segment `at` on; returns the next segment's index.
size_t TakeModel(const Segments& segments, size_t at, Exchange& exchange) {
  exchange.model = segments.at[at++];
  if (segments.Is(at, "versions") && at + 1 < segments.count) {
    exchange.version = segments.at[at + 1];
    at += 2;
  }
  return at;
}

// Settings: GET shows, POST changes and shows.
Route GetOrPost(const Exchange& exchange, Action action) {
  const std::string& method = exchange.request.method;
  if (method == "POST") return {"POST", action};
  return {method == "GET" || method == "HEAD" ? "GET" : "GET, POST", action};
}

Route ModelRoute(const Segments& segments, Exchange& exchange) {
  if (segments.count == 3 && segments.Is(2, "stats")) return {"GET", Statistics};
  const size_t at = TakeModel(segments, 2, exchange);
  if (at == segments.count) return {"GET", Describe<ModelMetadataJson>};
  if (at + 2 == segments.count && segments.Is(at, "trace") && segments.Is(at + 1, "setting"))
    return GetOrPost(exchange, Answered<TraceDocument>);
  if (at + 1 != segments.count) return {};
  const std::string_view what = segments.at[at];
  if (what == "infer") return {"POST", Infer};
  if (what == "ready") return {"GET", ModelReady};
  if (what == "config") return {"GET", Describe<ModelConfigJson>};
  if (what == "stats") return {"GET", Statistics};
  return {};
}

Route RepositoryRoute(const Segments& segments, Exchange& exchange) {
  if (segments.count == 3 && segments.Is(2, "index")) return {"POST", Index};
  if (segments.count != 5 || !segments.Is(2, "models")) return {};
  exchange.model = segments.at[3];
  if (segments.Is(4, "load")) return {"POST", ChangeModel<LoadModel>};
  if (segments.Is(4, "unload")) return {"POST", ChangeModel<UnloadModel>};
  return {};
}

// …sharedmemory[/region/{region}]/{what}
Route SharedMemoryRoute(const Segments& segments, Exchange& exchange) {
  size_t at = 2;
  if (segments.Is(2, "region") && segments.count == 5) {
    exchange.model = segments.at[3];
    at = 4;
  }
  if (at + 1 != segments.count) return {};
  const bool cuda = segments.Is(1, "cudasharedmemory");
  const std::string_view what = segments.at[at];
  if (what == "status")
    return {"GET", cuda ? Answered<CudaSharedMemoryStatus> : Answered<SystemSharedMemoryStatus>};
  if (what == "register" && at == 4)
    return {"POST", cuda ? Answered<CudaSharedMemoryRegister> : Answered<SystemSharedMemoryRegister>};
  if (what == "unregister")
    return {"POST", cuda ? Answered<CudaSharedMemoryUnregister> : Answered<SystemSharedMemoryUnregister>};
  return {};
}

Route HealthRoute(const Segments& segments) {
  if (segments.count != 3) return {};
  if (segments.Is(2, "live")) return {"GET", Live};
  if (segments.Is(2, "ready")) return {"GET", ServerReady};
  return {};
}

Route FindRoute(const Segments& segments, Exchange& exchange) {
  if (segments.count == 1 && segments.Is(0, "v2")) return {"GET", ServerMetadata};
  if (segments.count == 1 && segments.Is(0, "metrics")) return {"GET", Metrics};
  if (segments.count == 3 && segments.Is(0, "v2") && segments.Is(1, "snug") && segments.Is(2, "slowest"))
    return {"GET", Slowest};
  if (segments.Is(0, "v2") && segments.Is(1, "health")) return HealthRoute(segments);
  if (segments.Is(0, "v2") && segments.Is(1, "logging") && segments.count == 2)
    return GetOrPost(exchange, Answered<LoggingDocument>);
  if (segments.Is(0, "v2") && segments.Is(1, "trace") && segments.Is(2, "setting") && segments.count == 3)
    return GetOrPost(exchange, Answered<TraceDocument>);
  if (segments.Is(0, "v2") && segments.Is(1, "models") && segments.count > 2)
    return ModelRoute(segments, exchange);
  if (segments.Is(0, "v2") && segments.Is(1, "repository")) return RepositoryRoute(segments, exchange);
  if (segments.Is(0, "v2") && (segments.Is(1, "systemsharedmemory") || segments.Is(1, "cudasharedmemory")))
    return SharedMemoryRoute(segments, exchange);
  if (segments.Is(0, "v1") && segments.Is(1, "predict") && segments.count > 2) {
    if (TakeModel(segments, 2, exchange) == segments.count) return {"POST", Predict};
  }
  return {};
}

net::Response MethodNotAllowed(const net::Request& request, std::string_view allowed) {
  net::Response response =
      ErrorAnswer(InvalidArgument("{} takes {}, not {}", request.path, allowed, request.method));
  response.status = 405;
  response.headers.emplace_back("Allow", std::string(allowed));
  return response;
}

}  // namespace

void HandleRest(Core& core, net::Request&& request, const net::Responder& respond) {
  Exchange exchange{core, std::move(request), respond, {}, {}};
  const auto segments = Split(exchange.request.path);
  const Route route = segments ? FindRoute(*segments, exchange) : Route{};
  if (route.action == nullptr) {
    return Reply(exchange,
                 NotFound("there is nothing at {}; known paths: {}", exchange.request.path, kKnownPaths));
  }
  const bool head = exchange.request.method == "HEAD" && route.method == "GET";
  if (exchange.request.method != route.method && !head) {
    return respond(MethodNotAllowed(exchange.request, route.method));
  }
  route.action(exchange);
}

}  // namespace snug::server
