#include "cli/log_lines.h"

#include <gtest/gtest.h>

namespace snug::cli {
namespace {

TEST(LogLinesTest, ShowsOnlyWhatWasAdded) {
  EXPECT_EQ(NewLines("", "a\nb\n"), "a\nb\n");
  EXPECT_EQ(NewLines("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(NewLines("a\nb\n", "a\nb\nc\n"), "c\n");
  EXPECT_EQ(NewLines("a\nb\nc\n", "b\nc\nd\ne\n"), "d\ne\n");
}

TEST(LogLinesTest, ALineThatGrowsIsContinued) {
  EXPECT_EQ(NewLines("a\nhal", "a\nhalf\n"), "f\n");
}

TEST(LogLinesTest, ShowsAllWhenTooMuchCameBetween) {
  EXPECT_EQ(NewLines("a\nb\n", "x\ny\n"), "x\ny\n");
}

}  // namespace
}  // namespace snug::cli
