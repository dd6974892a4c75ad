#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace snug {
namespace {

TEST(StatusTest, DefaultIsOk) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().ToString(), "OK");
}

TEST(StatusTest, NamesCodesAsGrpcDoes) {
  EXPECT_EQ(NotFound("model \"{}\"", "x").ToString(), "NOT_FOUND: model \"x\"");
  EXPECT_EQ(CodeName(static_cast<Code>(99)), "UNKNOWN");
}

TEST(StatusTest, MapsToHttp) {
  EXPECT_EQ(HttpStatus(Code::kInvalidArgument), 400);
  EXPECT_EQ(HttpStatus(Code::kUnavailable), 503);
  EXPECT_EQ(HttpStatus(Code::kOk), 200);
}

TEST(StatusTest, AnnotateKeepsTheCode) {
  Status s = InvalidArgument("bad").Annotate("model.yaml");
  EXPECT_EQ(s.code(), Code::kInvalidArgument);
  EXPECT_EQ(s.text(), "model.yaml: bad");
}

TEST(StatusTest, ErrnoGivesTheFittingCode) {
  EXPECT_EQ(ErrnoError(ENOENT, "open").code(), Code::kNotFound);
  EXPECT_EQ(ErrnoError(ENOSPC, "write").code(), Code::kResourceExhausted);
}

Result<int> Half(int x) {
  if (x % 2 != 0) return InvalidArgument("{} is odd", x);
  return x / 2;
}
Result<int> Quarter(int x) {
  SNUG_ASSIGN_OR_RETURN(int half, Half(x));
  SNUG_ASSIGN_OR_RETURN(int quarter, Half(half));
  return quarter;
}

TEST(ResultTest, CarriesAValueOrAnError) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().text(), "3 is odd");
}

}  // namespace
}  // namespace snug
