// REST through a real server on a loopback port.
#include "server/rest_service.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

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

TEST_F(RestTest, AModelOnStandbyIsReadyAndLoadedByWhatHasToKnowIt) {
  AddLateModel("late");
  EXPECT_THAT(Call("POST", "/v2/repository/index").body,
              HasSubstr(R"("name":"late","version":"1","state":"STANDBY")"));
  EXPECT_THAT(Call("POST", "/v2/repository/index", R"({"ready":true})").body, HasSubstr("late"));
  EXPECT_EQ(Call("GET", "/v2/models/late/ready").status, 200);
  EXPECT_EQ(Call("GET", "/v2/models/late/stats").status, 200);
  EXPECT_EQ(control_.loads(), 1) << "of m";
  auto metadata = Call("GET", "/v2/models/late");
  EXPECT_EQ(metadata.status, 200);
  EXPECT_THAT(metadata.body, HasSubstr(R"("inputs":[{"name":"x")"));
  EXPECT_EQ(control_.loads(), 2);
  AddLateModel("later");
  control_.FailLoads(InvalidArgument("rubbish"));
  EXPECT_EQ(Call("GET", "/v2/models/later/config").status, 503);
  EXPECT_EQ(Call("GET", "/v2/models/later/ready").status, 503);
}

TEST_F(RestTest, DocumentsAndHealth) {
  struct {
    const char* path;
    const char* text;
  } cases[] = {{"/v2", R"("name":"snug")"},
               {"/v2/", R"x("extensions":["model_repository","model_repository(unload_dependents)")x"},
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
      {"POST", "/v2/repository/models/m/load", "{\"parameters\":{\"conf\":1}}", 400, "unknown parameter"},
      {"POST", "/v2/repository/models/m/load", R"({"parameters":{"file:1/x":"YQ=="}})", 400,
       "\\\"config\\\" beside"},
      {"POST", "/v2/repository/models/m/load", R"({"parameters":{"config":"{\"x\":1}"}})", 400,
       "failed to load 'm'"},
      {"POST", "/v2/cudasharedmemory/region/r/register", "{}", 501, "CUDA"},
      {"GET", "/v2/cudasharedmemory/region/r/status", "", 404, "CUDA"},
      {"POST", "/v2/systemsharedmemory/region/r/register", R"({"key":"/k","byte_size":1})", 400,
       "--client-shared-memory"},
      {"POST", "/v2/systemsharedmemory/region/r/register", R"({"key":"/k","byte_size":-1})", 400, "negative"},
      {"GET", "/v2/systemsharedmemory/region/r/status", "", 404, "Unable to find"},
      {"POST", "/v2/systemsharedmemory/register", "{}", 404, "known paths"},
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

TEST_F(RestTest, ConfigurationAndStatisticsForTritonsClients) {
  EXPECT_EQ(Call("POST", "/v2/models/m/infer", kGood).status, 200);
  const std::string config = Call("GET", "/v2/models/m/config").body;
  for (const char* text : {R"("max_batch_size":4096)", R"("dims":[2])", R"("kind":"KIND_CPU")",
                           R"("model_transaction_policy":{"decoupled":false})"})
    EXPECT_THAT(config, HasSubstr(text));
  const std::string stats = Call("GET", "/v2/models/m/stats").body;
  EXPECT_THAT(stats, HasSubstr(R"("batch_stats":[{"batch_size":1,"compute_input":{"count":1)"));
  EXPECT_THAT(stats, HasSubstr(R"("memory_usage":[{"type":"CPU","id":0,"byte_size":1000}])"));
}

TEST_F(RestTest, Classification) {
  const std::string body = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2,2],"data":[1,2,4,3]}],)"
                           R"("outputs":[{"name":"y","parameters":{"classification":1}}]})";
  EXPECT_THAT(
      Call("POST", "/v2/models/m/infer", body).body,
      HasSubstr(R"({"name":"y","datatype":"BYTES","shape":[2,1],"data":["2.000000:1","4.000000:0"]})"));
  const std::string named = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}],)"
                            R"("outputs":[{"name":"z","parameters":{"classification":2}}]})";
  EXPECT_THAT(Call("POST", "/v2/models/m/infer", named).body,
              HasSubstr(R"("data":["2.000000:1:dog","1.000000:0:cat"])"));
  EXPECT_THAT(Call("GET", "/v2/models/m/config").body, HasSubstr(R"("label_filename":"names.txt")"));
}

TEST_F(RestTest, SharedMemory) {
  const std::string key = fmt::format("/snug_rest_test_{}", getpid());
  const int fd = shm_open(key.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  ASSERT_GE(fd, 0);
  const float in[] = {5, 6};
  ASSERT_EQ(pwrite(fd, in, sizeof in, 8), 8);
  core_->shared_memory.Allow(1 << 20);
  const std::string region = "/v2/systemsharedmemory/region/r/";
  const std::string registration = fmt::format(R"({{"key":"{}","offset":0,"byte_size":16}})", key);
  EXPECT_EQ(Call("POST", region + "register", registration).body, "{}");
  EXPECT_EQ(Call("GET", "/v2/systemsharedmemory/status").body,
            fmt::format(R"([{{"name":"r","key":"{}","offset":0,"byte_size":16}}])", key));
  auto infer = [&](int bytes, int out_bytes) {
    return Call(
        "POST", "/v2/models/m/infer",
        fmt::format(
            R"({{"inputs":[{{"name":"x","datatype":"FP32","shape":[1,2],"parameters":{{)"
            R"("shared_memory_region":"r","shared_memory_offset":8,"shared_memory_byte_size":{}}}}}],)"
            R"("outputs":[{{"name":"y","parameters":{{"shared_memory_region":"r",)"
            R"("shared_memory_byte_size":{}}}}}]}})",
            bytes, out_bytes));
  };
  EXPECT_THAT(infer(8, 16).body, HasSubstr(R"({"name":"y","datatype":"FP32","shape":[1,2]})"));
  float out[2] = {};
  EXPECT_EQ(pread(fd, out, sizeof out, 0), 8);
  EXPECT_EQ(out[1], 6);
  EXPECT_THAT(infer(9, 8).body, HasSubstr("Invalid offset"));
  EXPECT_THAT(infer(4, 8).body, HasSubstr("needs 8 bytes, got 4"));
  EXPECT_THAT(infer(8, 7).body, HasSubstr("has 8 bytes, its shared_memory_byte_size is 7"));
  EXPECT_EQ(Call("POST", "/v2/systemsharedmemory/unregister").status, 200);
  EXPECT_EQ(infer(8, 8).status, 400);
  close(fd);
  shm_unlink(key.c_str());
}

TEST_F(RestTest, LoggingAndTraces) {
  EXPECT_EQ(Call("PUT", "/v2/logging").headers["allow"], "GET, POST");
  EXPECT_THAT(Call("GET", "/v2/logging").body, HasSubstr(R"("log_info":true)"));
  EXPECT_THAT(Call("POST", "/v2/logging", R"({"log_info":false})").body, HasSubstr(R"("log_info":false)"));
  EXPECT_EQ(Call("POST", "/v2/logging", R"({"log_loud":1})").status, 400);
  EXPECT_EQ(Call("POST", "/v2/logging", R"({"log_info":true})").status, 200);
  EXPECT_THAT(Call("POST", "/v2/trace/setting", R"({"trace_rate":"1"})").body, HasSubstr("--trace-file"));
  core_->tracer = std::make_unique<Tracer>(root_ + "/trace");
  const char* on = R"({"trace_level":["TIMESTAMPS"],"trace_rate":"1"})";
  EXPECT_THAT(Call("POST", "/v2/models/m/trace/setting", on).body,
              HasSubstr(R"("trace_level":["TIMESTAMPS"])"));
  EXPECT_THAT(Call("GET", "/v2/trace/setting").body, HasSubstr(R"("trace_level":["OFF"])"));
  EXPECT_EQ(Call("GET", "/v2/models/n/trace/setting").status, 404);
  EXPECT_EQ(Call("POST", "/v2/models/m/infer", kGood).status, 200);
  EXPECT_EQ(Call("POST", "/v1/predict/m", "1 2").status, 200);
  const std::string lines = *os::ReadFile(root_ + "/trace");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  for (const char* name : {"REQUEST_START", "QUEUE_START", "COMPUTE_START", "COMPUTE_END", "REQUEST_END"})
    EXPECT_THAT(lines, HasSubstr(name));
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
  EXPECT_EQ(Call("POST", "/v2/repository/index", "{}").body,
            R"([{"name":"m","state":"UNAVAILABLE","reason":"not loaded"}])");
  EXPECT_EQ(Call("POST", "/v2/repository/index", R"({"ready":true})").body, "[]");
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
