#include "repository/version_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug::repository {
namespace {

using testing::ElementsAre;
using Kind = VersionPolicy::Kind;

TEST(VersionPolicy, Chooses) {
  const std::vector<int64_t> disk{1, 3, 7};
  EXPECT_THAT(ChooseVersions({}, {}, disk), ElementsAre(1, 3, 7));
  EXPECT_THAT(ChooseVersions({Kind::kLatest, 1, {}}, {}, disk), ElementsAre(7));
  EXPECT_THAT(ChooseVersions({Kind::kLatest, 2, {}}, {}, disk), ElementsAre(3, 7));
  EXPECT_THAT(ChooseVersions({Kind::kLatest, 9, {}}, {}, disk), ElementsAre(1, 3, 7));
  EXPECT_THAT(ChooseVersions({Kind::kListed, 1, {3, 4}}, {}, disk), ElementsAre(3));
  EXPECT_THAT(ChooseVersions({}, {}, {}), ElementsAre());
}

TEST(VersionPolicy, ALabelledVersionIsAlwaysWanted) {
  const std::vector<int64_t> disk{1, 3, 7};
  EXPECT_THAT(ChooseVersions({Kind::kLatest, 1, {}}, {{"stable", 1}, {"gone", 2}}, disk), ElementsAre(1, 7));
  EXPECT_THAT(ChooseVersions({Kind::kListed, 1, {}}, {{"stable", 3}}, disk), ElementsAre(3));
  EXPECT_THAT(ChooseVersions({Kind::kListed, 1, {}}, {}, disk), ElementsAre());
}

}  // namespace
}  // namespace snug::repository
