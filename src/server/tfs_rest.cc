#include "server/tfs_rest.h"

#include <optional>

#include "server/json_writer.h"
#include "server/tfs_call.h"
#include "server/tfs_evaluate.h"
#include "server/tfs_json.h"

namespace snug::server {
namespace {

constexpr std::string_view kPrefix = "/v1/models/";

struct Exchange {
  Core& core;
  net::Request& request;
  const net::Responder& respond;
  TfsTarget target;
  serving::RequestHead head;
};
using Action = void (*)(Exchange&);

net::Response Json(std::string body) {
  net::Response response;
  response.body = std::move(body);
  return response;
}

void Reply(const Exchange& exchange, const Status& status) {
  exchange.respond(ErrorAnswer(status));
}

net::Response Prediction(TfsFormat format, const TfsTarget& target, Result<serving::InferResponse> result) {
  if (!result.ok()) return ErrorAnswer(TfsError(result.status(), target));
  auto json = WritePredict(format, result->outputs);
  return json.ok() ? Json(*std::move(json)) : ErrorAnswer(json.status());
}

void Predict(Exchange& exchange) {
  auto body = SplitPredict(exchange.request.body);
  if (!body.ok()) return Reply(exchange, body.status());
  exchange.target.signature = body->signature;
  auto model = FindTfsModel(exchange.core, exchange.target);
  if (!model.ok()) return Reply(exchange, model.status());
  auto inputs = ReadPredict(*body, model->signature.inputs);
  if (!inputs.ok()) return Reply(exchange, inputs.status());
  serving::InferRequest request;
  static_cast<serving::RequestHead&>(request) = exchange.head;
  request.model = exchange.target.model;
  request.version = std::to_string(model->description.version);
  request.signature = exchange.target.signature;
  request.inputs = *std::move(inputs);
  exchange.core.models.Infer(std::move(request),
                             [format = body->format, target = exchange.target, respond = exchange.respond](
                                 auto result) { respond(Prediction(format, target, std::move(result))); });
}

void Examples(Exchange& exchange, std::string_view method) {
  auto body = ReadExamples(exchange.request.body);
  if (!body.ok()) return Reply(exchange, body.status());
  exchange.target.signature = body->signature;
  Evaluate(exchange.core, exchange.target, method, exchange.head, body->input,
           [respond = exchange.respond](Result<tensorflow::serving::InferenceResult> result) {
             respond(result.ok() ? Json(WriteResult(*result)) : ErrorAnswer(result.status()));
           });
}

void Classify(Exchange& exchange) {
  Examples(exchange, kClassifyMethod);
}

void Regress(Exchange& exchange) {
  Examples(exchange, kRegressMethod);
}

void ModelStatus(Exchange& exchange) {
  auto versions = TfsStatuses(exchange.core, exchange.target);
  if (!versions.ok()) return Reply(exchange, versions.status());
  JsonWriter json;
  json.BeginObject().Key("model_version_status").BeginArray();
  for (const auto& version : *versions) {
    const Status error = TfsVersionError(version);
    json.BeginObject().Key("version").Value(std::to_string(version.version));
    json.Key("state").Value(TfsStateOf(version.state).name);
    json.Key("status").BeginObject().Key("error_code").Value(CodeName(error.code()));
    json.Key("error_message").Value(error.text()).EndObject().EndObject();
  }
  json.EndArray().EndObject();
  exchange.respond(Json(json.Take()));
}

void WriteTensors(JsonWriter& json, const std::vector<TensorSpec>& specs) {
  json.BeginObject();
  for (const TensorSpec& spec : specs) {
    json.Key(spec.name).BeginObject().Key("dtype").Value(TfsTypeName(spec.dtype));
    json.Key("tensor_shape").BeginObject().Key("dim").BeginArray();
    for (int64_t dim : spec.shape)
      json.BeginObject().Key("size").Value(std::to_string(dim)).Key("name").Value("").EndObject();
    json.EndArray().Key("unknown_rank").Value(false).EndObject();
    json.Key("name").Value(spec.name).EndObject();
  }
  json.EndObject();
}

void Metadata(Exchange& exchange) {
  auto model = exchange.core.models.Describe(exchange.target.model, exchange.target.version);
  if (!model.ok()) return Reply(exchange, TfsError(model.status(), exchange.target));
  JsonWriter json;
  json.BeginObject().Key("model_spec").BeginObject();
  json.Key("name").Value(model->name).Key("signature_name").Value("");
  json.Key("version").Value(std::to_string(model->version)).EndObject();
  json.Key("metadata").BeginObject().Key("signature_def").BeginObject().Key("signature_def").BeginObject();
  for (const engine::Signature& signature : TfsSignatures(model->info)) {
    json.Key(signature.name).BeginObject().Key("inputs");
    WriteTensors(json, signature.inputs);
    json.Key("outputs");
    WriteTensors(json, signature.outputs);
    json.Key("method_name").Value(signature.method).EndObject();
  }
  json.EndObject().EndObject().EndObject().EndObject();
  exchange.respond(Json(json.Take()));
}

struct Route {
  std::string_view method;
  Action action = nullptr;
};

// What stands behind the model and its version.
Route RouteOf(std::string_view rest) {
  if (rest.empty()) return {"GET", ModelStatus};
  if (rest == "/metadata") return {"GET", Metadata};
  if (rest == ":predict") return {"POST", Predict};
  if (rest == ":classify") return {"POST", Classify};
  if (rest == ":regress") return {"POST", Regress};
  return {};
}

// The part of `path` up to the next '/' or ':'.
std::string_view TakeName(std::string_view& path) {
  const std::string_view name = path.substr(0, path.find_first_of("/:"));
  path.remove_prefix(name.size());
  return name;
}

// M[/versions/V | /labels/L]
std::optional<TfsTarget> TakeTarget(std::string_view& path) {
  TfsTarget target;
  target.model = TakeName(path);
  for (std::string_view kind : {"/versions/", "/labels/"}) {
    if (!path.starts_with(kind)) continue;
    path.remove_prefix(kind.size());
    target.version = TakeName(path);
    const bool number = target.version.find_first_not_of("0123456789") == std::string::npos;
    if (target.version == "0") {  // as over gRPC: the default one
      target.version.clear();
      break;
    }
    if (target.version.empty() || number != (kind == "/versions/")) return std::nullopt;
    break;
  }
  if (target.model.empty()) return std::nullopt;
  return target;
}

void HandleModel(Exchange& exchange, Route route) {
  const bool head = exchange.request.method == "HEAD" && route.method == "GET";
  if (route.action != nullptr && (exchange.request.method == route.method || head))
    return route.action(exchange);
  net::Response response =
      ErrorAnswer(InvalidArgument("Malformed request: {} {}; known: GET /v1/models/M[/versions/V | "
                                  "/labels/L][/metadata], POST …:predict, "
                                  "…:classify, …:regress",
                                  exchange.request.method, exchange.request.path));
  if (route.action != nullptr) {
    response.status = 405;
    response.headers.emplace_back("Allow", std::string(route.method));
  }
  exchange.respond(std::move(response));
}

}  // namespace

bool HandleTfsRest(Core& core, const TfsRestOptions& options, net::Request& request,
                   const net::Responder& respond) {
  if (!options.metrics_path.empty() && request.path == options.metrics_path) {
    net::Response response = Json(MetricsPage(core));
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    respond(std::move(response));
    return true;
  }
  if (!request.path.starts_with(kPrefix)) return false;
  std::string_view rest = std::string_view(request.path).substr(kPrefix.size());
  auto target = TakeTarget(rest);
  const Route route = target ? RouteOf(rest) : Route{};
  Exchange exchange{core, request, respond, target.value_or(TfsTarget{}), {}};
  exchange.head.arrival = request.arrival;
  exchange.head.trace = TraceParentOf(request.Header("traceparent"));
  if (options.timeout > Duration{0}) exchange.head.deadline = request.arrival + options.timeout;
  const bool waits = route.action != nullptr && route.action != ModelStatus &&
                     core.models.ComesLate(target->model, target->version);
  if (!waits) {
    HandleModel(exchange, route);
    return true;
  }
  auto held = std::make_shared<net::Request>(std::move(request));
  core.models.WhenLoaded(target->model, target->version, exchange.head.deadline, nullptr,
                         [&core, options, held, respond](const Status& loaded) {
                           if (!loaded.ok()) return respond(ErrorAnswer(loaded));
                           HandleTfsRest(core, options, *held, respond);
                         });
  return true;
}

}  // namespace snug::server
