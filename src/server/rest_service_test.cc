// REST through a real server on a loopback port.
#include "server/rest_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "os/http_client.h"
#include "server/testing/served_model.h"

namespace snug::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* kGood = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]})";

class RestTest : public ServedModel {
 protected:
  RestTest() {
    net::HttpServerOptions options;
    options.body_bytes_max = 100'000;
    auto server =
        net::HttpServer::Start(options, [this](net::Request&& request, const net::Responder& respond) {
          HandleRest(*core_, std::move(request), respond);
        });
    EXPECT_TRUE(server.ok());
    server_ = *std::move(server);
  }
  ~RestTest() override {
    control_.Release();
    server_.reset();
  }

  os::HttpResponse Call(const std::string& method, const std::string& path, const std::string& body = "",
                        const std::map<std::string, std::string>& headers = {}) {
    os::HttpRequest request;
    request.method = method;
    request.url = fmt::format("http://127.0.0.1:{}{}", server_->port(), path);
    request.body = body;
    request.headers = headers;
    auto response = os::Fetch(request);
    EXPECT_TRUE(response.ok()) << response.status().ToString();
    return response.ok() ? *response : os::HttpResponse{};
  }

  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(RestTest, DocumentsAndHealth) {
  struct {
    const char* path;
    const char* text;
  } cases[] = {{"/v2", R"("name":"snug")"},
               {"/v2/", R"("extensions":["binary_tensor_data")"},
               {"/v2/health/live", "true"},
               {"/v2/health/ready", "true"},
               {"/v2/models/m", R"("inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}])"},
               {"/v2/models/m/versions/1", R"("versions":["1"])"},
               {"/v2/models/m/ready", "true"},
               {"/v2/models/m/config", R"("data_type":"TYPE_FP32")"},
               {"/v2/models/m/stats", R"("model_stats":[{"name":"m","version":"1")"},
               {"/v2/models/stats", "model_stats"},
               {"/metrics", "snug_server_ready 1\n"}};
  for (const auto& c : cases) {
    auto response = Call("GET", c.path);
    EXPECT_EQ(response.status, 200) << c.path;
    EXPECT_THAT(response.body, HasSubstr(c.text)) << c.path;
  }
  core_->draining = true;
  EXPECT_EQ(Call("GET", "/v2/health/ready").status, 503);
}

TEST_F(RestTest, InferJson) {
  auto response = Call("POST", "/v2/models/m/infer", kGood);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"({"name":"y","datatype":"FP32","shape":[1,2],"data":[1,2]})"));
}

TEST_F(RestTest, InferBinaryBothWays) {
  const std::string json =
      R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}],)"
      R"("outputs":[{"name":"z","parameters":{"binary_data":true}}]})";
  const std::string tensor("\0\0\x80?\0\0\0@", 8);
  auto response = Call("POST", "/v2/models/m/versions/1/infer", json + tensor,
                       {{"Inference-Header-Content-Length", std::to_string(json.size())}});
  ASSERT_EQ(response.status, 200) << response.body;
  const size_t head = std::stoul(response.headers["inference-header-content-length"]);
  EXPECT_EQ(response.body.substr(head), tensor);
  EXPECT_EQ(response.headers["content-type"], "application/octet-stream");
}

TEST_F(RestTest, ErrorsHaveTheirStatusAndText) {
  struct {
    const char* method;
    const char* path;
    std::string body;
    int status;
    const char* text;
  } cases[] = {
      {"POST", "/v2/models/n/infer", kGood, 404, "Request for unknown model: 'n'"},
      {"POST", "/v2/models/m/versions/2/infer", kGood, 404, "versions here: 1"},
      {"POST", "/v2/models/m/versions/x1y/infer", kGood, 404, "version 'x1y'"},
      {"POST", "/v2/models/m/infer", std::string(kGood).substr(0, 40), 400, "at byte 40"},
      {"POST", "/v2/models/m/infer", R"({"inputs":[]})", 400, "input \\\"x\\\" is missing"},
      {"POST", "/v2/models/m/infer", std::string(200'000, ' '), 413, ""},
      {"GET", "/v2/models/m/infer", "", 405, "takes POST, not GET"},
      {"POST", "/v2", "{}", 405, "takes GET"},
      {"GET", "/", "", 404, "known paths"},
      {"GET", "/v2/models", "", 404, "known paths"},
      {"GET", "/v2//models/m", "", 404, "known paths"},
      {"GET", "/a/b/c/d/e/f/g/h/i/j", "", 404, "known paths"},
      {"GET", "/v2/models/%2e%2e%2f", "", 404, ""},
      {"POST", "/v2/repository/models/m/load", "{\"parameters\":{\"config\":1}}", 400, "unknown parameter"},
      {"POST", "/v1/predict/m", "no numbers", 400, "expected two numbers"},
      {"POST", "/v1/predict/n", "1 2", 404, "unknown model"},
  };
  for (const auto& c : cases) {
    auto response = Call(c.method, c.path, c.body);
    EXPECT_EQ(response.status, c.status) << c.method << " " << c.path << " " << response.body;
    EXPECT_THAT(response.body, HasSubstr(c.text)) << c.path;
    EXPECT_THAT(response.body, HasSubstr("{\"error\":")) << c.path;
  }
}

TEST_F(RestTest, Predict) {
  auto response = Call("POST", "/v1/predict/m/versions/1?top_k=3", "3 4", {{"Content-Type", "text/plain"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "3 4");
  EXPECT_EQ(response.headers["content-type"], "text/plain");
  EXPECT_EQ(response.headers["x-snug-model-version"], "1");
}

TEST_F(RestTest, FullQueueAndTimeout) {
  control_.Hold();
  auto post = [&](const std::string& body) { return Call("POST", "/v2/models/m/infer", body); };
  std::thread running([&] { EXPECT_EQ(post(kGood).status, 200); });
  ASSERT_TRUE(control_.WaitForRunning(1));
  std::string timed = kGood;
  timed.insert(1, R"("parameters":{"timeout":20000},)");
  auto late = post(timed);
  EXPECT_EQ(late.status, 504);
  EXPECT_THAT(late.body, HasSubstr("deadline passed"));
  std::thread waiting([&] { EXPECT_EQ(post(kGood).status, 200); });
  while ((*manager_->Statistics("m", ""))[0].queue_depth == 0) std::this_thread::yield();
  const auto refused = post(kGood);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.headers, testing::Contains(testing::Pair("retry-after", "1")));
  control_.Release();
  running.join();
  waiting.join();
}

TEST_F(RestTest, RepositoryControl) {
  EXPECT_EQ(Call("POST", "/v2/repository/models/m/unload", R"({"parameters":{"version":"1"}})").status, 200);
  EXPECT_EQ(Call("POST", "/v2/repository/index", "{}").body, "[]");
  EXPECT_EQ(Call("POST", "/v2/repository/models/m/load").status, 200);
  EXPECT_THAT(Call("POST", "/v2/repository/index", "{}").body, HasSubstr(R"("state":"READY")"));
  EXPECT_EQ(Call("POST", "/v2/repository/models/q/load").status, 404);
  core_->explicit_control = false;
  auto refused = Call("POST", "/v2/repository/models/m/load");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("--control explicit"));
}

}  // namespace
}  // namespace snug::server
