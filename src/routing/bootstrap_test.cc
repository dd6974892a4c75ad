#include "routing/bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace snug::routing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

BootstrapOptions Options() {
  BootstrapOptions options;
  options.ads_port = 1234;
  return options;
}

// That Envoy takes it all is tested with Envoy, in tests/front_door.
TEST(EnvoyBootstrap, SaysWhereThingsListen) {
  BootstrapOptions options = Options();
  options.address = "0.0.0.0";
  options.port = 8443;
  json config = json::parse(EnvoyBootstrap(options).value());
  json listener = config["static_resources"]["listeners"][0];
  EXPECT_EQ(listener["address"]["socket_address"], json({{"address", "0.0.0.0"}, {"port_value", 8443}}));
  EXPECT_EQ(config["admin"]["address"]["socket_address"]["address"], "127.0.0.1");
  json ads = config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
  EXPECT_EQ(ads["endpoint"]["address"]["socket_address"]["port_value"], 1234);
  EXPECT_FALSE(listener["filter_chains"][0].contains("transport_socket"));
}

TEST(EnvoyBootstrap, HasTlsAndAccessLogWhenAsked) {
  BootstrapOptions options = Options();
  options.tls_certificate_file = "/etc/snug/cert.pem";
  options.tls_key_file = "/etc/snug/key.pem";
  options.access_log = "/var/log/snug/access.log";
  std::string text = EnvoyBootstrap(options).value();
  EXPECT_THAT(text, HasSubstr("/etc/snug/key.pem"));
  EXPECT_THAT(text, HasSubstr("/var/log/snug/access.log"));
}

TEST(EnvoyBootstrap, RefusesWhatCannotBe) {
  EXPECT_THAT(EnvoyBootstrap({}).status().text(), HasSubstr("port of the ADS server"));
  BootstrapOptions options = Options();
  options.address = "example.org";
  EXPECT_THAT(EnvoyBootstrap(options).status().text(), HasSubstr("not an IP address"));
  options = Options();
  options.tls_key_file = "key.pem";
  EXPECT_EQ(EnvoyBootstrap(options).status().code(), Code::kInvalidArgument);
}

TEST(EnvoyCommand, NamesTheModuleAndTheAdminFile) {
  EnvoyOptions options{"/opt/envoy", "/run/b.json", "/lib/snug", "/run/admin", 2};
  EnvoyCommand command = MakeEnvoyCommand(options);
  EXPECT_EQ(command.argv[0], "/opt/envoy");
  EXPECT_THAT(command.argv, ::testing::Contains("/run/admin"));
  EXPECT_EQ(command.environment["ENVOY_DYNAMIC_MODULES_SEARCH_PATH"], "/lib/snug");
}

}  // namespace
}  // namespace snug::routing
