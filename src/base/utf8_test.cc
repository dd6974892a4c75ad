#include "base/utf8.h"

#include <gtest/gtest.h>

namespace snug {
namespace {

TEST(Utf8, AcceptsWellFormedText) {
  for (std::string_view good : {"", "a", "\x7f", "\xc2\x80", "ä", "€", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
                                "😀", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "mixed ä€😀 text"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  EXPECT_EQ(Utf8SequenceBytes("€uro"), 3u);
  EXPECT_EQ(Utf8SequenceBytes(""), 0u);
}

TEST(Utf8, RefusesTheRest) {
  for (std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xc3("}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(Utf8, CleansForeignText) {
  EXPECT_EQ(CleanText("a\x01\xff\nb\tä", 100), "a??\nb\tä");
  EXPECT_EQ(CleanText("abcdef", 3), "abc");
  EXPECT_EQ(CleanText("ää", 3), "ä?");
  EXPECT_EQ(CleanText(nullptr, 3), "");
}

}  // namespace
}  // namespace snug
