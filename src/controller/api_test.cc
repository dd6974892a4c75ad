// The REST API in process: the real HTTP server, registry, store and decisions, over a world of fake
// processes.
#include "controller/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "controller/test_platform.h"
#include "controller/test_tar.h"
#include "os/files.h"
#include "os/http_client.h"

namespace snug::controller {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class ApiTest : public ::testing::Test {
 protected:
  void Serve(Tokens tokens = {}) {
    ASSERT_TRUE(os::MakeDirs(p_.root_ + "/uploads").ok());
    ASSERT_TRUE(p_.store.Sweep({}).ok());
    ApiOptions options;
    options.tokens = std::move(tokens);
    options.status = [] { return StatusView{.version = "0.1.0", .api = "http://here", .front_door = ""}; };
    options.wake = [this] { woken_ = true; };
    api_ = std::make_unique<Api>(*p_.registry, *p_.reconciler, p_.store, p_.store_mutex, SystemClock(),
                                 std::move(options));
    net::HttpServerOptions http;
    http.upload_dir = p_.root_ + "/uploads";
    http.upload = Api::IsUpload;
    http.failure = Api::ErrorAnswer;
    http.admit = [this](const net::Request& head) { return api_->Admit(head); };
    auto server = net::HttpServer::Start(http, [this](net::Request&& request, net::Responder respond) {
      api_->Handle(std::move(request), std::move(respond));
    });
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    http_ = std::move(*server);
  }
  void TearDown() override {
    if (http_ != nullptr) http_->Drain(std::chrono::seconds(5));
    http_.reset();
    api_.reset();
  }

  struct Reply {
    int status = 0;
    Json json;
    std::string body;
  };
  Reply Ask(const std::string& method, const std::string& target, const std::string& body = "",
            const std::string& file = "", const std::string& token = "") {
    os::HttpRequest request;
    request.method = method;
    request.url = fmt::format("http://127.0.0.1:{}{}", http_->port(), target);
    request.body = body;
    request.body_file = file;
    if (!token.empty()) request.headers["Authorization"] = "Bearer " + token;
    auto response = os::Fetch(request);
    EXPECT_TRUE(response.ok()) << response.status().ToString();
    if (!response.ok()) return {};
    return {response->status, Json::parse(response->body, nullptr, false), response->body};
  }
  std::string Tar(const std::vector<TarEntry>& entries = {{"model.onnx", "m"}}) {
    std::string path = p_.root_ + "/model.tar";
    WriteTar(path, entries);
    return path;
  }
  std::string ErrorCode(const Reply& reply) { return reply.json["error"]["code"]; }

  Platform p_;
  std::atomic<bool> woken_{false};
  std::unique_ptr<Api> api_;
  std::unique_ptr<net::HttpServer> http_;
};

TEST_F(ApiTest, WhatNoHandlerSeesReadsAsEveryError) {
  Serve();
  Reply reply = Ask("GET", "/api/v1/models?a=%FZ");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(ErrorCode(reply), "INVALID_ARGUMENT");
}

TEST_F(ApiTest, ADeploymentIsDurableWhenAnsweredAndThenBecomesReady) {
  Serve();
  auto deployed =
      Ask("POST", "/api/v1/models/ocr/versions?engine=echo&share=0.2&copies=2&label=stable", "", Tar());
  ASSERT_EQ(deployed.status, 201) << deployed.body;
  EXPECT_EQ(deployed.json["version"], 1);
  EXPECT_EQ(deployed.json["files"], 1);
  EXPECT_TRUE(woken_);
  EXPECT_TRUE(os::Exists(p_.root_ + "/store/ocr/1/model.onnx"));
  EXPECT_TRUE(os::ListDir(p_.root_ + "/uploads")->empty());
  auto model = Ask("GET", "/api/v1/models/ocr");
  EXPECT_EQ(model.json["state"], "PENDING");
  EXPECT_EQ(model.json["copies_wanted"], 2);
  p_.Steps(60);
  model = Ask("GET", "/api/v1/models/ocr");
  EXPECT_EQ(model.json["state"], "READY") << model.body;
  EXPECT_EQ(model.json["copies_ready"], 2);
  EXPECT_EQ(model.json["versions"][0]["label"], "stable");
  EXPECT_EQ(model.json["route"], Json::parse(R"([{"version":1,"weight":100}])"));
  EXPECT_EQ(model.json["copies"][0]["state"], "READY");
  EXPECT_EQ(Ask("GET", "/api/v1/models").json["models"].size(), 1u);
  EXPECT_EQ(Ask("GET", "/api/v1/groups").json["groups"].size(), 2u);
  EXPECT_EQ(Ask("GET", "/api/v1/servers").json["servers"][0]["state"], "READY");
  EXPECT_EQ(Ask("GET", "/api/v1/status").json["models"]["READY"], 1);
  EXPECT_EQ(Ask("GET", "/api/v1/status").json["ready"], true);
  EXPECT_THAT(Ask("GET", "/metrics").body, HasSubstr("snug_models{state=\"READY\"} 1"));
  for (const char* limit : {"limit=", "limit=0", "limit=1e3", "limit=7&limit=7"}) {
    EXPECT_EQ(Ask("GET", std::string("/api/v1/audit?") + limit).status, 400) << limit;
  }
  auto audit = Ask("GET", "/api/v1/audit?limit=1000").json["audit"];
  EXPECT_EQ(audit.back()["action"], "deploy");
  EXPECT_EQ(audit.back()["who"], "local");
}

TEST_F(ApiTest, VersionsCountUpAndNeverChange) {
  Serve();
  EXPECT_EQ(Ask("POST", "/api/v1/models/a/versions?version=5", "", Tar()).json["version"], 5);
  EXPECT_EQ(Ask("POST", "/api/v1/models/a/versions", "", Tar()).json["version"], 6);
  auto again = Ask("POST", "/api/v1/models/a/versions?version=5", "", Tar({{"other.onnx", "o"}}));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(ErrorCode(again), "ALREADY_EXISTS");
  EXPECT_TRUE(os::Exists(p_.root_ + "/store/a/5/model.onnx"));
  EXPECT_TRUE(os::ListDir(p_.root_ + "/store/.incoming")->empty());
}

TEST_F(ApiTest, BadDeploymentsSayWhatIsWrong) {
  Serve();
  std::string versions = "/api/v1/models/a/versions";
  auto check = [&](const Reply& reply, int status, const char* text) {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(text));
  };
  check(Ask("POST", versions + "?engin=echo", "", Tar()), 400, "unknown parameter");
  check(Ask("POST", versions + "?share=7", "", Tar()), 400, "0.01 to 1");
  check(Ask("POST", versions + "?sharing=7", "", Tar()), 400, "shared, guaranteed, alone");
  check(Ask("POST", versions + "?keep_apart=a", "", Tar()), 400, "a itself");
  check(Ask("POST", versions + "?pinned_groups=g1", "", Tar()), 400, "there is no group g1; there are: none");
  check(Ask("POST", versions, "", Tar({{"readme.txt", "x"}})), 400, "name the engine");
  check(Ask("POST", versions, "", Tar({{"readme.txt", "x"}})), 400, "\"the upload is no model");
  check(Ask("POST", versions, "", Tar({{"../x", "x"}})), 400, "..");
  check(Ask("POST", versions, "", Tar({{"m.onnx", "x"}, {"model.yaml", "nope: 1"}})), 400, "nope");
  check(Ask("POST", versions, "not a tar"), 400, "tar");
  check(Ask("POST", "/api/v1/models/.hidden/versions", "", Tar()), 400, "name");
  EXPECT_TRUE(p_.registry->Load()->models.empty());
  EXPECT_TRUE(os::ListDir(p_.root_ + "/uploads")->empty());
}

TEST_F(ApiTest, ScaleRouteDelete) {
  Serve();
  Ask("POST", "/api/v1/models/a/versions?engine=echo", "", Tar());
  EXPECT_EQ(Ask("POST", "/api/v1/models/a/scale", R"({"copies":3})").json["copies_wanted"], 3);
  EXPECT_EQ(Ask("POST", "/api/v1/models/a/scale", R"({"copies":-1})").status, 400);
  EXPECT_EQ(Ask("POST", "/api/v1/models/a/scale", "{").status, 400);
  EXPECT_EQ(Ask("POST", "/api/v1/models/zz/scale", R"({"copies":3})").status, 404);
  auto route = Json::parse(R"([{"version":1,"weight":90}])");
  EXPECT_EQ(Ask("PUT", "/api/v1/models/a/route", route.dump()).json, route);
  EXPECT_EQ(Ask("GET", "/api/v1/models/a/route").json, route);
  EXPECT_EQ(Ask("PUT", "/api/v1/models/a/route", R"([{"version":9,"weight":90}])").status, 404);
  EXPECT_EQ(Ask("PUT", "/api/v1/models/a/route", R"([{"version":1,"weight":0}])").status, 400);
  EXPECT_EQ(
      Ask("PUT", "/api/v1/models/a/route", R"([{"version":1,"weight":1},{"version":1,"weight":1}])").status,
      400);
  EXPECT_EQ(Ask("DELETE", "/api/v1/models/a").json["state"], "REMOVING");
  p_.Steps(60);
  EXPECT_EQ(Ask("GET", "/api/v1/models/a").status, 404);
  EXPECT_FALSE(os::Exists(p_.root_ + "/store/a"));
  EXPECT_EQ(Ask("POST", "/api/v1/models/a/versions", "", Tar()).json["version"], 1) << "a new life";
}

TEST_F(ApiTest, WhatIsAskedOfPlacementIsKeptOverVersionsAndShown) {
  Serve();
  Ask("POST", "/api/v1/models/a/versions?engine=echo&sharing=guaranteed&keep_apart=b,c", "", Tar());
  Ask("POST", "/api/v1/models/a/versions?engine=echo", "", Tar());
  auto model = Ask("GET", "/api/v1/models/a").json;
  EXPECT_EQ(model["sharing"], "guaranteed");
  EXPECT_EQ(model["keep_apart"], Json::parse(R"(["b","c"])"));
  EXPECT_EQ(model["pinned_groups"], Json::array());
  p_.Steps(60);
  Ask("POST", "/api/v1/models/a/versions?engine=echo&keep_apart=&pinned_groups=g1", "", Tar());
  model = Ask("GET", "/api/v1/models/a").json;
  EXPECT_EQ(model["keep_apart"], Json::array());
  EXPECT_EQ(model["pinned_groups"], Json::parse(R"(["g1"])")) << model.dump();
}

TEST_F(ApiTest, WaitingForReadiness) {
  Serve();
  Ask("POST", "/api/v1/models/a/versions?engine=echo", "", Tar());
  Reply reply;
  std::atomic<bool> answered{false};
  std::thread asking([&] {
    reply = Ask("GET", "/api/v1/models/a?wait_ready_ms=30000&version=1");
    answered = true;
  });
  while (!answered) {
    p_.Steps(1);
    api_->CheckWaiters();
    std::this_thread::yield();
  }
  asking.join();
  EXPECT_EQ(reply.json["state"], "READY");
  EXPECT_EQ(Ask("GET", "/api/v1/models/a?wait_ready_ms=30000").json["state"], "READY") << "at once";
  EXPECT_EQ(Ask("GET", "/api/v1/models/zz?wait_ready_ms=30000").status, 404);
  EXPECT_EQ(Ask("GET", "/api/v1/models/a?wait_ready_ms=x").status, 400);
}

TEST_F(ApiTest, UnknownPathsAndMethods) {
  Serve();
  EXPECT_EQ(Ask("GET", "/healthz").body, "ok\n");
  EXPECT_EQ(Ask("HEAD", "/healthz").status, 200);
  EXPECT_EQ(Ask("TRACE", "/healthz").status, 405);
  EXPECT_EQ(Ask("GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(Ask("GET", "/api/v1/models/a/nothing").status, 404);
  EXPECT_EQ(Ask("DELETE", "/api/v1/models").status, 405);
  EXPECT_EQ(Ask("GET", "/api/v1/models/a/scale").status, 405);
  EXPECT_EQ(ErrorCode(Ask("GET", "/api/v1/models/a")), "NOT_FOUND");
}

TEST_F(ApiTest, TokensAreWantedAndNamedInTheAudit) {
  Serve(*Tokens::Parse("alice:0123456789abcdef"));
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
  EXPECT_EQ(Ask("GET", "/api/v1/models").status, 401);
  EXPECT_EQ(Ask("POST", "/api/v1/models/a/versions", "", Tar()).status, 401);
  EXPECT_TRUE(os::ListDir(p_.root_ + "/uploads")->empty());
  EXPECT_EQ(Ask("POST", "/api/v1/models/a/versions", "", Tar(), "0123456789abcdef").status, 201);
  EXPECT_EQ(p_.registry->Audit(1)->at(0).who, "alice");
}

}  // namespace
}  // namespace snug::controller
