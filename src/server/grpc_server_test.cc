// gRPC through a real server on a loopback port.
#include "server/grpc_server.h"

#include <gmock/gmock.h>
#include <grpc_service.grpc.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <snug/v1/prediction.grpc.pb.h>

#include <thread>

#include "server/testing/served_model.h"

namespace snug::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class GrpcTest : public ServedModel {
 protected:
  GrpcTest() { Start({}); }
  void Start(GrpcOptions options) {
    options.message_bytes_max = 1 << 20;
    auto server = GrpcServer::Start(options, *core_);
    EXPECT_TRUE(server.ok());
    server_ = *std::move(server);
    channel_ =
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->port()), grpc::InsecureChannelCredentials());
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }
  ~GrpcTest() override {
    control_.Release();
    server_.reset();
  }

  static inference::ModelInferRequest Request(size_t rows = 1) {
    inference::ModelInferRequest request;
    request.set_model_name("m");
    request.set_id("7");
    auto* input = request.add_inputs();
    input->set_name("x");
    input->set_datatype("FP32");
    input->add_shape(static_cast<int64_t>(rows));
    input->add_shape(2);
    request.add_raw_input_contents(std::string(8 * rows, 'r'));
    return request;
  }

  grpc::Status Infer(const inference::ModelInferRequest& request, inference::ModelInferResponse& response,
                     std::chrono::milliseconds limit = 30s) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    return stub_->ModelInfer(&context, request, &response);
  }

  grpc::Status SendBytes(const std::string& method, const std::string& bytes) {
    grpc::GenericStub generic(channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    grpc::Slice slice(bytes);
    grpc::ByteBuffer request(&slice, 1), answer;
    auto call = generic.PrepareUnaryCall(&context, method, request, &queue);
    grpc::Status status;
    call->StartCall();
    call->Finish(&answer, &status, this);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }

  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

TEST_F(GrpcTest, SmallAndLargeTensorsComeBackWhole) {
  for (size_t rows : {size_t{1}, size_t{500}, size_t{600}, size_t{20'000}}) {
    inference::ModelInferResponse response;
    auto request = Request(rows);
    grpc::Status status = Infer(request, response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.id(), "7");
    EXPECT_EQ(response.model_version(), "1");
    ASSERT_EQ(response.raw_output_contents_size(), 2);
    EXPECT_EQ(response.raw_output_contents(0), request.raw_input_contents(0));
    EXPECT_EQ(response.raw_output_contents(1), request.raw_input_contents(0));
    EXPECT_EQ(response.outputs(1).name(), "z");
  }
}

TEST_F(GrpcTest, OutputsInTheOrderAskedFor) {
  auto request = Request();
  request.add_outputs()->set_name("z");
  request.add_outputs()->set_name("y");
  inference::ModelInferResponse response;
  ASSERT_TRUE(Infer(request, response).ok());
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "z");
}

TEST_F(GrpcTest, ErrorsHaveTheirCodeAndText) {
  struct {
    void (*spoil)(inference::ModelInferRequest&);
    grpc::StatusCode code;
    const char* text;
  } cases[] = {
      {[](auto& r) { r.set_model_name("n"); }, grpc::StatusCode::NOT_FOUND, "Request for unknown model"},
      {[](auto& r) { r.set_model_version("2"); }, grpc::StatusCode::NOT_FOUND, "versions here: 1"},
      {[](auto& r) { r.mutable_inputs(0)->set_datatype("INT32"); }, grpc::StatusCode::INVALID_ARGUMENT,
       "expected datatype FP32, got INT32"},
      {[](auto& r) { r.mutable_inputs(0)->set_shape(1, 3); }, grpc::StatusCode::INVALID_ARGUMENT,
       "got [1,3]"},
      {[](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); }, grpc::StatusCode::INVALID_ARGUMENT,
       "needs 8 bytes, got 7"},
      {[](auto& r) { r.mutable_raw_input_contents(0)->resize(2 << 20); },
       grpc::StatusCode::RESOURCE_EXHAUSTED, "larger than max"},
  };
  for (const auto& c : cases) {
    auto request = Request();
    c.spoil(request);
    inference::ModelInferResponse response;
    grpc::Status status = Infer(request, response);
    EXPECT_EQ(status.error_code(), c.code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(c.text));
  }
}

TEST_F(GrpcTest, BytesThatAreNoMessage) {
  const std::string whole = Request().SerializeAsString();
  for (const char* method : {"ModelInfer", "ServerReady", "RepositoryIndex", "RepositoryModelLoad"}) {
    grpc::Status status =
        SendBytes(std::string("/inference.GRPCInferenceService/") + method, whole.substr(0, 3) + "\xff");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << method << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("not a valid inference."));
  }
  EXPECT_EQ(SendBytes("/snug.v1.Prediction/Predict", "\xff").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  grpc::Status unknown = SendBytes("/inference.GRPCInferenceService/Nothing", "");
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(unknown.error_message(), HasSubstr("/inference.GRPCInferenceService/ModelInfer"));
}

TEST_F(GrpcTest, MetadataLoadsAModelOnStandby) {
  AddLateModel("late");
  grpc::ClientContext ready, context;
  inference::ModelReadyRequest ready_request;
  inference::ModelReadyResponse ready_response;
  ready_request.set_name("late");
  ASSERT_TRUE(stub_->ModelReady(&ready, ready_request, &ready_response).ok());
  EXPECT_TRUE(ready_response.ready());
  EXPECT_EQ(control_.loads(), 1) << "of m";
  inference::ModelMetadataRequest request;
  inference::ModelMetadataResponse response;
  request.set_name("late");
  ASSERT_TRUE(stub_->ModelMetadata(&context, request, &response).ok());
  EXPECT_EQ(response.inputs(0).name(), "x");
  EXPECT_EQ(control_.loads(), 2);
}

TEST_F(GrpcTest, ConfigurationNamesTheFilesOfClasses) {
  grpc::ClientContext context;
  inference::ModelConfigRequest request;
  inference::ModelConfigResponse response;
  request.set_name("m");
  ASSERT_TRUE(stub_->ModelConfig(&context, request, &response).ok());
  EXPECT_EQ(response.config().output(1).label_filename(), "names.txt");
  EXPECT_TRUE(response.config().has_model_transaction_policy());
  EXPECT_FALSE(response.config().model_transaction_policy().decoupled());
}

TEST_F(GrpcTest, SettingsAndTraces) {
  core_->tracer = std::make_unique<Tracer>(root_ + "/trace");
  grpc::ClientContext log, trace, infer;
  inference::LogSettingsRequest log_request;
  inference::LogSettingsResponse log_response;
  (*log_request.mutable_settings())["log_format"].set_string_param("default");
  ASSERT_TRUE(stub_->LogSettings(&log, log_request, &log_response).ok());
  EXPECT_TRUE(log_response.settings().at("log_error").bool_param());
  inference::TraceSettingRequest trace_request;
  inference::TraceSettingResponse trace_response;
  (*trace_request.mutable_settings())["trace_level"].add_value("TIMESTAMPS");
  (*trace_request.mutable_settings())["trace_rate"].add_value("1");
  ASSERT_TRUE(stub_->TraceSetting(&trace, trace_request, &trace_response).ok());
  EXPECT_EQ(trace_response.settings().at("trace_rate").value(0), "1");
  infer.AddMetadata("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  inference::ModelInferResponse response;
  ASSERT_TRUE(stub_->ModelInfer(&infer, Request(), &response).ok());
  auto lines = os::ReadFile(root_ + "/trace");
  ASSERT_TRUE(lines.ok()) << lines.status().ToString();
  const std::string line = *lines;
  EXPECT_THAT(line, HasSubstr(R"("id":"7","model_name":"m")"));
  EXPECT_THAT(line, HasSubstr(R"("parent_id":"00f067aa0ba902b7")"));
  EXPECT_THAT(line, HasSubstr("COMPUTE_END"));
  const auto slowest = core_->models.Slowest();
  ASSERT_EQ(slowest.size(), 1u);
  EXPECT_EQ(slowest[0].trace, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
}

TEST_F(GrpcTest, InputsInSharedMemoryHaveNoRawContents) {
  core_->shared_memory.Allow(1 << 20);
  inference::ModelInferRequest request = Request();
  auto& parameters = *request.mutable_inputs(0)->mutable_parameters();
  parameters["shared_memory_region"].set_string_param("r");
  parameters["shared_memory_byte_size"].set_int64_param(8);
  inference::ModelInferResponse response;
  EXPECT_THAT(Infer(request, response).error_message(), HasSubstr("besides those in shared memory"));
  request.clear_raw_input_contents();
  EXPECT_THAT(Infer(request, response).error_message(),
              HasSubstr("Unable to find shared memory region: 'r'"));
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(Infer(request, response).error_message(), HasSubstr("although it is in shared memory"));
}

TEST_F(GrpcTest, FilesThatAreRefusedAreInternalAsTritonSays) {
  inference::RepositoryModelLoadRequest request;
  inference::RepositoryModelLoadResponse response;
  request.set_model_name("m");
  (*request.mutable_parameters())["file:x"].set_bytes_param("x");
  grpc::ClientContext without_config, with_config;
  EXPECT_EQ(stub_->RepositoryModelLoad(&without_config, request, &response).error_code(),
            grpc::StatusCode::INTERNAL);
  (*request.mutable_parameters())["config"].set_string_param("{}");
  grpc::Status status = stub_->RepositoryModelLoad(&with_config, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("failed to poll from model repository"));
}

TEST_F(GrpcTest, Predict) {
  auto stub = snug::v1::Prediction::NewStub(channel_);
  snug::v1::PredictRequest request;
  request.set_model("m");
  request.set_payload("3 4");
  snug::v1::PredictResponse response;
  grpc::ClientContext context;
  grpc::Status status = stub->Predict(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.payload(), "3 4");
  EXPECT_EQ(response.content_type(), "text/plain");
  EXPECT_EQ(response.version(), "1");
}

TEST_F(GrpcTest, CancelledAndExpiredRequestsNeverRun) {
  control_.Hold();
  std::thread running([&] {
    inference::ModelInferResponse response;
    EXPECT_TRUE(Infer(Request(), response).ok());
  });
  ASSERT_TRUE(control_.WaitForRunning(1));
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(Request(), response, 30ms).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  grpc::ClientContext context;
  std::thread cancelled([&] {
    inference::ModelInferResponse ignored;
    EXPECT_EQ(stub_->ModelInfer(&context, Request(), &ignored).error_code(), grpc::StatusCode::CANCELLED);
  });
  auto depth = [&] { return (*manager_->Statistics("m", ""))[0].queue_depth; };
  while (depth() == 0) std::this_thread::yield();
  context.TryCancel();
  cancelled.join();
  while (depth() > 0) std::this_thread::yield();  // the sweeper takes it out although the instance is busy
  const int executions = control_.executions();
  control_.Release();
  running.join();
  EXPECT_EQ(control_.executions(), executions);
}

TEST_F(GrpcTest, ALargeAnswerOfAnInstanceComesWholeWhoeverSendsIt) {
  for (const uint64_t send_here_bytes_max : {kSendHereBytes, UINT64_MAX}) {
    server_.reset();
    GrpcOptions options;
    options.send_here_bytes_max = send_here_bytes_max;
    Start(options);
    control_.Hold();
    const auto request = Request(5'000);
    inference::ModelInferResponse response;
    std::thread client([&] { EXPECT_TRUE(Infer(request, response).ok()); });
    ASSERT_TRUE(control_.WaitForRunning(1));
    control_.Release();
    client.join();
    ASSERT_EQ(response.raw_output_contents_size(), 2);
    EXPECT_EQ(response.raw_output_contents(0), request.raw_input_contents(0));
  }
}

TEST_F(GrpcTest, DrainAnswersWhatIsUnderWay) {
  control_.Hold();
  std::thread running([&] {
    inference::ModelInferResponse response;
    EXPECT_TRUE(Infer(Request(), response).ok());
  });
  ASSERT_TRUE(control_.WaitForRunning(1));
  std::thread draining([&] { EXPECT_TRUE(server_->Drain(30s)); });
  control_.Release();
  draining.join();
  running.join();
}

TEST_F(GrpcTest, StreamAnswersInOrderAndErrorsBelongToTheirRequest) {
  grpc::ClientContext context;
  auto stream = stub_->ModelStreamInfer(&context);
  constexpr int kRequests = 200;  // more than are under way at a time
  std::thread writer([&] {
    for (int i = 0; i < kRequests; ++i) {
      auto request = Request();
      request.set_id(std::to_string(i));
      if (i % 10 == 3) request.set_model_name("nope");
      if (i % 10 == 4)
        (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
      ASSERT_TRUE(stream->Write(request));
    }
    stream->WritesDone();
  });
  inference::ModelStreamInferResponse response;
  int i = 0;
  for (; stream->Read(&response); ++i) {
    EXPECT_EQ(response.infer_response().id(), std::to_string(i));
    if (i % 10 == 3) {
      EXPECT_THAT(response.error_message(), HasSubstr("Request for unknown model"));
      continue;
    }
    // The model's queue holds one request: some answers say that it is full.
    if (!response.error_message().empty()) {
      EXPECT_THAT(response.error_message(), HasSubstr("queue_limit"));
      continue;
    }
    EXPECT_EQ(response.infer_response().raw_output_contents(0), Request().raw_input_contents(0));
    EXPECT_EQ(response.infer_response().parameters().count("triton_final_response"), i % 10 == 4 ? 1u : 0u);
  }
  writer.join();
  EXPECT_EQ(i, kRequests);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcTest, StreamsThatAreCancelledOrDrainedEnd) {
  {
    grpc::ClientContext context;
    auto stream = stub_->ModelStreamInfer(&context);
    ASSERT_TRUE(stream->Write(Request()));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  grpc::ClientContext context;
  auto stream = stub_->ModelStreamInfer(&context);
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(stream->Write(Request()) && stream->Read(&response));
  EXPECT_TRUE(server_->Drain(30s)) << "an idle stream must not hold the server up";
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GrpcTest, PortInUseIsAnError) {
  GrpcOptions options;
  options.port = server_->port();
  auto second = GrpcServer::Start(options, *core_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kUnavailable);
  EXPECT_THAT(second.status().text(), HasSubstr(std::to_string(options.port)));
}

}  // namespace
}  // namespace snug::server
