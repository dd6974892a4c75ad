// The engine against a gRPC server in this process, whose gRPC is Google's.
#include <gmock/gmock.h>
#include <grpc/grpc.h>
#include <grpc_service.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/engine.h"

namespace snug::engine {
namespace {

using testing::HasSubstr;

// 8 MB of tensor: past every window of HTTP/2. ThreadSanitizer looks at each word that gRPC, built without
// it, sends, finds a race to suppress, and takes minutes for that much.
#ifdef SNUG_SANITIZED
constexpr int64_t kManyRows = 20'000;
#else
constexpr int64_t kManyRows = 500'000;
#endif

// Echoes x as y; the first number asks for errors and delays.
class Server final : public inference::GRPCInferenceService::Service {
 public:
  grpc::Status ModelMetadata(grpc::ServerContext*, const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override {
    if (request->name() == "absent") return {grpc::StatusCode::NOT_FOUND, "no model \"absent\" é"};
    if (request->name() == "silent") return grpc::Status::OK;
    for (auto [tensor, name] :
         {std::pair(response->add_inputs(), "x"), std::pair(response->add_outputs(), "y")}) {
      tensor->set_name(name);
      tensor->set_datatype("FP32");
      tensor->add_shape(-1);
      tensor->add_shape(4);
    }
    return grpc::Status::OK;
  }
  grpc::Status ModelInfer(grpc::ServerContext* context, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    ++calls;
    const float first = *reinterpret_cast<const float*>(request->raw_input_contents(0).data());
    if (first == -1) return {grpc::StatusCode::INVALID_ARGUMENT, "row 3 is negative"};
    if (first == -2) return {grpc::StatusCode::UNAVAILABLE, "draining"};
    for (; first == -3 && !context->IsCancelled(); std::this_thread::yield()) {
    }
    auto* y = response->add_outputs();
    y->set_name(first == -4 ? "z" : "y");
    y->set_datatype("FP32");
    *y->mutable_shape() = request->inputs(0).shape();
    response->add_raw_output_contents(request->raw_input_contents(0));
    return grpc::Status::OK;
  }
  std::atomic<int> calls = 0;
};

class RemoteTest : public testing::Test {
 protected:
  // gRPC stays up between tests: the last server's end would shut all of it down, where gRPC 1.51 may wait
  // for ever for a thread of its own that polls (once in some 100 times).
  static void SetUpTestSuite() { [[maybe_unused]] static const bool up = (grpc_init(), true); }
  void SetUp() override {
    directory_ = testing::TempDir() + "/remote.XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    Start(grpc::InsecureServerCredentials());
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Start(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort("localhost:" + std::to_string(port_), credentials, &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  Result<std::unique_ptr<Model>> TryLoad(const std::string& more = "", const std::string& scheme = "") {
    return host_->Load({.engine = "remote",
                        .directory = directory_,
                        .options_json = R"({"load_timeout_ms":1,"model":"m","url":")" + scheme +
                                        "localhost:" + std::to_string(port_) + "\"" + more + "}"});
  }
  std::unique_ptr<Instance> Make(const std::string& more = "") {
    auto model = TryLoad(more);
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    return model.ok() ? *(*model)->CreateInstance() : nullptr;
  }
  static Result<std::vector<Tensor>> Send(Instance& instance, float first, int64_t rows = 1) {
    std::vector<float> x(static_cast<size_t>(rows) * 4, 0.5f);
    x[0] = first;
    TensorView view{"x", DType::kFp32, {rows, 4}, x.data(), x.size() * sizeof(float)};
    return instance.Execute({&view, 1}, {});
  }
  std::string directory_;
  int port_ = 0;
  Server service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<EngineHost> host_ =
      EngineHost::Create({.plugin_dirs = {SNUG_TEST_PLUGIN_DIR}, .threads = 1});
};

TEST_F(RemoteTest, TensorsGoThereAndBack) {
  auto model = TryLoad();
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ((*model)->info().inputs[0], (TensorSpec{"x", DType::kFp32, {-1, 4}}));
  EXPECT_EQ((*model)->info().outputs[0], (TensorSpec{"y", DType::kFp32, {-1, 4}}));
  EXPECT_THAT((*model)->info().description, HasSubstr("KServe v2 at localhost:"));
  auto instance = (*model)->CreateInstance();
  ASSERT_TRUE(instance.ok());
  for (int64_t rows : {int64_t{1}, int64_t{3}, kManyRows, int64_t{2}}) {
    auto outputs = Send(**instance, 5, rows);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ASSERT_EQ((*outputs)[0].shape, (Shape{rows, 4}));
    const auto* y = static_cast<const float*>((*outputs)[0].buffer.data());
    EXPECT_EQ(y[0], 5);
    EXPECT_EQ(y[rows * 4 - 1], 0.5f);
  }
}

TEST_F(RemoteTest, CodesAreCarriedOver) {
  auto instance = Make();
  EXPECT_EQ(Send(*instance, -1).status().ToString(), "INVALID_ARGUMENT: remote: row 3 is negative");
  service_.calls = 0;
  EXPECT_EQ(Send(*instance, -2).status().ToString(), "UNAVAILABLE: remote: draining");
  EXPECT_EQ(service_.calls, 3);                                     // tried again, and not for ever
  EXPECT_EQ(Send(*instance, -4).status().code(), Code::kInternal);  // another output than promised
  EXPECT_TRUE(Send(*instance, 1).ok());
  EXPECT_THAT(TryLoad(R"(,"model":"absent")").status().ToString(),
              HasSubstr("NOT_FOUND: metadata of remote model \"absent\": no model \"absent\" é"));
}

TEST_F(RemoteTest, SilentServersNeedDeclarations) {
  EXPECT_THAT(TryLoad(R"(,"model":"silent")").status().text(), HasSubstr("declare them in engine_options"));
  auto model = TryLoad(R"(,"model":"silent","inputs":{"x":{"dtype":"FP32","shape":[-1,4]}},)"
                       R"("outputs":{"y":{"dtype":"FP32","shape":[-1,4]}})");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_TRUE(Send(**(*model)->CreateInstance(), 1).ok());
}

TEST_F(RemoteTest, SlowAnswersHaveALimit) {
  auto instance = Make(R"(,"timeout_ms":300)");
  Status status = Send(*instance, -3).status();
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded) << status.ToString();
  EXPECT_TRUE(Send(*instance, 1).ok());
}

TEST_F(RemoteTest, LostConnectionsComeBack) {
  auto instance = Make();
  ASSERT_TRUE(Send(*instance, 1).ok());
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
  Status down = Send(*instance, 1).status();
  EXPECT_EQ(down.code(), Code::kUnavailable);
  EXPECT_THAT(down.text(), HasSubstr("remote: localhost:"));
  EXPECT_EQ(TryLoad().status().code(), Code::kUnavailable);
  Start(grpc::InsecureServerCredentials());
  auto up = Send(*instance, 1);
  EXPECT_TRUE(up.ok()) << up.status().ToString();
  server_->Shutdown(std::chrono::system_clock::now());  // and one that nobody saw going away
  server_.reset();
  Start(grpc::InsecureServerCredentials());
  up = Send(*instance, 1);
  EXPECT_TRUE(up.ok()) << up.status().ToString();
}

TEST_F(RemoteTest, LoadsWaitForServersThatStart) {
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
  std::thread starts([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    Start(grpc::InsecureServerCredentials());
  });
  auto model = TryLoad(R"(,"load_timeout_ms":60000)");
  EXPECT_TRUE(model.ok()) << model.status().ToString();
  starts.join();
}

TEST_F(RemoteTest, Tls) {
  const std::string key = directory_ + "/key.pem";
  const std::string certificate = directory_ + "/ca.pem";
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
      "subjectAltName=DNS:localhost -keyout " +
      key + " -out " + certificate + " 2>/dev/null";
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "no openssl program";
  auto read = [](const std::string& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  server_.reset();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs = {{read(key), read(certificate)}};
  Start(grpc::SslServerCredentials(options));
  auto model = TryLoad(R"(,"ca_file":"ca.pem")", "https://");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_TRUE(Send(**(*model)->CreateInstance(), 1, 100000).ok());
  EXPECT_THAT((*model)->info().description, HasSubstr("over TLS"));
  Status unknown = TryLoad("", "https://").status();  // an authority that nobody knows
  EXPECT_EQ(unknown.code(), Code::kUnavailable);
  EXPECT_THAT(unknown.text(), HasSubstr("SSL certificate problem: self-signed certificate"));
  Status clear = TryLoad().status();
  EXPECT_EQ(clear.code(), Code::kUnavailable);
  EXPECT_THAT(clear.text(), HasSubstr("is it a port for TLS"));
  Status absent = TryLoad(R"(,"ca_file":"absent.pem")", "https://").status();
  EXPECT_EQ(absent.code(), Code::kInvalidArgument);
  EXPECT_THAT(absent.text(), HasSubstr("\"ca_file\" must be a PEM file; cannot read /"));
  EXPECT_THAT(absent.text(), HasSubstr("/absent.pem"));
  EXPECT_THAT(TryLoad(R"(,"ca_file":"ca.pem")").status().text(), HasSubstr("write https:// before the host"));
}

TEST_F(RemoteTest, OptionsAreChecked) {
  auto load = [&](const std::string& options) {
    return host_->Load({.engine = "remote", .directory = directory_, .options_json = options})
        .status()
        .text();
  };
  EXPECT_THAT(load("{}"), HasSubstr("\"url\" must be the server's gRPC address, host:port"));
  EXPECT_THAT(load(R"({"url":"host"})"), HasSubstr("got \"host\""));
  EXPECT_THAT(load(R"({"url":"host:1/path"})"), HasSubstr("got \"host:1/path\""));
  EXPECT_THAT(load(R"({"url":"h:1","protocol":"v1"})"), HasSubstr("one of kserve, tfserving"));
  EXPECT_THAT(load(R"({"uri":"h:1"})"), HasSubstr("unknown engine option \"uri\""));
  Status tfserving = TryLoad(R"(,"protocol":"tfserving")").status();  // this server does not speak it
  EXPECT_EQ(tfserving.code(), Code::kUnimplemented) << tfserving.ToString();
}

}  // namespace
}  // namespace snug::engine
