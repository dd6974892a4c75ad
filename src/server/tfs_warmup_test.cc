#include "server/tfs_warmup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tensorflow_serving/apis/predict.pb.h>
#include <tfs_flags.pb.h>

#include "server/record_file.h"

namespace snug::server {
namespace {

using testing::HasSubstr;

std::string PredictRecord() {
  tensorflow::serving::PredictRequest request;
  request.mutable_model_spec()->set_signature_name("half");
  auto& x = (*request.mutable_inputs())["x"];
  x.set_dtype(tensorflow::DT_FLOAT);
  x.mutable_tensor_shape()->add_dim()->set_size(2);
  x.add_float_val(1);
  x.add_float_val(2);
  tfs_flags::PredictionLog log;
  log.mutable_predict_log()->set_request(request.SerializeAsString());
  return log.SerializeAsString();
}

TEST(TfsWarmup, TakesPredictsAndLeavesOthersOut) {
  std::string file;
  AppendRecord(PredictRecord(), file);
  AppendRecord(std::string("\x12\x00", 2), file);  // classify_log
  AppendRecord(PredictRecord(), file);
  auto requests = DecodeTfsWarmup(file);
  ASSERT_TRUE(requests.ok()) << requests.status().ToString();
  ASSERT_EQ(requests->size(), 2u);
  EXPECT_EQ((*requests)[0].signature, "half");
  ASSERT_EQ((*requests)[0].inputs.size(), 1u);
  EXPECT_EQ((*requests)[0].inputs[0].shape, (Shape{2}));
  EXPECT_THAT((*requests)[1].origin, HasSubstr("record 3"));
}

TEST(TfsWarmup, SaysWhichRecordIsBad) {
  std::string file;
  AppendRecord(PredictRecord(), file);
  AppendRecord("\xff", file);
  EXPECT_THAT(DecodeTfsWarmup(file).status().text(), HasSubstr("record 2: no PredictionLog"));
  EXPECT_EQ(DecodeTfsWarmup(file.substr(0, 30)).status().code(), Code::kDataLoss);
  tfs_flags::PredictionLog log;
  log.mutable_predict_log()->set_request("\xff");
  file.clear();
  AppendRecord(log.SerializeAsString(), file);
  EXPECT_THAT(DecodeTfsWarmup(file).status().text(), HasSubstr("no PredictRequest"));
}

}  // namespace
}  // namespace snug::server
