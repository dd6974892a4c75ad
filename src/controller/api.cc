#include "controller/api.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "os/files.h"
#include "repository/repository.h"

namespace snug::controller {
namespace {

constexpr int kThreads = 4;
constexpr size_t kQueueMax = 256;
constexpr std::string_view kHealth = "/healthz";
constexpr std::string_view kModels = "/api/v1/models";

net::Response Failure(const Status& status) {
  net::Response response;
  response.status = HttpStatus(status.code());
  response.body = ErrorJson(status);
  if (status.code() == Code::kUnauthenticated) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

net::Response Answer(Result<std::string> reply, int status = 200) {
  if (!reply.ok()) return Failure(reply.status());
  net::Response response;
  response.status = status;
  response.body = std::move(*reply);
  return response;
}

net::Response Text(std::string body) {
  net::Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

net::Response WrongMethod(const std::string& path, const char* allowed) {
  net::Response response = Failure(InvalidArgument("{} takes {} only", path, allowed));
  response.status = 405;
  response.headers.push_back({"Allow", allowed});
  return response;
}

Status NoSuchModel(const std::string& name) {
  return NotFound("model \"{}\" is not deployed here", name);
}

Result<int64_t> QueryNumber(const net::Request& request, const char* key, int64_t fallback, int64_t low,
                            int64_t high) {
  const auto given = std::count_if(request.query.begin(), request.query.end(),
                                   [&](const auto& pair) { return pair.first == key; });
  if (given == 0) return fallback;
  if (given > 1) return InvalidArgument("{} is given {} times", key, given);
  std::string_view text = request.Query(key);
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= low && value <= high) return value;
  return InvalidArgument("{}={}: expected a whole number from {} to {}", key, text, low, high);
}

// Deletes the file of an upload whichever way its request ends.
class FileGuard {
 public:
  explicit FileGuard(std::string path) : path_(std::move(path)) {}
  ~FileGuard() {
    if (!path_.empty() && !os::RemoveTree(path_).ok()) log::Warning("upload file not removed");
  }
  FileGuard(const FileGuard&) = delete;
  FileGuard& operator=(const FileGuard&) = delete;

 private:
  std::string path_;
};

bool Settled(State state) {
  return state == State::kReady || state == State::kFailed || state == State::kStopped ||
         state == State::kRetired;
}

}  // namespace

Api::Api(registry::Registry& registry, Reconciler& reconciler, Store& store, std::mutex& store_mutex,
         const Clock& clock, ApiOptions options)
    : registry_(registry),
      reconciler_(reconciler),
      store_(store),
      store_mutex_(store_mutex),
      clock_(clock),
      options_(std::move(options)),
      pool_(kThreads, kQueueMax) {}

Api::~Api() {
  std::lock_guard lock(waiters_mutex_);
  for (Waiter& waiter : waiters_) waiter.respond(Failure(Unavailable("the controller stops")));
}

bool Api::IsUpload(std::string_view method, std::string_view target) {
  std::string_view path = target.substr(0, target.find('?'));
  return method == "POST" && path.starts_with(kModels) && path.ends_with("/versions");
}

net::Response Api::ErrorAnswer(const Status& status) {
  return Failure(status);
}

std::optional<net::Response> Api::Admit(const net::Request& head) const {
  if (head.path == kHealth || options_.tokens.Who(head.Header("Authorization"))) return std::nullopt;
  return Failure(Error(Code::kUnauthenticated,
                       "this controller wants a token: send the header Authorization: Bearer TOKEN"));
}

void Api::Handle(net::Request&& request, net::Responder respond) {
  auto shared = std::make_shared<net::Request>(std::move(request));
  auto guard = std::make_shared<FileGuard>(shared->body_file);
  if (auto refusal = Admit(*shared)) return respond(std::move(*refusal));
  if (shared->path == kHealth) {
    const bool asks = shared->method == "GET" || shared->method == "HEAD";
    return respond(asks ? Text("ok\n") : WrongMethod(shared->path, "GET"));
  }
  std::string who = options_.tokens.Who(shared->Header("Authorization")).value_or("");
  auto taken = pool_.Add([this, shared, guard = std::move(guard), who, respond]() mutable {
    Work(*shared, who, respond, [&guard] { guard.reset(); });
  });
  if (!taken)
    respond(Failure(Error(Code::kResourceExhausted, "over {} requests wait; try again later", kQueueMax)));
}

void Api::Work(net::Request& request, const std::string& who, net::Responder& respond,
               const std::function<void()>& clean_up) {
  bool taken = false;
  net::Response response = Route(request, who, respond, &taken);
  clean_up();  // who has the answer may look
  if (!taken) respond(std::move(response));
}

net::Response Api::Route(net::Request& request, const std::string& who, net::Responder& respond,
                         bool* taken) {
  const std::string& path = request.path;
  if (path.starts_with(std::string(kModels) + "/")) {
    std::string rest = path.substr(kModels.size() + 1);
    size_t slash = rest.find('/');
    std::string part = slash == std::string::npos ? "" : rest.substr(slash + 1);
    return OnModel(request, who, rest.substr(0, slash), part, respond, taken);
  }
  bool known = path == kModels || path == "/metrics" || path == "/api/v1/status" ||
               path == "/api/v1/groups" || path == "/api/v1/servers" || path == "/api/v1/audit";
  if (!known) return Failure(NotFound("there is no {}; see api/openapi.yaml for what there is", path));
  if (request.method != "GET") return WrongMethod(path, "GET");
  if (path == "/metrics") return Text(Metrics());
  if (path == kModels) return Answer(ListModels());
  if (path == "/api/v1/status") return Answer(StatusReply());
  if (path == "/api/v1/audit") {
    auto limit = QueryNumber(request, "limit", 100, 1, 10000);
    if (!limit.ok()) return Failure(limit.status());
    auto rows = registry_.Audit(static_cast<int>(*limit));
    return rows.ok() ? Answer(AuditJson(*rows)) : Failure(rows.status());
  }
  auto tables = registry_.Load();
  if (!tables.ok()) return Failure(tables.status());
  Knowledge knowledge = reconciler_.Know();
  return Answer(path == "/api/v1/groups" ? GroupsJson(*tables, knowledge) : ServersJson(*tables, knowledge));
}

net::Response Api::OnModel(net::Request& request, const std::string& who, const std::string& name,
                           const std::string& part, net::Responder& respond, bool* taken) {
  if (Status status = repository::CheckModelName(name); !status.ok()) return Failure(status);
  const std::string& method = request.method;
  if (part.empty() && method == "GET") {
    Status error;
    *taken = WaitReady(request, name, respond, &error);
    if (!error.ok()) return Failure(error);
    return *taken ? net::Response() : Answer(GetModel(name));
  }
  if (part.empty())
    return method == "DELETE" ? Answer(DeleteModel(name, who)) : WrongMethod(request.path, "GET, DELETE");
  if (part == "versions") {
    return method == "POST" ? Answer(Deploy(request, name, who), 201) : WrongMethod(request.path, "POST");
  }
  if (part == "scale") {
    return method == "POST" ? Answer(Scale(name, request.body, who)) : WrongMethod(request.path, "POST");
  }
  if (part == "route") {
    if (method == "GET") return Answer(GetRoute(name));
    return method == "PUT" ? Answer(PutRoute(name, request.body, who))
                           : WrongMethod(request.path, "GET, PUT");
  }
  if (part == "logs") return method == "GET" ? Answer(Logs(name, request)) : WrongMethod(request.path, "GET");
  return Failure(NotFound("there is no {}; see api/openapi.yaml for what there is", request.path));
}

Api::Reply Api::GetModel(const std::string& name) {
  SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_.Load());
  const registry::ModelRow* row = tables.Model(name);
  if (row == nullptr) return NoSuchModel(name);
  return ModelJson(MakeModelView(tables, reconciler_.Know(), *row));
}

Api::Reply Api::ListModels() {
  SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_.Load());
  Knowledge knowledge = reconciler_.Know();
  std::vector<ModelView> models;
  for (const auto& row : tables.models) models.push_back(MakeModelView(tables, knowledge, row));
  return ModelsJson(models);
}

// True when the answer comes later.
bool Api::WaitReady(const net::Request& request, const std::string& name, net::Responder& respond,
                    Status* error) {
  auto wait_ms = QueryNumber(request, "wait_ready_ms", 0, 0, kWaitReadyMsMax);
  auto version = QueryNumber(request, "version", 0, 1, int64_t{1} << 53);
  for (const Status& status : {wait_ms.status(), version.status()}) {
    if (!status.ok()) *error = status;
  }
  if (!error->ok() || *wait_ms == 0) return false;
  Waiter waiter{name, *version, clock_.Now() + std::chrono::milliseconds(*wait_ms), respond};
  auto tables = registry_.Load();
  if (!tables.ok()) *error = tables.status();
  if (!error->ok() || Answered(waiter, *tables, reconciler_.Know(), false)) return error->ok();
  std::lock_guard lock(waiters_mutex_);
  if (waiters_.size() >= kWaitersMax) {
    *error =
        Error(Code::kResourceExhausted, "{} requests wait for models already; try again later", kWaitersMax);
    return false;
  }
  waiters_.push_back(std::move(waiter));
  if (options_.wake) options_.wake();
  return true;
}

bool Api::Answered(const Waiter& waiter, const registry::Tables& tables, const Knowledge& knowledge,
                   bool last) {
  const registry::ModelRow* row = tables.Model(waiter.model);
  if (row == nullptr) {
    waiter.respond(Failure(NoSuchModel(waiter.model)));
    return true;
  }
  ModelView view = MakeModelView(tables, knowledge, *row);
  State state = view.state;
  if (waiter.version != 0) {
    const VersionView* version = view.Version(waiter.version);
    if (version == nullptr) {
      waiter.respond(Failure(NotFound("model \"{}\" has no version {}", waiter.model, waiter.version)));
      return true;
    }
    state = version->state;
  }
  if (!last && !Settled(state)) return false;
  waiter.respond(Answer(ModelJson(view)));
  return true;
}

void Api::CheckWaiters() {
  std::lock_guard lock(waiters_mutex_);
  auto tables = reconciler_.tables();
  if (waiters_.empty() || tables == nullptr) return;
  Knowledge knowledge = reconciler_.Know();
  TimePoint now = clock_.Now();
  waiters_.remove_if(
      [&](const Waiter& waiter) { return Answered(waiter, *tables, knowledge, now >= waiter.deadline); });
}

Api::Reply Api::DeleteModel(const std::string& name, const std::string& who) {
  SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_.Load());
  SNUG_RETURN_IF_ERROR(registry_.DeleteModel(name, who));
  options_.wake();
  // Shown from the rows before: the loop may have finished with the real ones already.
  const registry::ModelRow* row = tables.Model(name);
  if (row == nullptr) return NoSuchModel(name);
  for (auto& version : tables.versions) {
    if (version.model == name) version.state = registry::VersionState::kDeleting;
  }
  return ModelJson(MakeModelView(tables, reconciler_.Know(), *row));
}

Api::Reply Api::Deploy(const net::Request& request, const std::string& name, const std::string& who) {
  SNUG_ASSIGN_OR_RETURN(DeployRequest wish, ParseDeployQuery(request.query));
  if (request.body_file.empty()) return InvalidArgument("expected a tar of the model's files as the body");
  SNUG_ASSIGN_OR_RETURN(Upload upload, store_.Unpack(request.body_file, options_.upload_limits));
  std::vector<std::string> warnings;
  auto version = PutVersion(upload, wish, request, name, who, &warnings);
  if (!version.ok()) {
    store_.Discard(upload);
    return version.status();
  }
  options_.wake();
  return DeployedJson(name, *version, upload, warnings);
}

// Files first, then the row: what has a row has its files, and what has none is swept at the next start.
Result<int64_t> Api::PutVersion(const Upload& upload, const DeployRequest& wish, const net::Request& request,
                                const std::string& name, const std::string& who,
                                std::vector<std::string>* warnings) {
  SNUG_ASSIGN_OR_RETURN(MergedConfig unlabelled, MergeConfig(upload.model_yaml, request.query, "", 0));
  SNUG_RETURN_IF_ERROR(CheckRunnable(unlabelled, upload.directory, options_.plugins_dir));
  if (unlabelled.labels_left_out) {
    warnings->push_back("labels in model.yaml are not taken: give the parameter label");
  }
  std::lock_guard lock(store_mutex_);
  SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_.Load());
  SNUG_ASSIGN_OR_RETURN(int64_t version, wish.version ? *wish.version : registry_.NextVersion(name));
  SNUG_ASSIGN_OR_RETURN(MergedConfig merged,
                        MergeConfig(upload.model_yaml, request.query, wish.label, version));
  registry::Deployment deployment;
  double now = clock_.WallSeconds();
  SNUG_ASSIGN_OR_RETURN(deployment.model, MergeModel(tables.Model(name), wish, name, now, tables.groups));
  deployment.version = {
      name,          version,     wish.label,    registry::VersionState::kLive,      merged.engine,
      merged.parser, merged.yaml, upload.digest, static_cast<int64_t>(upload.bytes), now};
  bool free = tables.Version(name, version) == nullptr;
  if (free) SNUG_RETURN_IF_ERROR(store_.Put(upload, name, version));
  Status status = registry_.Deploy(deployment, who);  // says what is wrong when the version is taken
  if (!status.ok() && free) (void)store_.Remove(name, version);
  SNUG_RETURN_IF_ERROR(status);
  return version;
}

Api::Reply Api::Scale(const std::string& name, const std::string& body, const std::string& who) {
  SNUG_ASSIGN_OR_RETURN(int copies, ParseScale(body));
  SNUG_RETURN_IF_ERROR(registry_.Scale(name, copies, who));
  options_.wake();
  return GetModel(name);
}

Api::Reply Api::GetRoute(const std::string& name) {
  SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_.Load());
  const registry::ModelRow* row = tables.Model(name);
  if (row == nullptr) return NoSuchModel(name);
  return RouteJson(EffectiveRoute(tables, reconciler_.Know().observed, *row));
}

Api::Reply Api::PutRoute(const std::string& name, const std::string& body, const std::string& who) {
  SNUG_ASSIGN_OR_RETURN(auto route, ParseRoute(name, body));
  SNUG_RETURN_IF_ERROR(registry_.SetRoute(name, route, who));
  options_.wake();
  return GetRoute(name);
}

Api::Reply Api::Logs(const std::string& name, const net::Request& request) {
  SNUG_ASSIGN_OR_RETURN(int64_t lines, QueryNumber(request, "lines", 100, 1, kLogLinesMax));
  SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_.Load());
  const registry::ModelRow* row = tables.Model(name);
  if (row == nullptr) return NoSuchModel(name);
  Knowledge knowledge = reconciler_.Know();
  std::map<std::string, std::string> logs;
  for (const CopyView& copy : MakeModelView(tables, knowledge, *row).copies) {
    auto server = knowledge.observed.servers.find(copy.server);
    if (server == knowledge.observed.servers.end()) continue;
    auto text = os::TailFile(server->second.log_file, static_cast<int>(lines));
    if (text.ok()) logs[copy.server] = std::move(*text);
  }
  return LogsJson({logs.begin(), logs.end()});
}

Api::Reply Api::StatusReply() {
  SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_.Load());
  Knowledge knowledge = reconciler_.Know();
  StatusView status = options_.status();
  bool front_door =
      !status.processes.empty() && status.processes[0].second.state == deploy::ProcessState::kReady;
  status.ready = reconciler_.ready() && (front_door || status.front_door.empty());
  for (const auto& [id, server] : knowledge.observed.servers)
    status.processes.push_back({id, server.process});
  for (const auto& row : tables.models) {
    ModelView view = MakeModelView(tables, knowledge, row);
    ++status.models[std::string(Name(view.state))];
    if (view.state != State::kReady && view.state != State::kStopped) {
      status.ready = false;
      if (!view.reason.empty()) status.warnings.push_back(fmt::format("model {}: {}", row.name, view.reason));
    }
  }
  status.warnings.insert(status.warnings.end(), knowledge.warnings.begin(), knowledge.warnings.end());
  return StatusJson(status);
}

std::string Api::Metrics() {
  MetricsText text;
  const ReconcileMetrics& m = reconciler_.metrics();
  text.Family("snug_reconcile_seconds", "histogram", "Duration of a reconcile round.");
  text.Sample("", m.pass_seconds);
  text.Family("snug_reconcile_failures_total", "counter", "Reconcile rounds that failed.");
  text.Sample("", static_cast<double>(m.failures.value()));
  text.Family("snug_reconcile_changes_total", "counter",
              "Changes of the registry decided by the controller.");
  text.Sample("", static_cast<double>(m.changes.value()));
  text.Family("snug_route_publications_total", "counter", "Snapshots published to the front door.");
  text.Sample("", static_cast<double>(m.publications.value()));
  Knowledge knowledge = reconciler_.Know();
  text.Family("snug_process_restarts_total", "counter",
              "Restarts of a process since the controller started.");
  auto processes = options_.status().processes;
  for (const auto& [id, server] : knowledge.observed.servers) processes.push_back({id, server.process});
  for (const auto& [id, process] : processes) {
    text.Sample(MetricLabels({{"process", id}}), static_cast<double>(process.restarts));
  }
  text.Family("snug_group_use_ratio", "gauge", "CPU used by a group, of its cores, mean of up to 24 hours.");
  for (const auto& [id, use] : knowledge.use) text.Sample(MetricLabels({{"group", id}}), use.ratio);
  if (auto tables = reconciler_.tables()) {
    std::map<std::string_view, int> states;
    for (const auto& row : tables->models) ++states[Name(MakeModelView(*tables, knowledge, row).state)];
    text.Family("snug_models", "gauge", "Models by state.");
    for (const auto& [state, count] : states) text.Sample(MetricLabels({{"state", state}}), count);
  }
  return text.Take();
}

}  // namespace snug::controller
