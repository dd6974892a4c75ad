#include "cli/table.h"

#include <gtest/gtest.h>

namespace snug::cli {
namespace {

TEST(TableTest, AlignsColumnsAndTrimsTheEnds) {
  Table table({{"NAME"}, {"READY", true}, {"STATE"}});
  table.Add({"ocr", "1/2", "DEGRADED"});
  table.Add({"a-longer-name", "10/10", ""});
  EXPECT_EQ(table.Text(),
            "NAME           READY  STATE\n"
            "ocr              1/2  DEGRADED\n"
            "a-longer-name  10/10\n");
}

TEST(TableTest, CountsCharactersNotBytesAndShowsNoControls) {
  Table table({{"A"}, {"B"}});
  table.Add({"é", "1\n\x1b[31m2"});
  table.Add({"ab", "x"});
  EXPECT_EQ(table.Text(), "A   B\né   1  [31m2\nab  x\n");
}

}  // namespace
}  // namespace snug::cli
