#include "controller/quotas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(QuotasTest, DepartmentsAndCards) {
  EXPECT_THAT(*ParseQuotas(""), IsEmpty());
  EXPECT_THAT(*ParseQuotas("homes=2.5,cars=0"), ElementsAre(Pair("cars", 0), Pair("homes", 2.5)));
}

TEST(QuotasTest, WhatIsWrongIsSaid) {
  for (const char* bad : {"cars", "cars=", "=4", "cars=4x", "cars=-1", "cars=nan", "cars=1e9", ",cars=1"}) {
    EXPECT_THAT(ParseQuotas(bad).status().text(), HasSubstr("expected DEPARTMENT=CARDS")) << bad;
  }
  EXPECT_THAT(ParseQuotas("a=1,a=2").status().text(), HasSubstr("has one already"));
  std::string many;
  for (size_t i = 0; i <= kQuotasMax; ++i) many += "d" + std::to_string(i) + "=1,";
  EXPECT_THAT(ParseQuotas(many).status().text(), HasSubstr("more than 256"));
}

}  // namespace
}  // namespace snug::controller
