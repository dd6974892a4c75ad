// Drives the real AdsServer and bootstrap from a script: what the controller does, without a controller.
//
//   front-door-driver --envoy PATH --plugins DIR --dir DIR [--port P] [--ads-port P] [--threads N]
//   [--access-log FILE]
//                     [--tls-certificate FILE --tls-key FILE]
//
// Prints {"ads_port":…,"argv":[…],"environment":{…}} (how to start Envoy), then answers a line of JSON with a
// line:
//   {"publish":{"ocr":[["127.0.0.1",GRPC,REST,WEIGHT],…]}}   {"ok":true} or {"error":"…"}
//   {"wait_ms":500}                                          {"applied":true}
//   {"stats":1}                                              {"streams":1,"refusals":0,…}
#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "routing/ads_server.h"
#include "routing/bootstrap.h"

namespace snug::routing {
namespace {

using nlohmann::json;

Snapshot ToSnapshot(const json& models) {
  Snapshot snapshot;
  for (const auto& [key, endpoints] : models.items()) {
    auto& traffic = snapshot.models[key];
    for (const json& e : endpoints) {
      traffic.endpoints.push_back({e.at(0), e.at(1), e.at(2), e.at(3)});
    }
  }
  return snapshot;
}

json StatsJson(const AdsStats& stats) {
  return {{"streams", stats.streams},     {"publications", stats.publications},
          {"responses", stats.responses}, {"resources", stats.resources},
          {"refusals", stats.refusals},   {"last_refusal", stats.last_refusal}};
}

json Answer(AdsServer& server, const json& command) {
  if (command.contains("publish")) {
    Status status = server.Publish(ToSnapshot(command["publish"]));
    return status.ok() ? json{{"ok", true}} : json{{"error", status.ToString()}};
  }
  if (command.contains("wait_ms")) {
    return {{"applied", server.WaitApplied(std::chrono::milliseconds(command["wait_ms"].get<int>()))}};
  }
  return StatsJson(server.stats());
}

int Main(int argc, char** argv) {
  BootstrapOptions bootstrap;
  EnvoyOptions envoy;
  AdsOptions ads;
  std::string dir = ".";
  CLI::App app("front-door-driver");
  app.add_option("--envoy", envoy.program)->required();
  app.add_option("--plugins", envoy.plugin_dir)->required();
  app.add_option("--dir", dir)->required();
  app.add_option("--port", bootstrap.port);
  app.add_option("--ads-port", ads.port);
  app.add_option("--threads", envoy.threads);
  app.add_option("--access-log", bootstrap.access_log);
  app.add_option("--tls-certificate", bootstrap.tls_certificate_file);
  app.add_option("--tls-key", bootstrap.tls_key_file);
  bootstrap.port = 0;
  CLI11_PARSE(app, argc, argv);

  auto server = AdsServer::Start(ads);
  if (!server.ok()) {
    std::cerr << server.status().ToString() << "\n";
    return 1;
  }
  bootstrap.ads_port = (*server)->port();
  envoy.config_file = dir + "/bootstrap.json";
  envoy.admin_file = dir + "/admin";
  std::ofstream(envoy.config_file) << EnvoyBootstrap(bootstrap).value();
  EnvoyCommand command = MakeEnvoyCommand(envoy);
  std::cout << json{{"ads_port", (*server)->port()},
                    {"argv", command.argv},
                    {"environment", command.environment}}
            << std::endl;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << Answer(**server, json::parse(line)) << std::endl;
  return 0;
}

}  // namespace
}  // namespace snug::routing

int main(int argc, char** argv) {
  return snug::routing::Main(argc, argv);
}
