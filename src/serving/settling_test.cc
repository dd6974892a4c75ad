#include "serving/settling.h"

#include <gtest/gtest.h>

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using repository::Fingerprint;

class SettlingTest : public testing::Test {
 protected:
  bool Look(Fingerprint files) {
    const bool settled = settling_.Look("m/1", files, clock_.Now(), clock_.WallSeconds());
    settling_.EndLook();
    return settled;
  }
  Fingerprint Files(uint64_t digest, double age = 0) { return {digest, clock_.WallSeconds() - age}; }

  ManualClock clock_;
  Settling settling_{2s};
};

TEST_F(SettlingTest, OldFilesAreTakenAtFirstSight) {
  EXPECT_TRUE(Look(Files(1, 60)));
}

TEST_F(SettlingTest, FreshFilesWaitUntilTheyStayTheSame) {
  const Fingerprint files = Files(1);
  EXPECT_FALSE(Look(files));
  clock_.Advance(1s);
  EXPECT_FALSE(Look(files));
  clock_.Advance(1s);
  EXPECT_TRUE(Look(files));
}

TEST_F(SettlingTest, EachChangeStartsTheWaitAgain) {
  EXPECT_FALSE(Look(Files(1)));
  for (uint64_t grown = 2; grown < 6; ++grown) {
    clock_.Advance(10s);
    EXPECT_FALSE(Look(Files(grown, 9))) << "it grew since the last look, however old its files say they are";
  }
  const Fingerprint whole = Files(9);
  Look(whole);
  clock_.Advance(2s);
  EXPECT_TRUE(Look(whole));
}

TEST_F(SettlingTest, AClockThatRunsAheadIsNotTrusted) {
  EXPECT_FALSE(Look(Files(1, -3600)));
}

TEST_F(SettlingTest, WhatWasGoneIsNewAgain) {
  const Fingerprint files = Files(1);
  Look(files);
  settling_.EndLook();
  clock_.Advance(1s);
  EXPECT_FALSE(Look(files));
}

}  // namespace
}  // namespace snug::serving
