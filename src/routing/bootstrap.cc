#include "routing/bootstrap.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace snug::routing {
namespace {

using nlohmann::json;

constexpr const char* kType = "@type";
constexpr const char* kAdsCluster = "snug_controller";    // model clusters are "g/…" and "r/…"
constexpr const char* kClusterHeader = "x-snug-cluster";  // written by front_door_module.cc
constexpr const char* kTargetHeader = "x-snug-target";    // likewise: `model "ocr"`; goes to the copy, too
constexpr int kStreamWindowBytes = 1 << 20;
constexpr int kConnectionWindowBytes = 16 << 20;
constexpr int kStreamsPerConnectionMax = 1000;

std::string TypeUrl(const char* name) {
  return std::string("type.googleapis.com/") + name;
}

json SocketAddress(const std::string& address, uint16_t port) {
  return {{"socket_address", {{"address", address}, {"port_value", port}}}};
}

json Ads(bool wait_forever) {
  json source = {{"ads", json::object()}, {"resource_api_version", "V3"}};
  // Until the controller has said what is deployed, the listener stays closed: better than NOT_FOUND for
  // everything.
  if (wait_forever) source["initial_fetch_timeout"] = "0s";
  return source;
}

json DynamicResources() {
  json grpc = {{"cluster_name", kAdsCluster},
               // Reconnect soon after the controller's restart (the default waits up to 30 s).
               {"retry_policy", {{"retry_back_off", {{"base_interval", "0.05s"}, {"max_interval", "1s"}}}}}};
  return {{"ads_config",
           {{"api_type", "DELTA_GRPC"},
            {"transport_api_version", "V3"},
            {"grpc_services", json::array({{{"envoy_grpc", grpc}}})}}},
          {"cds_config", Ads(true)}};
}

json AdsCluster(const BootstrapOptions& options) {
  json endpoint = {{"endpoint", {{"address", SocketAddress(options.ads_address, options.ads_port)}}}};
  json http2 = {{"connection_keepalive", {{"interval", "30s"}, {"timeout", "5s"}}}};
  json protocol = {{kType, TypeUrl("envoy.extensions.upstreams.http.v3.HttpProtocolOptions")},
                   {"explicit_http_config", {{"http2_protocol_options", http2}}}};
  return {{"name", kAdsCluster},
          {"type", "STATIC"},
          {"connect_timeout", "1s"},
          {"load_assignment",
           {{"cluster_name", kAdsCluster},
            {"endpoints", json::array({{{"lb_endpoints", json::array({endpoint})}}})}}},
          {"typed_extension_protocol_options",
           {{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions", protocol}}}};
}

// ---- texts of Envoy's own answers
// ------------------------------------------------------------------------------

json WithFlags(std::vector<std::string> flags) {
  return {{"response_flag_filter", {{"flags", std::move(flags)}}}};
}

json IsGrpc() {
  return {{"header_filter",
           {{"header", {{"name", "content-type"}, {"string_match", {{"prefix", "application/grpc"}}}}}}}};
}

json BothOf(const json& a, const json& b) {
  return {{"and_filter", {{"filters", json::array({a, b})}}}};
}

json RestBody(const std::string& text) {
  return {{"json_format", {{"error", text}}}};
}
json GrpcBody(const std::string& text) {
  return {{"text_format_source", {{"inline_string", text}}}};
}

// The first mapper that fits is taken: for each text one for gRPC (grpc-message) and one for REST (JSON).
void AddText(json& mappers, const std::vector<std::string>& flags, const std::string& text, int status = 0) {
  json grpc = {{"filter", BothOf(WithFlags(flags), IsGrpc())}, {"body_format_override", GrpcBody(text)}};
  json rest = {{"filter", WithFlags(flags)}, {"body_format_override", RestBody(text)}};
  if (status != 0) grpc["status_code"] = rest["status_code"] = status;
  mappers.push_back(grpc);
  mappers.push_back(rest);
}

json LocalReplies() {
  const std::string target = fmt::format("%REQ({})%", kTargetHeader);
  json mappers = json::array();
  AddText(mappers, {"NC"}, target + " is not deployed here");
  AddText(mappers, {"UH"}, target + " has no ready copy yet");
  AddText(mappers, {"UO"}, target + " has more requests under way than the front door carries for one model",
          429);
  AddText(mappers, {"UF", "UC", "UR", "LR", "URX"}, target + ": no copy answered: %LOCAL_REPLY_BODY%");
  // What is left, refusals of the module among it: gRPC keeps its text, REST gets JSON.
  json plain = GrpcBody("%LOCAL_REPLY_BODY%");
  mappers.push_back({{"filter", IsGrpc()}, {"body_format_override", plain}});
  json any_status = {{"value", {{"default_value", 400}, {"runtime_key", "snug.local_reply"}}}, {"op", "GE"}};
  mappers.push_back({{"filter", {{"status_code_filter", {{"comparison", any_status}}}}},
                     {"body_format_override", RestBody("%LOCAL_REPLY_BODY%")}});
  return {{"mappers", mappers}};
}

// ---- the listener
// -----------------------------------------------------------------------------------------------

json HttpFilters() {
  json module = {{kType, TypeUrl("envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter")},
                 {"dynamic_module_config", {{"name", "snugroute"}, {"do_not_close", true}}},
                 {"filter_name", "route"},
                 {"filter_config", {{kType, TypeUrl("google.protobuf.StringValue")}, {"value", ""}}}};
  json router = {{kType, TypeUrl("envoy.extensions.filters.http.router.v3.Router")},
                 {"suppress_envoy_headers", true}};
  return json::array({{{"name", "snug.route"}, {"typed_config", module}},
                      {{"name", "envoy.filters.http.router"}, {"typed_config", router}}});
}

json RouteConfig(const BootstrapOptions& options) {
  json route = {{"cluster_header", kClusterHeader},
                {"cluster_not_found_response_code", "NOT_FOUND"},
                {"timeout", "0s"}};  // deadlines are the clients' (grpc-timeout) and the model server's
  json host = {{"name", "models"},
               {"domains", json::array({"*"})},
               {"request_body_buffer_limit", options.retry_body_bytes_max},
               {"request_headers_to_remove", json::array({kClusterHeader})},
               {"routes", json::array({{{"match", {{"prefix", "/"}}}, {"route", route}}})}};
  return {{"name", "models"}, {"virtual_hosts", json::array({host})}};
}

json AccessLog(const std::string& path) {
  json fields = {{"time", "%START_TIME%"},
                 {"path", "%REQ(:PATH)%"},
                 {"target", fmt::format("%REQ({})%", kTargetHeader)},
                 {"code", "%RESPONSE_CODE%"},
                 {"grpc_status", "%GRPC_STATUS(SNAKE_STRING)%"},
                 {"flags", "%RESPONSE_FLAGS%"},
                 {"details", "%RESPONSE_CODE_DETAILS%"},
                 {"ms", "%DURATION%"},
                 {"bytes_in", "%BYTES_RECEIVED%"},
                 {"bytes_out", "%BYTES_SENT%"},
                 {"copy", "%UPSTREAM_HOST%"},
                 {"attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"}};
  json config = {{kType, TypeUrl("envoy.extensions.access_loggers.file.v3.FileAccessLog")},
                 {"path", path},
                 {"log_format", {{"json_format", fields}}}};
  return json::array({{{"name", "envoy.access_loggers.file"}, {"typed_config", config}}});
}

json ConnectionManager(const BootstrapOptions& options) {
  json manager = {
      {kType, TypeUrl("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager")},
      {"stat_prefix", "front_door"},
      {"codec_type", "AUTO"},
      {"generate_request_id", false},
      // Nobody is internal (an empty list would mean loopback and private networks), so that Envoy strips the
      // x-envoy-* headers by which a client could set its own retries and timeouts.
      {"use_remote_address", true},
      {"internal_address_config",
       {{"cidr_ranges", json::array({{{"address_prefix", "255.255.255.255"}, {"prefix_len", 32}}})}}},
      {"normalize_path", true},
      {"server_header_transformation", "PASS_THROUGH"},
      {"request_headers_timeout", "10s"},
      {"stream_idle_timeout", fmt::format("{}s", options.request_idle_seconds_max)},
      {"common_http_protocol_options", {{"idle_timeout", "3600s"}}},
      {"http2_protocol_options",
       {{"max_concurrent_streams", kStreamsPerConnectionMax},
        {"initial_stream_window_size", kStreamWindowBytes},
        {"initial_connection_window_size", kConnectionWindowBytes}}},
      {"local_reply_config", LocalReplies()},
      {"route_config", RouteConfig(options)},
      {"http_filters", HttpFilters()}};
  if (!options.access_log.empty()) manager["access_log"] = AccessLog(options.access_log);
  return manager;
}

json TlsSocket(const BootstrapOptions& options) {
  json certificate = {{"certificate_chain", {{"filename", options.tls_certificate_file}}},
                      {"private_key", {{"filename", options.tls_key_file}}}};
  json context = {{kType, TypeUrl("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext")},
                  {"common_tls_context",
                   {{"alpn_protocols", json::array({"h2", "http/1.1"})},
                    {"tls_certificates", json::array({certificate})}}}};
  return {{"name", "envoy.transport_sockets.tls"}, {"typed_config", context}};
}

json Listener(const BootstrapOptions& options) {
  json chain = {{"filters", json::array({{{"name", "envoy.filters.network.http_connection_manager"},
                                          {"typed_config", ConnectionManager(options)}}})}};
  if (!options.tls_certificate_file.empty()) chain["transport_socket"] = TlsSocket(options);
  return {{"name", "front_door"},
          {"address", SocketAddress(options.address, options.port)},
          {"filter_chains", json::array({chain})}};
}

// ---- limits and statistics
// --------------------------------------------------------------------------------------

json Overload(const BootstrapOptions& options) {
  auto monitor = [](const char* name, json config) { return json{{"name", name}, {"typed_config", config}}; };
  auto action = [](const char* name, double at) {
    json trigger = {{"name", "envoy.resource_monitors.fixed_heap"}, {"threshold", {{"value", at}}}};
    return json{{"name", name}, {"triggers", json::array({trigger})}};
  };
  json heap = {{kType, TypeUrl("envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig")},
               {"max_heap_size_bytes", options.heap_bytes_max}};
  json connections = {{kType, TypeUrl("envoy.extensions.resource_monitors.downstream_connections.v3."
                                      "DownstreamConnectionsConfig")},
                      {"max_active_downstream_connections", options.connections_max}};
  return {{"refresh_interval", "0.25s"},
          {"resource_monitors",
           json::array({monitor("envoy.resource_monitors.fixed_heap", heap),
                        monitor("envoy.resource_monitors.global_downstream_max_connections", connections)})},
          {"actions", json::array({action("envoy.overload_actions.shrink_heap", 0.9),
                                   action("envoy.overload_actions.stop_accepting_requests", 0.95)})}};
}

// Only what somebody reads: with all statistics a cluster costs 66 KiB instead of 38, and a model has two.
json Statistics() {
  json patterns = json::array();
  for (const char* prefix : {"server.", "http.front_door.", "listener", "cluster_manager.", "control_plane.",
                             "overload.", "cluster.snug_controller."}) {
    patterns.push_back({{"prefix", prefix}});
  }
  for (const char* suffix : {".upstream_rq_total", ".upstream_rq_retry", ".upstream_rq_pending_overflow",
                             ".membership_total", ".ejections_active"}) {
    patterns.push_back({{"suffix", suffix}});
  }
  return {{"stats_matcher", {{"inclusion_list", {{"patterns", patterns}}}}}};
}

bool IsIpAddress(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 || inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

Status Check(const BootstrapOptions& options) {
  for (const std::string* address : {&options.address, &options.ads_address}) {
    if (IsIpAddress(*address)) continue;
    return InvalidArgument("front door: \"{}\" is not an IP address, e.g. 127.0.0.1 or 0.0.0.0", *address);
  }
  if (options.ads_port == 0) return InvalidArgument("front door: the port of the ADS server is missing");
  if (options.tls_certificate_file.empty() != options.tls_key_file.empty()) {
    return InvalidArgument("front door: TLS needs a certificate file and a key file; only one is given");
  }
  return {};
}

}  // namespace

Result<std::string> EnvoyBootstrap(const BootstrapOptions& options) {
  SNUG_RETURN_IF_ERROR(Check(options));
  json bootstrap = {
      {"node", {{"id", options.node_id}, {"cluster", "snug"}}},
      {"admin", {{"address", SocketAddress("127.0.0.1", options.admin_port)}}},
      {"dynamic_resources", DynamicResources()},
      {"static_resources",
       {{"clusters", json::array({AdsCluster(options)})}, {"listeners", json::array({Listener(options)})}}},
      {"overload_manager", Overload(options)},
      {"stats_config", Statistics()}};
  return bootstrap.dump(2) + "\n";
}

EnvoyCommand MakeEnvoyCommand(const EnvoyOptions& options) {
  EnvoyCommand command;
  command.argv = {options.program, "--config-path", options.config_file, "--concurrency",
                  std::to_string(options.threads), "--log-level", "warning",
                  // Several Envoys on one machine would meet in one shared-memory segment otherwise.
                  "--disable-hot-restart"};
  if (!options.admin_file.empty()) {
    command.argv.insert(command.argv.end(), {"--admin-address-path", options.admin_file});
  }
  command.environment["ENVOY_DYNAMIC_MODULES_SEARCH_PATH"] = options.plugin_dir;
  return command;
}

}  // namespace snug::routing
