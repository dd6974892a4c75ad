#include "base/whole_number.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace snug {
namespace {

using Json = nlohmann::json;

TEST(WholeNumber, TakesWhatFits) {
  EXPECT_EQ(WholeNumber<int32_t>(Json(-7)), -7);
  EXPECT_EQ(WholeNumber<uint64_t>(Json(UINT64_MAX)), UINT64_MAX);
  EXPECT_EQ(WholeNumber<int64_t>(Json(INT64_MIN)), INT64_MIN);
  EXPECT_EQ(WholeNumbers<int64_t>(Json::parse("[-1, 4]")), (std::vector<int64_t>{-1, 4}));
}

TEST(WholeNumber, RefusesTheRest) {
  for (const char* text :
       {"3.5", "3.3e78", "1e3", "null", "true", "\"3\"", "[3]", "3000000000", "-3000000000"})
    EXPECT_THROW(WholeNumber<int32_t>(Json::parse(text)), std::out_of_range) << text;
  EXPECT_THROW(WholeNumber<uint64_t>(Json(-1)), std::out_of_range);
  EXPECT_THROW(WholeNumber<int64_t>(Json(UINT64_MAX)), std::out_of_range);
  for (const char* text : {"{}", "3", "[1, 2.5]", "[1, null]"})
    EXPECT_THROW(WholeNumbers<int64_t>(Json::parse(text)), std::out_of_range) << text;
}

}  // namespace
}  // namespace snug
