#include "server/base64.h"

#include <gtest/gtest.h>

namespace snug::server {
namespace {

TEST(Base64, ThereAndBack) {
  for (const std::string bytes : {"", "a", "ab", "abc", "abcd", "\xff\xfe"}) {
    std::string back;
    EXPECT_TRUE(DecodeBase64(EncodeBase64(bytes), back));
    EXPECT_EQ(back, bytes);
  }
}

TEST(Base64, WhatIsNone) {
  std::string back;
  for (const char* text : {"a", "a\n==", "ab!=", "=a"}) EXPECT_FALSE(DecodeBase64(text, back)) << text;
}

}  // namespace
}  // namespace snug::server
