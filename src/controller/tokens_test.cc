#include "controller/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug::controller {
namespace {

TEST(Tokens, NoneMeansLocal) {
  EXPECT_EQ(Tokens().Who(""), "local");
}

TEST(Tokens, NamesWhoSentThem) {
  auto tokens = Tokens::Parse("# people\nalice:0123456789abcdef\r\n\nfedcba9876543210\n");
  ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
  EXPECT_EQ(tokens->Who("Bearer 0123456789abcdef"), "alice");
  EXPECT_EQ(tokens->Who("Bearer fedcba9876543210"), "token");
  for (const char* bad : {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeX", "Basic 0123456789abcdef"}) {
    EXPECT_EQ(tokens->Who(bad), std::nullopt) << bad;
  }
}

TEST(Tokens, WrongFilesSayTheLineAndNotTheSecret) {
  for (const char* bad : {"", "# only\n", "a:secret\n", ":0123456789abcdef\n", "a b:0123456789abcdef\n"}) {
    auto tokens = Tokens::Parse(bad);
    ASSERT_FALSE(tokens.ok()) << bad;
    EXPECT_EQ(tokens.status().text().find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace snug::controller
