// The host over the echo engine and over plug-ins that break the contract, in this process.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "engine/testing/fixtures.h"

namespace snug::engine {
namespace {

using testing::HasSubstr;

class EngineHostTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Model>> Load(const std::string& engine, const std::string& options = "{}") {
    return host_->Load({.engine = engine,
                        .directory = model_.path(),
                        .options_json = options,
                        .isolation = Isolation::kInProcess});
  }
  Result<std::unique_ptr<Model>> LoadFaulty(const std::string& fault) {
    return Load("faulty", "{\"fault\":\"" + fault + "\"}");
  }
  std::unique_ptr<EngineHost> host_ = EngineHost::Create(TestHostOptions());
  EchoModel model_{"11 -1 4"};
};

TEST_F(EngineHostTest, ListsEnginesAndNotParsersOrLibraries) {
  auto engines = host_->Engines();
  EXPECT_THAT(engines, testing::Contains("echo"));
  for (const auto& name : engines) {
    EXPECT_FALSE(name.starts_with("lib") || name.ends_with("_parser")) << name;
  }
}

TEST_F(EngineHostTest, EchoReturnsItsInput) {
  auto model = Load("auto");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ((*model)->info().inputs[0], (TensorSpec{"x", DType::kFp32, {-1, 4}}));
  EXPECT_TRUE((*model)->info().batch_is_free);
  EXPECT_EQ((*model)->process_id(), 0);
  auto instance = (*model)->CreateInstance();
  ASSERT_TRUE(instance.ok());
  ExpectEcho(**instance, 2);
}

TEST_F(EngineHostTest, InstanceOutlivesItsModel) {
  auto model = Load("echo");
  auto instance = (*model)->CreateInstance();
  model->reset();
  ExpectEcho(**instance, 3);
}

TEST_F(EngineHostTest, UnwantedOutputsAreNotReturned) {
  auto model = Load("echo");
  auto instance = (*model)->CreateInstance();
  float x[4] = {};
  TensorView view{"x", DType::kFp32, {1, 4}, x, sizeof x};
  uint8_t none[] = {0};
  auto outputs = (*instance)->Execute({&view, 1}, none);
  ASSERT_TRUE(outputs.ok());
  EXPECT_TRUE(outputs->empty());
  EXPECT_EQ((*instance)->Execute({}, {}).status().text(), "expected 1 inputs, got 0");
}

TEST_F(EngineHostTest, UnknownEngineNamesThoseThereAre) {
  Status status = Load("ecko").status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.text(), HasSubstr("there is no engine \"ecko\"; there are: "));
  EXPECT_THAT(status.text(), HasSubstr("echo"));
  EXPECT_EQ(Load("../test/echo").status().code(), Code::kNotFound);
  EXPECT_EQ(Load("").status().code(), Code::kNotFound);
}

TEST_F(EngineHostTest, UnrecognisedFilesNameTheEnginesAsked) {
  EchoModel empty{""};
  std::filesystem::remove(empty.path() + "/echo.txt");
  Status status = host_->Recognise(empty.path()).status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.text(), HasSubstr("no engine recognises the files in"));
  Status gone = host_->Load({.engine = "echo", .directory = "/nowhere"}).status();
  EXPECT_EQ(gone.text(), "there is no model directory /nowhere");
}

TEST_F(EngineHostTest, GrantsAreNotOptions) {
  EXPECT_THAT(Load("echo", "{\"threads\":3}").status().text(),
              HasSubstr("\"threads\" is set for the model itself"));
  EXPECT_EQ(Load("echo", "[1]").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(Load("echo", "{").status().code(), Code::kInvalidArgument);
}

TEST_F(EngineHostTest, EngineReportsBadModelFile) {
  EchoModel bad{"what"};
  Status status = host_->Load({.engine = "echo", .directory = bad.path()}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.text(), HasSubstr("expected a type and dimensions"));
}

TEST_F(EngineHostTest, InstancesRunInParallel) {
  auto model = Load("echo");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      auto instance = (*model)->CreateInstance();
      for (int i = 1; i < 50; ++i) ExpectEcho(**instance, i);
    });
  }
  for (auto& thread : threads) thread.join();
}

// Plug-ins whose handshake is wrong, one library each.
struct Handshake {
  const char* plugin;
  const char* text;
};
class HandshakeTest : public EngineHostTest, public testing::WithParamInterface<Handshake> {};
TEST_P(HandshakeTest, IsRefused) {
  Status status = Load(GetParam().plugin).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.text(), HasSubstr(GetParam().text));
}
INSTANTIATE_TEST_SUITE_P(
    All, HandshakeTest,
    testing::Values(Handshake{"faulty_no_entry", "does not export snug_engine_get_api()"},
                    Handshake{"faulty_null_table", "does not serve version 1"},
                    Handshake{"faulty_version",
                              "is built for version 999 of the engine contract, this host for 1"},
                    Handshake{"faulty_short", "its table says 16 bytes, the contract needs at least"},
                    Handshake{"faulty_no_execute", "its table lacks the function execute"},
                    Handshake{"faulty_nameless", "does not say its name"},
                    Handshake{"faulty_entry_throws", "snug_engine_get_api threw: entry"},
                    Handshake{"faulty_create", "no card was found"}),
    [](const auto& test) { return test.param.plugin; });

TEST_F(EngineHostTest, LibraryThatIsNoLibrary) {
  Status status = Load("faulty_text").status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.text(), HasSubstr("cannot be opened"));
}

TEST_F(EngineHostTest, OlderPluginWithoutOptionalFunctionsWorks) {
  auto model = Load("faulty_older");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
}

// What a well-shaken plug-in may do wrong, chosen by an option.
struct Fault {
  const char* fault;
  Code code;
  const char* text;
};
std::string FaultName(const testing::TestParamInfo<Fault>& test) {
  return test.param.fault;
}

class LoadFaultTest : public EngineHostTest, public testing::WithParamInterface<Fault> {};
TEST_P(LoadFaultTest, FailsTheLoad) {
  auto model = LoadFaulty(GetParam().fault);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.status().code(), GetParam().code);
  EXPECT_THAT(model.status().text(), HasSubstr(GetParam().text));
}
INSTANTIATE_TEST_SUITE_P(
    All, LoadFaultTest,
    testing::Values(
        Fault{"load_error", Code::kDataLoss, "weights are cut off"},
        Fault{"load_silent_error", Code::kInternal, "the engine's load failed without saying why"},
        Fault{"load_wild_error", Code::kInternal, "returned 77, which is no code: a?b"},
        Fault{"load_endless_error", Code::kInternal, "eeeeeeee"},
        Fault{"load_throws", Code::kInternal, "the engine's load threw: out of luck"},
        Fault{"load_throws_int", Code::kInternal, "threw something that is no std::exception"},
        Fault{"load_null", Code::kFailedPrecondition, "gave no model"},
        Fault{"describe_error", Code::kInternal, "cannot describe"},
        Fault{"no_outputs", Code::kFailedPrecondition, "a model without outputs"},
        Fault{"null_specs", Code::kFailedPrecondition, "reports 1 inputs but gives none"},
        Fault{"many_outputs", Code::kFailedPrecondition, "reports 100000 outputs, the limit is 256"},
        Fault{"null_name", Code::kFailedPrecondition, "output 0 without a name"},
        Fault{"empty_name", Code::kFailedPrecondition, "with an empty name"},
        Fault{"long_name", Code::kFailedPrecondition, "with a name of more than 512 bytes"},
        Fault{"binary_name", Code::kFailedPrecondition, "with a name that is not UTF-8"},
        Fault{"same_names", Code::kFailedPrecondition, "two outputs named \"y\""},
        Fault{"bad_dtype", Code::kFailedPrecondition, "of element type 99, which is none"},
        Fault{"high_rank", Code::kFailedPrecondition, "of rank 17, expected 0 to 16"},
        Fault{"negative_rank", Code::kFailedPrecondition, "of rank -1, expected 0 to 16"},
        Fault{"null_dims", Code::kFailedPrecondition, "with a rank but no dimensions"},
        Fault{"bad_dim", Code::kFailedPrecondition, "with dimension -7, expected -1 (free) or more"},
        Fault{"false_batch", Code::kFailedPrecondition, "although it reports a free batch dimension"},
        Fault{"no_threads", Code::kFailedPrecondition, "reports 0 threads per instance"}),
    FaultName);

class ExecuteFaultTest : public EngineHostTest, public testing::WithParamInterface<Fault> {};
TEST_P(ExecuteFaultTest, FailsTheExecute) {
  auto model = LoadFaulty(GetParam().fault);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  auto instance = (*model)->CreateInstance();
  ASSERT_TRUE(instance.ok());
  float x[4] = {1, 2, 3, 4};
  TensorView view{"x", DType::kFp32, {1, 4}, x, sizeof x};
  Status status = (*instance)->Execute({&view, 1}, {}).status();
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_THAT(status.text(), HasSubstr(GetParam().text));
}
INSTANTIATE_TEST_SUITE_P(
    All, ExecuteFaultTest,
    testing::Values(Fault{"execute_error", Code::kInvalidArgument, "negative length"},
                    Fault{"execute_throws", Code::kInternal, "the engine's execute threw: out of luck"},
                    Fault{"output_missing", Code::kInternal, "did not produce output \"y\""},
                    Fault{"output_index", Code::kInternal, "wrote output 7, the model has 1"},
                    Fault{"output_dtype", Code::kInternal, "is declared as FP32, it wrote INT64"},
                    Fault{"output_wild_dtype", Code::kInternal,
                          "is declared as FP32, it wrote no valid type"},
                    Fault{"output_shape", Code::kInternal, "is declared with shape [-1,4], it wrote [1,5]"},
                    Fault{"output_negative", Code::kInternal, "it wrote [-3,4]"},
                    Fault{"output_rank", Code::kInternal, "has rank 100"},
                    Fault{"output_bytes", Code::kInternal, "needs 16 bytes for FP32 [1,4], it asked for 15"},
                    Fault{"output_huge", Code::kResourceExhausted, "exceeds the limit of"},
                    Fault{"output_overflow", Code::kInternal, "needs"},
                    Fault{"output_twice", Code::kInternal, "wrote output \"y\" twice"}),
    FaultName);

TEST_F(EngineHostTest, InstanceFaults) {
  auto error = LoadFaulty("instance_error");
  EXPECT_THAT((*error)->CreateInstance().status().text(), HasSubstr("no room for an instance"));
  auto null = LoadFaulty("instance_null");
  EXPECT_THAT((*null)->CreateInstance().status().text(), HasSubstr("gave no instance"));
}

TEST_F(EngineHostTest, ThrowingWhileGivingBackIsSurvived) {
  auto model = LoadFaulty("unload_throws");
  ASSERT_TRUE(model.ok());
  EXPECT_TRUE((*model)->CreateInstance().ok());
}

}  // namespace
}  // namespace snug::engine
